package istiomesh

import (
	"context"
	"slices"
	"sync"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ask"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// followUp is what is read further of a cluster.
type followUp struct {
	// revisions are the mesh configs of further revisions, by the names of their ConfigMaps.
	revisions []string
	// proxies: a sample of the pods with a sidecar is wanted.
	proxies bool
	leads   istio.Leads
}

// FollowUps are the mesh configs of further revisions, samples of pods, and what the
// facts of the fleet lead to otherwise; nothing where no mesh config is read.
func (Mesh) FollowUps(fleet *facts.Fleet, rows resource.Set) map[string]mesh.FollowUp {
	if !rows.Has(resources.MeshConfigs) {
		return nil
	}
	var revisions []string
	for i := range fleet.Clusters {
		for _, istiod := range istio.Istiods(&fleet.Clusters[i]) {
			if name := istiod.MeshConfigMap(); name != istio.MeshConfigMap && !slices.Contains(revisions, name) {
				revisions = append(revisions, name)
			}
		}
	}
	leads := map[string]istio.Leads{}
	if rows.Has(resources.GatewayEvents) {
		leads = istio.LeadsOf(fleet)
	}
	out := map[string]mesh.FollowUp{}
	for i := range fleet.Clusters {
		c := &fleet.Clusters[i]
		l := leads[c.Context]
		l.Limited = l.Limited && rows.Has(resources.Usage)
		f := followUp{revisions, istio.WantsProxies(c), l}
		if c.Unreached == nil && (len(f.revisions) > 0 || f.proxies || !f.leads.None()) {
			out[c.Context] = f
		}
	}
	return out
}

// Read reads both kinds side by side.
func (f followUp) Read(ctx context.Context, cluster survey.Cluster, c *facts.Cluster) {
	deepened, followed := *c, *c
	var both sync.WaitGroup
	both.Go(func() { ask.Deepen(ctx, cluster, &deepened, f.revisions, f.proxies) })
	both.Go(func() { ask.Follow(ctx, cluster, &followed, f.leads) })
	both.Wait()
	for _, row := range ask.Followed {
		row.Copy(&deepened, &followed) // what they read has nothing in common
	}
	*c = deepened
}

// Fail notes that nothing further could be read.
func (f followUp) Fail(c *facts.Cluster, reason string) {
	if len(f.revisions) > 0 || f.proxies {
		resources.MeshConfigs.SetFailed(c, reason)
	}
	ask.Unfollowed(c, f.leads, reason)
}
