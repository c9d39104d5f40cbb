package gloomesh

import (
	"context"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/endpoints"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// Of roots that clusters trust there is nothing to say that Istio does not.
var (
	_ mesh.Diagnoser = Mesh{}
	_ mesh.Mapper    = Mesh{}
)

// DiagnosisResources are the rows of all rules that can say why a service is not reached by its federated name.
func (m Mesh) DiagnosisResources() resource.Set {
	return resource.Join(m.Resources(nil, mesh.Certs, mesh.Endpoints), resource.Set{resources.RemoteSecrets})
}

// Diagnose says what becomes of requests for a service, by its federated name, from each cluster to each other one.
func (Mesh) Diagnose(_ context.Context, run *mesh.Run, namespace, name string) (*view.Diagnosis, finding.Result, error) {
	m := model.New(run.Fleet)
	d, result := endpoints.Diagnose(m, Judge(m, rule.Options{}), namespace, name)
	return d, result, nil
}

// Map draws clusters, their gateways, and a route for each two meshes of a VirtualMesh.
func (Mesh) Map(_ context.Context, run *mesh.Run) (view.NetworkMap, error) {
	m := model.New(run.Fleet)
	return endpoints.Map(m, Judge(m, rule.Options{})), nil
}
