package istiomesh_test

import (
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
)

// A cluster that was not reached does not end the check of two meshes that know nothing of each other.
func TestCheckUpOfTwoMeshesWithoutACluster(t *testing.T) {
	f := istiotest.Healthy("east", "west", "north")
	for _, c := range f.Clusters {
		c.Remotes = nil
		c.Plug(istiotest.Root(istiotest.Spec{Name: "Root of " + c.Name}).Sub(istiotest.Spec{}))
	}
	fleet := f.Facts()
	down := &fleet.Clusters[2]
	*down = facts.Cluster{Context: down.Context, Server: down.Server, Unreached: &facts.Unreached{Kind: facts.TimedOut}}
	run := &mesh.Run{Fleet: fleet, Areas: []mesh.Area{mesh.Certs}, Say: func(string, ...any) {}}
	result, overview, err := istiomesh.Mesh{}.CheckUp(t.Context(), run)
	if err != nil || len(overview.Clusters) == 0 || len(result.Unknowns) == 0 {
		t.Errorf("%v: %+v, not checked: %+v", err, overview, result.Unknowns)
	}
}
