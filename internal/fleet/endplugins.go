//go:build linux || darwin

package fleet

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// endTime is how long a plugin has to end by itself.
const endTime = 250 * time.Millisecond

// EndPlugins ends the credential plugins that are still running, with the processes that they
// started: one that hangs would else stay behind when the program is over. Plugins that ended
// may have left something behind on purpose, such as an agent; that is not touched. It is for the
// end of a program, all of whose children are plugins.
func EndPlugins() {
	if !hasChildren() {
		return // as mostly: to look through all processes takes longer than the rest of a small run
	}
	family := descendants(os.Getpid())
	for _, pid := range family {
		_ = syscall.Kill(pid, syscall.SIGTERM)
	}
	for end := time.Now().Add(endTime); len(running(family)) > 0 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	for _, pid := range running(family) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// hasChildren reports whether a child of the program has not ended.
func hasChildren() bool {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if pid <= 0 && !errors.Is(err, syscall.EINTR) {
			return err == nil // ECHILD: there is none
		}
	}
}

// running are those processes that there are.
func running(pids []int) []int {
	var out []int
	for _, pid := range pids {
		if syscall.Kill(pid, 0) == nil {
			out = append(out, pid)
		}
	}
	return out
}

// descendants are the children of a process, their children, and so on; none where the system does
// not tell.
func descendants(of int) []int {
	children := map[int][]int{}
	for pid, parent := range parents() {
		children[parent] = append(children[parent], pid)
	}
	var out []int
	for next := children[of]; len(next) > 0; {
		out = append(out, next...)
		var below []int
		for _, pid := range next {
			below = append(below, children[pid]...)
		}
		next = below
	}
	return out
}
