package istiomesh

import (
	"context"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/certs"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/views"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

var (
	_ mesh.Diagnoser = Mesh{}
	_ mesh.Mapper    = Mesh{}
	_ mesh.Comparer  = Mesh{}
)

// Map draws networks, gateways, and who reaches whom.
func (Mesh) Map(ctx context.Context, run *mesh.Run) (view.NetworkMap, error) {
	m, result, err := Check(ctx, run)
	if err != nil {
		return view.NetworkMap{}, err
	}
	return views.Map(m, result), nil
}

// RootResources are the rows that tell the roots.
func (Mesh) RootResources() resource.Set { return resources.Roots }

// CompareRoots says which roots the workloads of which clusters trust, and who trusts whom.
func (Mesh) CompareRoots(fleet *facts.Fleet) view.Comparison { return certs.Compare(fleet) }
