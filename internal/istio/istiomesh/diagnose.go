package istiomesh

import (
	"context"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ask"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/endpoints"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remotesecrets"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// Diagnose says what becomes of requests for a service from each cluster to each other
// one. Where a path leads there by the API objects, the proxy is asked what it has.
func Diagnose(ctx context.Context, run *mesh.Run, namespace, name string) (*endpoints.Diagnosis, finding.Result, error) {
	m, topics, err := Look(ctx, run)
	if err != nil {
		return nil, finding.Result{}, err
	}
	found := rule.Run(m, slices.Concat(Rules(mesh.Network), remotesecrets.Rules()), rule.Options{Topics: topics})
	d, result, err := endpoints.Diagnose(m, found, namespace, name, endpoints.Options{})
	if err != nil || run.By.Dumped() {
		return d, result, err
	}
	if live := ask.Paths(ctx, run.By, d); len(live) > 0 {
		return endpoints.Diagnose(m, found, namespace, name, endpoints.Options{Live: live})
	}
	return d, result, nil
}
