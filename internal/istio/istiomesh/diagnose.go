package istiomesh

import (
	"context"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ask"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/endpoints"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remotesecrets"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// DiagnosisResources are the rows of the rules about endpoints.
func (m Mesh) DiagnosisResources() resource.Set { return m.Resources(nil, mesh.Endpoints) }

// Diagnose says what becomes of requests for a service from each cluster to each other
// one. Where a path leads there by the API objects, the proxy is asked what it has.
func (Mesh) Diagnose(ctx context.Context, run *mesh.Run, namespace, name string) (*view.Diagnosis, finding.Result, error) {
	m, topics, err := Look(ctx, run)
	if err != nil {
		return nil, finding.Result{}, err
	}
	found := rule.Run(m, slices.Concat(Rules(mesh.Network), remotesecrets.Rules()), rule.Options{Topics: topics})
	d, result, err := endpoints.Diagnose(m, found, namespace, name, endpoints.Options{})
	if err != nil || survey.Mute(run.By) {
		return d, result, err
	}
	if live := ask.Paths(ctx, run.By, d); len(live) > 0 {
		return endpoints.Diagnose(m, found, namespace, name, endpoints.Options{Live: live})
	}
	return d, result, nil
}
