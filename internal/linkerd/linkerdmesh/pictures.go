package linkerdmesh

import (
	"context"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/endpoints"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/views"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

var (
	_ mesh.Diagnoser = Mesh{}
	_ mesh.Mapper    = Mesh{}
	_ mesh.Comparer  = Mesh{}
	_ mesh.Certified = Mesh{}
)

// DiagnosisResources are the rows of all rules that can say why a service is not reached.
func (m Mesh) DiagnosisResources() resource.Set {
	return m.Resources(nil, mesh.Network, mesh.Endpoints)
}

// Diagnose says what becomes of requests for a service from each cluster to each other one.
func (Mesh) Diagnose(_ context.Context, run *mesh.Run, namespace, name string) (*view.Diagnosis, finding.Result, error) {
	m := model.New(run.Fleet, model.Options{})
	d, result := endpoints.Diagnose(m, Judge(m, rule.Options{}, mesh.Network, mesh.Endpoints), namespace, name)
	return d, result, nil
}

// Map draws clusters, their gateways, and a route for each Link.
func (Mesh) Map(_ context.Context, run *mesh.Run) (view.NetworkMap, error) {
	m := model.New(run.Fleet, model.Options{})
	return views.Map(m, Judge(m, rule.Options{}, mesh.Network)), nil
}

// RootResources are the rows that tell roots and issuers. Where there is no Linkerd they cost one list:
// namespaces, which show it where its ConfigMap may not be read, are for the rules.
func (Mesh) RootResources() resource.Set {
	return resource.Set{resources.Config, resources.Links, resources.TrustRoots, resources.Issuers}
}

// CompareRoots says which roots the proxies of which clusters trust, and who trusts whom.
func (Mesh) CompareRoots(fleet *facts.Fleet) view.Comparison {
	return views.CompareRoots(model.New(fleet, model.Options{}))
}

// Certificates are the roots and issuers of a fleet.
func (Mesh) Certificates(fleet *facts.Fleet) view.Certificates {
	return views.Certificates(model.New(fleet, model.Options{}))
}
