//go:build linux || darwin

package fleet_test

import (
	"bufio"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/fleet"
)

// endsVariable makes the test binary a program that ends its plugins.
const endsVariable = "KUBECTL_MESH_TEST_ENDS_PLUGINS"

// A plugin that hangs, and is deaf to being asked to end, is gone with the program, and so are the
// processes that it started.
func TestNoPluginIsLeftBehind(t *testing.T) {
	if os.Getenv(endsVariable) != "" {
		plugin := exec.CommandContext(t.Context(), "/bin/sh", "-c", "trap '' TERM; sleep 300 & echo pid $! >&2; echo pid $$ >&2; while :; do sleep 300; done")
		plugin.Stderr = os.Stderr
		if err := plugin.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { _ = plugin.Wait() }()
		time.Sleep(500 * time.Millisecond)
		fleet.EndPlugins()
		return
	}
	program := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNoPluginIsLeftBehind$")
	program.Env = append(os.Environ(), endsVariable+"=1")
	var stderr strings.Builder
	program.Stderr = &stderr
	program.WaitDelay = time.Minute
	if err := program.Run(); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var pids []int
	for lines := bufio.NewScanner(strings.NewReader(stderr.String())); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "pid "); ok {
			pid, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	if len(pids) != 2 {
		t.Fatalf("the plugin said %q", stderr.String())
	}
	for _, pid := range pids {
		gone := false
		for range 100 { // whoever inherited it has to notice
			if gone = syscall.Kill(pid, 0) != nil || zombie(pid); gone {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		if !gone {
			t.Errorf("process %d is still there", pid)
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// zombie reports whether a process has ended, and only its parent has not noticed.
func zombie(pid int) bool {
	text, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err != nil || strings.HasPrefix(strings.TrimSpace(string(text)), "Z")
}
