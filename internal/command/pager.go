package command

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"

	"golang.org/x/term"
)

// terminal is what results go to, if that is a terminal.
func (f *Frame) terminal() (*os.File, bool) {
	file, isFile := f.outFile()
	return file, isFile && term.IsTerminal(int(file.Fd()))
}

// pagerOf is the program through which git shows what is long: PAGER, or less; nil where there is
// none to be used.
func pagerOf(getenv func(string) string, isSet bool, system string) []string {
	pager := strings.TrimSpace(getenv("PAGER"))
	if !isSet {
		pager = "less"
	}
	switch {
	case pager == "", pager == "cat", getenv("TERM") == "dumb":
		return nil
	case system == "windows":
		return strings.Fields(pager)
	}
	return []string{"sh", "-c", pager}
}

// paged writes text to out, through a pager if out is a terminal. What a pager does is no
// result: it may be left before the end, and where it does not start the text is printed.
func (f *Frame) paged(text []byte) error {
	if file, is := f.terminal(); is {
		_, isSet := os.LookupEnv("PAGER")
		if pager := pagerOf(os.Getenv, isSet, runtime.GOOS); pager != nil && show(pager, text, file, os.Stderr) {
			return nil
		}
	}
	_, err := f.Out.Write(text)
	return err
}

// show hands text to a pager, and reports whether it came to the end of its work or was left.
func show(pager []string, text []byte, out, errOut io.Writer) bool {
	cmd := exec.Command(pager[0], pager[1:]...) //nolint:gosec // the user's own PAGER
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(text), out, errOut
	if _, isSet := os.LookupEnv("LESS"); !isSet {
		cmd.Env = append(os.Environ(), "LESS=FRX") // end at once if it fits, show colours, leave the text
	}
	if cmd.Start() != nil {
		return false
	}
	// An interrupt is the pager's: a pager without this program would be left with the terminal.
	signal.Ignore(os.Interrupt)
	const notFound = 127 // of a shell
	_ = cmd.Wait()
	signal.Reset(os.Interrupt)
	return cmd.ProcessState.ExitCode() != notFound
}
