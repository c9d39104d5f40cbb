package istiomesh

import (
	"context"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ask"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remotesecrets"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/views"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// Secrets lists which control plane watches which cluster, and by which remote secret.
// connect tries the credentials as well.
func Secrets(ctx context.Context, run *mesh.Run, connect bool) remotesecrets.Listing {
	asked := used(remotesecrets.Rules(), nil)
	seen := ask.RemoteSecrets(ctx, run.By, model.New(run.Fleet, model.Options{}), asked, connect)
	m := model.New(run.Fleet, model.Options{Seen: seen})
	return remotesecrets.List(m, rule.Run(m, remotesecrets.Rules(), rule.Options{}))
}

// ProbeResources are the rows that tell what there is to try.
func (Mesh) ProbeResources() resource.Set {
	return resource.Join(resources.Networks, resources.Gateways, resources.RootCert, resources.Behind)
}

// Probe tries the addresses of gateways and control planes, and says what came of it, and
// what of the gateways is not known. The error is about what the user named.
func (Mesh) Probe(ctx context.Context, run *mesh.Run, wish mesh.Probing) (probing.Trials, []mesh.Gap, error) {
	m := model.New(run.Fleet, model.Options{})
	trials, err := ask.Gateways(ctx, run.By, m, wish)
	var gaps []mesh.Gap
	for _, g := range views.GatewayGaps(m) {
		gaps = append(gaps, mesh.Gap(g))
	}
	return trials, gaps, err
}
