package glootest

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	istio "github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// Dumps writes fleets of release 1.1 as a plugin dumps them, and returns the folder: gloo, with one for the healthy
// fleet and one for each fault. They are called as folders says, by names of Faults.
func Dumps(t *testing.T, folders map[string]string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "gloo")
	write := func(folder string, do func(*Fleet)) {
		f := Healthy(Gloo11, Members...)
		do(f)
		f.Dump(t, filepath.Join(out, folder))
	}
	write("healthy", func(*Fleet) {})
	for folder, name := range folders {
		i := slices.IndexFunc(Faults, func(c Fault) bool { return c.Name == name })
		if i < 0 || !Faults[i].Of(Gloo11) {
			t.Fatalf("there is no fault %q", name)
		}
		write(folder, Faults[i].Do)
	}
	return out
}

// Dump writes a fleet into a folder, as a plugin dumps it.
func (f *Fleet) Dump(t *testing.T, folder string) {
	t.Helper()
	if err := dump.Write(folder, f.Facts(), resource.Join(istio.All, resources.All)); err != nil {
		t.Fatal(err)
	}
}
