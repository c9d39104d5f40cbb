// Package rules is the one list of the meshes whose rules run. A new mesh is a line here.
package rules

import (
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/gloomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/linkerdmesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
)

// Meshes are all that the plugins know.
func Meshes() []mesh.Mesh { return []mesh.Mesh{istiomesh.Mesh{}, linkerdmesh.Mesh{}, gloomesh.Mesh{}} }
