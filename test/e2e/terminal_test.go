//go:build unix

package e2e

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

// onTerminal runs the binary on a terminal of 80 columns, lets act do something
// to it, and returns what the terminal received and the exit code.
func onTerminal(t *testing.T, kubeconfig string, env []string, act func(*os.Process), args ...string) (screen string, code int) {
	t.Helper()
	return programOnTerminal(t, binary, kubeconfig, env, act, args...)
}

// programOnTerminal is onTerminal for a plugin.
func programOnTerminal(t *testing.T, program, kubeconfig string, env []string, act func(*os.Process), args ...string) (screen string, code int) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "KUBECONFIG=" + kubeconfig, "TERM=xterm-256color"}, env...)
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: 80})
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	var received bytes.Buffer
	read := make(chan struct{})
	go func() {
		_, _ = io.Copy(&received, terminal) // ends with an error when the program does
		close(read)
	}()
	if act != nil {
		act(cmd.Process)
	}
	err = cmd.Wait()
	<-read
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	}
	noSecrets(t, "terminal", received.String())
	return received.String(), code
}

// On a terminal, a wait of more than a second says for whom; Ctrl-C ends it at once
// and leaves a clean line.
func TestProgressAndInterrupt(t *testing.T) {
	plant(t, istiotest.Healthy("east"))
	hanging, err := bed.HangingServer()
	if err != nil {
		t.Fatal(err)
	}
	defer hanging.Close()
	kubeconfig := kubeconfigOf(t, bed.Context{Cluster: "east"}, bed.Context{Name: "slow", Cluster: "west", Server: hanging.URL()})

	screen, code := onTerminal(t, kubeconfig, nil, nil, "verify", "--contexts", "east,slow", "--timeout", "3s")
	if code != 1 || !strings.Contains(screen, "1/2") || !strings.Contains(screen, "slow") || !strings.Contains(screen, "FLT002") {
		t.Errorf("exit code %d\n%q", code, screen)
	}

	for signal, want := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		var interrupted time.Time
		screen, code = onTerminal(t, kubeconfig, nil, func(p *os.Process) {
			time.Sleep(1500 * time.Millisecond)
			interrupted = time.Now()
			_ = p.Signal(signal)
		}, "verify", "--contexts", "east,slow", "--timeout", "30s")
		if took := time.Since(interrupted); code != want || took > time.Second {
			t.Errorf("%s: exit code %d, %s after the signal\n%q", signal, code, took, screen)
		}
		if i := strings.LastIndexByte(screen, '\r'); !strings.Contains(screen, "1/2") || i < 0 || strings.Trim(screen[i:], "\r\n\x1b[K ") != "" {
			t.Errorf("%s: the progress line is left on the screen: %q", signal, screen)
		}
	}
}

// Colour on a terminal, unless told otherwise; lines no wider than it, commands
// that are to be pasted excepted.
func TestTerminalOutput(t *testing.T) {
	f := istiotest.Healthy("east", "west")
	f.Get("west").Plug(istiotest.Root(istiotest.Spec{}).Sub(istiotest.Spec{}))
	plant(t, f)
	args := []string{"verify", "--contexts", "east,west"}
	colored := func(screen string) bool { return strings.Contains(screen, "\x1b[") }
	screen, _ := onTerminal(t, fleet.Kubeconfig(), []string{"NO_COLOR="}, nil, args...)
	if !colored(screen) {
		t.Errorf("no colour on a terminal: %q", screen)
	}
	if screen, _ = onTerminal(t, fleet.Kubeconfig(), []string{"NO_COLOR=1"}, nil, args...); colored(screen) {
		t.Errorf("colour in spite of NO_COLOR: %q", screen)
	}
	for line := range strings.Lines(screen) {
		line = strings.TrimRight(line, "\r\n")
		if len(line) > 80 && !strings.Contains(line, "kubectl --context=") {
			t.Errorf("wider than the terminal: %s", line)
		}
	}
	if screen, _ = onTerminal(t, fleet.Kubeconfig(), nil, nil, append(args, "--color", "never")...); colored(screen) {
		t.Errorf("colour in spite of --color never: %q", screen)
	}
	if out := mesh(t, options{}, append(args, "--color", "always")...); !colored(out.stdout) {
		t.Errorf("no colour in spite of --color always: %q", out.stdout)
	}
	if out := mesh(t, options{}, args...); colored(out.stdout + out.stderr) {
		t.Errorf("colour without a terminal: %q", out.stdout)
	}
}
