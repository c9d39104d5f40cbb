package bed

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// holdVariable makes the test binary hold a fleet until it is killed. Its value
// is the folder of the fleet's directory.
const holdVariable = "BED_TEST_HOLD"

// hold starts a mesh, prints the process ids of its servers and waits to be
// killed, but no longer than the tests run.
func hold(base string) {
	f, err := StartTopology(context.Background(), orphan, Config{Dir: base})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(strings.Trim(fmt.Sprint(serverPIDs(f)), "[]"))
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// orphan is a mesh of one cluster.
var orphan = topology.Topology{Clusters: []topology.Cluster{{Name: "orphan"}}}

func TestServersEndWithTheirKilledOwner(t *testing.T) {
	base := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	owner := exec.Command(self)
	owner.Env = append(os.Environ(), holdVariable+"="+base)
	owner.Stderr = os.Stderr
	if _, err := owner.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if killErr := owner.Process.Kill(); killErr != nil {
		t.Fatal(killErr)
	}
	_ = owner.Wait()
	if err != nil {
		t.Fatal(err)
	}

	fields := strings.Fields(line)
	if len(fields) != 5 {
		t.Fatalf("the owner said %q", line)
	}
	for _, field := range fields {
		pid, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(10 * time.Second); running(t, pid); time.Sleep(pollInterval) {
			if time.Now().After(deadline) {
				t.Fatalf("process %d outlives its owner", pid)
			}
		}
	}

	// The next fleet cleans up.
	abandoned, err := filepath.Glob(filepath.Join(base, "fleet-*"))
	if err != nil || len(abandoned) != 1 {
		t.Fatalf("directories: %v, %v", abandoned, err)
	}
	next, err := newWorkdir(base)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(abandoned[0]); !os.IsNotExist(err) {
		t.Errorf("the abandoned directory is still there: %v", err)
	}
	other, err := newWorkdir(base)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(next.path); err != nil {
		t.Errorf("the directory of a living owner is gone: %v", err)
	}
	for _, dir := range []*workdir{next, other} {
		if err := dir.remove(); err != nil {
			t.Error(err)
		}
	}
}

// serverPIDs are the process ids of the servers of a fleet.
func serverPIDs(f *Fleet) []int {
	pids := []int{f.etcd.cmd.Process.Pid}
	for _, cluster := range f.clusters {
		pids = append(pids, cluster.server.cmd.Process.Pid)
		if k := cluster.kubelets; k != nil {
			pids = append(pids, k.controllers.cmd.Process.Pid, k.kwok.cmd.Process.Pid)
		}
	}
	if mesh := f.Mesh(); mesh != nil {
		for _, istiod := range mesh.Istiods() {
			pids = append(pids, istiod.cmd.Process.Pid)
		}
	}
	return pids
}

// running reports whether a process runs. One that has ended may stay listed
// until whoever inherited it takes note.
func running(t *testing.T, pid int) bool {
	t.Helper()
	out, _ := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	state := strings.TrimSpace(string(out))
	return state != "" && !strings.HasPrefix(state, "Z")
}

// portOf is the port of a listener.
func portOf(l *Listener) int { return l.listener.Addr().(*net.TCPAddr).Port }
