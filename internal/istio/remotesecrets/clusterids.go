package remotesecrets

import (
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
)

// ownClusterIDs (SEC006): istiod ignores a secret whose key is the ID of its own cluster.
func ownClusterIDs(p *pass) {
	for _, r := range all(p) {
		if !r.In.IsOwnID(r.ClusterID) || r.PointsToSelf {
			continue
		}
		f := about(r, "SEC006", finding.Error, fmt.Sprintf("a remote secret is for cluster ID %s, which is the control plane's own", r.ClusterID))
		f.Evidence = []finding.Evidence{serverOf(r), {Cluster: r.In.Context, Field: "istiod, " + istio.EnvClusterID, Value: r.ClusterID}}
		f.Effect = unwatchedEffect(r.In, nameOf(r))
		if r.To != nil && r.To.ID != "" && r.To.ID != r.ClusterID {
			f.Fix = append([]finding.Step{
				creating(r.In, r.To, r.To.ID, "Create the remote secret for %s with its own cluster ID:", r.To.Context),
			}, remove(r, []string{r.To.ID}, "Careful: this removes the one with the wrong cluster ID. istiod ignores it, so no traffic stops:")...)
		} else {
			f.Fix = ownIDs()
		}
		p.Gather(f)
	}
}

// ownIDs are the steps that tell apart two clusters of one ID.
func ownIDs() []finding.Step {
	return []finding.Step{
		finding.Say("Give each cluster an ID of its own: set global.multiCluster.clusterName in the values of its installation."),
		finding.Say("Then restart istiod and its workloads, and recreate the remote secrets."),
	}
}

// sharedClusterIDs (SEC005): of several secrets for one ID istiod uses the first that it sees.
func sharedClusterIDs(p *pass) {
	for _, c := range watching(p) {
		for i, r := range c.Remotes {
			first := slices.IndexFunc(c.Remotes[:i], func(o *model.RemoteSecret) bool {
				return o.ClusterID == r.ClusterID && o.Invalid == "" && r.Invalid == ""
			})
			if first >= 0 && !c.IsOwnID(r.ClusterID) {
				p.Gather(sharedID(c.Remotes[first], r))
			}
		}
	}
}

func sharedID(first, r *model.RemoteSecret) finding.Finding {
	severity, effect := finding.Error, "which of them istiod uses can change with each restart"
	if first.To != nil && first.To == r.To {
		severity, effect = finding.Warning, "both lead to "+r.To.Context+"; which credential istiod uses can change with each restart"
	}
	f := about(r, "SEC005", severity, fmt.Sprintf("two remote secrets are for cluster ID %s", r.ClusterID))
	f.Evidence = []finding.Evidence{serverOf(first), serverOf(r)}
	f.Effect = effect
	f.Fix = append(remove(r, nil, "Careful: if istiod uses this one of the two, requests from %s to %s stop. Remove one and keep the other:",
		r.In.Context, nameOf(r)),
		finding.Say("If istiod used the one that you removed, restart it: it does not look again at a secret that it has ignored:").
			By(restarts(r.In)...))
	return f
}

// clustersWatchedTwice (SEC007): istiod watches one cluster under two names, or its own,
// and sends twice as much there. It does not notice.
func clustersWatchedTwice(p *pass) {
	for _, c := range watching(p) {
		for _, to := range p.Model.Clusters {
			watchedTwice(p, c, to)
		}
	}
}

func watchedTwice(p *pass, c, to *model.Cluster) {
	var names []string
	var evidence []finding.Evidence
	var good, surplus []*model.RemoteSecret
	for _, r := range c.Used() {
		if !r.Sure() || r.To != to {
			continue
		}
		if other := p.Model.Named(r.ClusterID); other != nil && other != to {
			continue // SEC004 says that it leads to the wrong one
		}
		if to != c && (r.ClusterID == to.ID || to.IsOwnID(r.ClusterID)) {
			good = append(good, r)
		} else {
			surplus = append(surplus, r)
		}
		names, evidence = append(names, r.ClusterID), append(evidence, serverOf(r))
	}
	switch {
	case to == c && len(surplus) > 0:
		own := c.Installed()[0].ClusterID()
		names = append(names, own)
		evidence = append(evidence, finding.Evidence{Cluster: c.Context, Field: "istiod, " + istio.EnvClusterID, Value: own})
	case len(names) < 2:
		return
	case len(good) == 0:
		surplus = surplus[1:]
	}
	for _, r := range surplus {
		f := about(r, "SEC007", finding.Error, fmt.Sprintf("istiod watches %s several times, as %s", to.Context, some(names, 4)))
		leads := finding.Evidence{Cluster: c.Context, Field: "all of them lead to", Value: to.Context + ", by its " + string(r.Origin)}
		f.Evidence = append(slices.Clone(evidence), leads)
		f.Effect = "its endpoints are there more than once: it gets more than its share of the traffic, and rules by cluster go wrong"
		f.Fix = remove(r, nil,
			"Careful: istiod drops the endpoints that it has as of cluster %s. It keeps watching %s under its other name. Remove this one:",
			r.ClusterID, to.Context)
		p.Gather(f)
	}
}

// misnamedClusters (SEC004): the data key is not the ID of the cluster to which the
// remote secret leads; see model.Misnaming.
func misnamedClusters(p *pass) {
	for _, r := range all(p) {
		misnaming := r.Misnamed()
		if misnaming == "" || misnaming == model.SharedID && ignoresOwnID(r.To) {
			continue
		}
		f := about(r, "SEC004", finding.Warning, fmt.Sprintf("a remote secret calls %s by another name than its own", r.To.Context))
		f.Effect = "metrics, localities and rules by cluster have the wrong name for it"
		f.Evidence = []finding.Evidence{
			serverOf(r), {Cluster: r.To.Context, Field: "cluster ID", Value: r.To.ID},
			{Cluster: r.In.Context, Field: "leads to", Value: r.To.Context + ", by its " + string(r.Origin)},
		}
		f.Fix = append([]finding.Step{
			creating(r.In, r.To, r.To.ID, "Create the remote secret for %s with its own cluster ID:", r.To.Context),
		}, remove(r, []string{r.To.ID},
			"Careful: if istiod does not watch %s by the new secret yet, requests from %s to it stop. Remove the wrong cluster ID:",
			r.To.Context, r.In.Context)...)
		f.Fix = append(renameRegistry(r), f.Fix...)
		switch misnaming {
		case model.OtherCluster:
			other := r.Named()
			f.Severity, f.Title = finding.Error, fmt.Sprintf("a remote secret for cluster %s leads to %s", r.ClusterID, r.To.Context)
			f.Effect = unwatchedEffect(r.In, other.Context) + "; those of " + r.To.Context + " are taken for its"
			f.Clusters = append(f.Clusters, other.Context)
			f.Fix = redirect(r, other)
		case model.RefusesProxies:
			f.Severity = finding.Error
			f.Effect = "proxies of " + r.To.Context + " get no certificates: istiod does not know the cluster that they say they are in"
		case model.SharedID:
			f.Title = fmt.Sprintf("%s has the cluster ID of %s", r.To.Context, r.In.Context)
			f.Effect = "proxies of both say that they are in one cluster: metrics, localities and rules by cluster do not distinguish them"
			f.Fix = ownIDs()
		case model.OtherName: // as above
		}
		p.Gather(f)
	}
}

// ignoresOwnID reports whether a cluster has a remote secret for its own ID, as SEC006 says.
func ignoresOwnID(c *model.Cluster) bool {
	return slices.ContainsFunc(c.Remotes, func(r *model.RemoteSecret) bool { return c.IsOwnID(r.ClusterID) && r.Invalid == "" })
}

// renameRegistry are the steps that have meshNetworks name a cluster by its own ID before
// its remote secret does; none where they do not name it by the ID that it has.
func renameRegistry(r *model.RemoteSecret) []finding.Step {
	var out []finding.Step
	for _, cp := range r.In.ControlPlanes {
		for _, n := range cp.MeshNetworks.Networks {
			if slices.ContainsFunc(n.Endpoints, func(e istio.NetworkEndpoints) bool { return e.FromRegistry == r.ClusterID }) {
				out = append(out, finding.Say("First name the cluster in meshNetworks by its own ID as well: add fromRegistry %s where %s is:",
					r.To.ID, r.ClusterID).By(remedy.EditMeshConfig(cp.Context, cp.Istiod)))
			}
		}
	}
	return out
}

// redirect are the steps that make a cluster ID lead to its own cluster instead of another.
func redirect(r *model.RemoteSecret, to *model.Cluster) []finding.Step {
	var out []finding.Step
	var created []string
	if r.In.SecretFor(r.To) == r {
		out = append(out, creating(r.In, r.To, r.To.ID, "Create a remote secret for %s, which this one leads to:", r.To.Context))
		created = append(created, r.To.ID)
	}
	if isSecretFor(r, r.ClusterID) || r.Owner.WritesAgain() {
		return append(out, replace(r, creating(r.In, to, r.ClusterID,
			"Careful: requests for %s that go to %s by mistake stop. Recreate the remote secret in its place:", to.Context, r.To.Context))...)
	}
	// This one has to go first: istiod ignores a second secret for a cluster ID, and does not
	// look at it again when the first is gone.
	out = append(
		out,
		remove(r, created, "Careful: requests for %s that go to %s by mistake stop. Remove this one:", to.Context, r.To.Context)...)
	return append(out,
		creating(r.In, to, r.ClusterID, "Then create the remote secret that leads to %s:", to.Context))
}
