package dump_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
)

// The rules about endpoints make the same of a dump as of the clusters.
func TestEndpointsOfADump(t *testing.T) {
	for _, c := range istiotest.EndpointFaults {
		t.Run(c.Name, func(t *testing.T) {
			fleet := c.Fleet().Facts()
			dir := filepath.Join(t.TempDir(), "fleet")
			if err := dump.Write(dir, fleet, resources.All); err != nil {
				t.Fatal(err)
			}
			read, err := dump.Read(os.DirFS(dir), "elsewhere", time.Time{}, resources.All)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(judged(fleet, mesh.Endpoints), judged(read, mesh.Endpoints), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
