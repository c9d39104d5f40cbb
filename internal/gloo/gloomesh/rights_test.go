package gloomesh_test

import (
	"io/fs"
	"os"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/gloomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/plugintest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

func dirFS(t *testing.T, dir string) fs.FS {
	t.Helper()
	return os.DirFS(dir)
}

// options fail the test where a rule does what it did not declare.
func options(t *testing.T) rule.Options {
	t.Helper()
	return rule.Options{Violated: func(s string) { t.Error(s) }}
}

// The roles give what the rows of the plugins take, and no more.
func TestRights(t *testing.T) {
	rows := func(area mesh.Area) resource.Set { return gloomesh.Mesh{}.Resources(nil, area) }
	plugintest.Roles(t, "../../../docs/rbac-gloo.yaml", map[string]resource.Set{
		"mesh-certs-gloo": rows(mesh.Certs), "mesh-network-gloo": rows(mesh.Network), "mesh-endpoints-gloo": resource.Join(rows(mesh.Endpoints), gloomesh.Mesh{}.DiagnosisResources()),
		"mesh-check-gloo": rows(mesh.ControlPlane),
	})
}
