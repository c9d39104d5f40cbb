//go:build unix

package dump_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Only regular files are read: a pipe would hold the run up for ever.
func TestPipesAreNotRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "fleet")
	if err := os.MkdirAll(filepath.Join(dir, "east"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "east", "pods.yaml"), 0o600); err != nil {
		t.Skip(err)
	}
	got, err := dump.Read(os.DirFS(dir), "istio-system", time.Now(), resources.All)
	if err != nil {
		t.Fatal(err)
	}
	if state, reason := resources.Pods.State(&got.Clusters[0]); state != facts.Failed || !strings.Contains(reason, "not a regular file") {
		t.Errorf("%s: %s", state, reason)
	}
}
