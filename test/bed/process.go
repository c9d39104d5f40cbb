package bed

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// process is a server that the bed started.
type process struct {
	name  string
	cmd   *exec.Cmd
	stdin io.Closer
	log   string
	ended chan struct{}
}

// startProcess starts a server in dir, which must exist. Its output goes to a
// log file there.
func startProcess(name, dir, binary string, args ...string) (*process, error) {
	return startProcessIn(name, dir, os.Environ(), binary, args...)
}

// startProcessIn is startProcess in an environment of its own.
func startProcessIn(name, dir string, env []string, binary string, args ...string) (*process, error) {
	logPath := dir + string(os.PathSeparator) + name + ".log"
	log, err := os.Create(logPath)
	if err != nil {
		return nil, fmt.Errorf("make the log of %s: %w", name, err)
	}
	defer log.Close()

	cmd := exec.Command(binary, args...)
	cmd.Dir = dir
	cmd.Env = env
	cmd.Stdout, cmd.Stderr = log, log
	// A Ctrl-C at the terminal is for the owner of the fleet, who stops the
	// servers in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// Nothing is ever written to this pipe. Servers exit when it ends, which
	// the kernel sees to even if this process is killed.
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("make the input of %s: %w", name, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{name: name, cmd: cmd, stdin: stdin, log: logPath, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		_ = cmd.Wait()
	}()
	return p, nil
}

// stop asks the process to end, and kills it if it has not done so in time.
func (p *process) stop(grace time.Duration) {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(grace):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	_ = p.stdin.Close()
}

// failure adds the process's name and the end of its log to an error.
func (p *process) failure(err error) error {
	return fmt.Errorf("%s: %w; the end of its log:\n%s", p.name, err, p.tail(20))
}

// tail returns the last lines of the process's log.
func (p *process) tail(lines int) string {
	content, err := os.ReadFile(p.log)
	if err != nil {
		return fmt.Sprintf("(unreadable: %v)", err)
	}
	return lastLines(string(content), lines)
}

// logHas reports whether the process's log contains text.
func (p *process) logHas(text string) bool {
	content, err := os.ReadFile(p.log)
	return err == nil && bytes.Contains(content, []byte(text))
}

// lastLines returns the last n lines of text, indented.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return "\t" + strings.Join(lines, "\n\t")
}
