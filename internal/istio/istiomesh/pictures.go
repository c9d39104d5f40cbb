package istiomesh

import (
	"context"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/certs"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remotesecrets"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/views"
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
	_ mesh.Rotator   = Mesh{}
)

// Map draws networks, gateways, and who reaches whom. Beside the rules of the run's areas those about
// remote secrets are judged, without asking istiod: a way is also broken where a control plane does
// not watch the other cluster, and then their codes say more.
func (Mesh) Map(ctx context.Context, run *mesh.Run) (view.NetworkMap, error) {
	m, topics, err := Look(ctx, run)
	if err != nil {
		return view.NetworkMap{}, err
	}
	rules := slices.Concat(inForce(run.Areas), remotesecrets.Rules())
	result := rule.Run(m, rules, rule.Options{Topics: topics})
	out := views.Map(m, result)
	codes := map[[2]string][]finding.Code{}
	for _, p := range remotesecrets.List(m, result).Pairs {
		if p.State == remotesecrets.Broken {
			codes[[2]string{p.Primary, p.Cluster}] = p.Codes
		}
	}
	for i := range out.Routes {
		if r := &out.Routes[i]; r.Status == view.RouteBroken && len(r.Codes) == 0 {
			r.Codes = append(r.Codes, codes[[2]string{r.From, r.To}]...)
		}
	}
	return out, nil
}

// RootResources are the rows that tell the roots.
func (Mesh) RootResources() resource.Set { return resources.Roots }

// CompareRoots says which roots the workloads of which clusters trust, and who trusts whom.
func (Mesh) CompareRoots(fleet *facts.Fleet) view.Comparison { return certs.Compare(fleet) }

// Certificates are the CA certificates of a fleet.
func (Mesh) Certificates(fleet *facts.Fleet) view.Certificates { return certs.Certificates(fleet) }

// Rotation says who refuses whom after a change of CAs, until all proxies have renewed.
func (Mesh) Rotation(before, after *facts.Fleet) view.Rotation {
	return certs.Rotation(model.New(before, model.Options{}), model.New(after, model.Options{}))
}
