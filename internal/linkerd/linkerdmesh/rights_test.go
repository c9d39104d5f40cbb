package linkerdmesh_test

import (
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/linkerdmesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/plugintest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// The roles give what the rows of the plugins take, and no more.
func TestRights(t *testing.T) {
	rows := func(area mesh.Area) resource.Set { return linkerdmesh.Mesh{}.Resources(nil, area) }
	plugintest.Roles(t, "../../../docs/rbac-linkerd.yaml", map[string]resource.Set{
		"mesh-certs-linkerd": rows(mesh.Certs), "mesh-network-linkerd": rows(mesh.Network),
		"mesh-endpoints-linkerd": resource.Join(rows(mesh.Endpoints), linkerdmesh.Mesh{}.DiagnosisResources()),
		"mesh-check-linkerd":     rows(mesh.ControlPlane),
	})
}
