package command

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"unsafe"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// terminal opens one with as many columns.
func terminal(t *testing.T, columns uint16) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { _ = master.Close() })
	control := func(request uintptr, argument unsafe.Pointer) {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), request, uintptr(argument)); errno != 0 {
			t.Fatal(errno)
		}
	}
	var locked, number int32
	control(syscall.TIOCSPTLCK, unsafe.Pointer(&locked))
	control(syscall.TIOCGPTN, unsafe.Pointer(&number))
	size := [4]uint16{24, columns}
	control(syscall.TIOCSWINSZ, unsafe.Pointer(&size))
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { _ = slave.Close() })
	return slave
}

// On a terminal colours are on unless the environment or the flag says otherwise;
// the flag goes before the environment.
func TestColorOnATerminal(t *testing.T) {
	f := &Frame{IOStreams: genericiooptions.IOStreams{Out: terminal(t, 72)}}
	for _, c := range []struct {
		mode, noColor, term string
		want                bool
	}{
		{"auto", "", "xterm", true},
		{"auto", "1", "xterm", false},
		{"auto", "0", "xterm", false}, // set is set, whatever to
		{"auto", "", "dumb", false},
		{"always", "1", "dumb", true},
		{"never", "", "xterm", false},
	} {
		t.Setenv("NO_COLOR", c.noColor)
		t.Setenv("TERM", c.term)
		if got := f.Page(&Output{format: formats{word: word{text: "table"}}, color: c.mode}).Color; got != c.want {
			t.Errorf("--color=%s, NO_COLOR=%q, TERM=%s: %t", c.mode, c.noColor, c.term, got)
		}
	}
	if got := f.Page(&Output{format: formats{word: word{text: "table"}}, color: "auto"}).Width; got != 72 {
		t.Errorf("a table is %d columns wide", got)
	}
	if got := f.Page(&Output{format: formats{word: word{text: "wide"}}, color: "auto", noHeaders: true}); got.Width != 0 || got.Headers {
		t.Errorf("a wide table without headers: %+v", got)
	}
}
