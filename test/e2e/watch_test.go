package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

// screen is what a program that goes on has written.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until a text is there so often.
func (s *screen) await(t *testing.T, text string, times int) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); strings.Count(s.String(), text) < times; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%q is not there %d times:\n%s", text, times, s)
		}
	}
}

// With --watch, and the rights for it, something that breaks is said at once, as a fresh run finds it, and so is what is
// mended; Ctrl-C ends it with the exit code of the last check.
func TestWatch(t *testing.T) {
	plant(t, istiotest.Networked("east", "west"))
	grant(t, slices.Concat(permissions(t, "mesh-network"), permissionsIn(t, "rbac-watch.yaml", "mesh-watch")))
	defer grant(t, nil)
	kubeconfig := kubeconfigOf(t, bed.Context{Cluster: "east", User: bed.Nobody}, bed.Context{Cluster: "west", User: bed.Nobody})
	label := func(t *testing.T, network string) {
		t.Helper()
		patch := `{"metadata":{"labels":{"topology.istio.io/network":` + network + `}}}`
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := admin(t, fleet, "west").CoreV1().Namespaces().Patch(ctx, istiotest.System, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"verify", "--contexts", "east,west", "--fail-on", "warning"}
	fresh := func() []report.IdentifiedFinding {
		return document(t, mesh(t, options{program: network, kubeconfig: kubeconfig}, append(args, "-o", "json")...)).Findings
	}
	before := fresh()

	cmd := exec.Command(network, append(args, "--watch")...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "KUBECONFIG=" + kubeconfig}
	var stdout, stderr screen
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	stderr.await(t, "Watching 2 clusters.", 1)

	began := time.Now()
	label(t, "null")
	stdout.await(t, "appeared: WARNING NET001 west: ", 1)
	took := time.Since(began)
	appeared := 0
	for _, f := range fresh() {
		if slices.ContainsFunc(before, func(o report.IdentifiedFinding) bool { return o.ID == f.ID }) {
			continue
		}
		appeared++
		if line := "appeared: " + strings.ToUpper(string(f.Severity)) + " " + string(f.Code) + " "; !strings.Contains(stdout.String(), line) {
			t.Errorf("no %q in\n%s", line, stdout.String())
		}
	}
	if n := strings.Count(stdout.String(), "appeared: "); n != appeared {
		t.Errorf("%d findings, and a fresh run has %d:\n%s", n, appeared, stdout.String())
	}
	label(t, `"network2"`)
	stdout.await(t, "fixed:    WARNING NET001 west: ", 1)
	if n := strings.Count(stdout.String(), "fixed: "); n != appeared {
		t.Errorf("%d of %d findings are fixed:\n%s", n, appeared, stdout.String())
	}
	label(t, "null")
	stdout.await(t, "appeared: WARNING NET001 west: ", 2)
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("%v\n%s", err, stderr.String())
	}
	if took > 10*time.Second {
		t.Errorf("it was seen after %s", took)
	}
	if strings.Contains(stderr.String(), "watch ") {
		t.Errorf("something is not watched:\n%s", stderr.String())
	}
	noSecrets(t, "stdout", stdout.String())
	noSecrets(t, "stderr", stderr.String())
}
