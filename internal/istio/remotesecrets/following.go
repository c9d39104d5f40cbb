package remotesecrets

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// followed are the remote secrets of a cluster for which it can be compared what istiod has
// of the cluster with what there is, with the replicas that answer.
func followed(p *pass, c *model.Cluster) ([]*model.RemoteSecret, []*model.IstiodReplica) {
	replicas := answering(p, c)
	if len(replicas) == 0 {
		return nil, nil
	}
	if why, doubt := c.MeshConfigDoubt(); doubt {
		p.NotChecked(c.Context, why)
		return nil, nil
	}
	var out []*model.RemoteSecret
	for _, r := range c.Used() {
		if r.Sure() {
			out = append(out, r)
		} else {
			p.NotChecked(c.Context, targetUnknown(p.Model, r))
		}
	}
	return out, replicas
}

// need says what was not read of the cluster to which a remote secret leads.
func need(p *pass, r *model.RemoteSecret, rows ...rule.Need) {
	for _, row := range rows {
		state, reason := row.State(r.To.Cluster)
		if why, lacks := rule.Lack(row.String()+" of "+r.To.Context, facts.Read[struct{}]{State: state, Reason: reason}); lacks {
			p.NotChecked(r.In.Context, why)
		}
	}
}

// staleEndpoints (SEC019): the endpoints that istiod has of a cluster are not those that
// the cluster has. That shows what istiod does not say: that it no longer follows it.
func staleEndpoints(p *pass) {
	for _, c := range watching(p) {
		secrets, replicas := followed(p, c)
		for _, r := range secrets {
			need(p, r, resources.EndpointSlices, resources.Services, resources.Namespaces)
			for _, v := range replicas {
				endpointsOf(p, v, r)
			}
		}
	}
}

func endpointsOf(p *pass, v *model.IstiodReplica, r *model.RemoteSecret) {
	if v.Shards.State != facts.OK {
		p.NotChecked(r.In.Context, rule.Unread(v.Pod, v.Shards.State, v.Shards.Why()))
		return
	}
	if state := v.StateOf(r); state == model.NotThere || state == model.Syncing {
		return // its state is a finding
	}
	d := r.Drift(v.Pod)
	switch {
	case !d.Any():
		return
	case !d.Twice:
		p.NotChecked(r.In.Context, askedOnce(r))
		return
	case d.CatchingUp:
		atWork := fmt.Sprintf("istiod is at work on the endpoints of %s: ask again when it has caught up with the other %d",
			r.To.Context, len(d.Missing)+len(d.Stale))
		p.NotChecked(r.In.Context, finding.Because(atWork))
		return
	}
	f := about(r, "SEC019", finding.Error, fmt.Sprintf("istiod does not have the endpoints that %s has", r.To.Context))
	f.Evidence = []finding.Evidence{saidBy(v, r)}
	if len(d.Missing) > 0 {
		missing := finding.Evidence{Cluster: r.To.Context, Field: "ready pods that it lacks", Value: some(texts(d.Missing), 3)}
		f.Evidence = append(f.Evidence, missing)
	}
	if len(d.Stale) > 0 {
		stale := finding.Evidence{Cluster: r.In.Context, Field: "pods that it still has", Value: some(texts(d.Stale), 3)}
		f.Evidence = append(f.Evidence, stale)
	}
	f.Effect = "requests go to pods that are gone, and none to new ones"
	f.CausedBy = cause(p, r, "SEC018", "SEC017", "SEC012", "SEC013", "SEC011", "SEC010", "SEC014", "SEC015")
	f.Fix = followAgain(v, "cluster "+r.ClusterID)
	p.Gather(f)
}

// untoldGateways (AMB014): istiod says that it watches a cluster, and does not tell ambient
// workloads of its gateways; see model.RemoteSecret.Untold.
func untoldGateways(p *pass) {
	for _, c := range watching(p) {
		if !c.TellsAmbientNetworks() {
			continue
		}
		secrets, replicas := followed(p, c)
		for _, r := range secrets {
			need(p, r, resources.KubernetesGateways, resources.Namespaces)
			for _, v := range replicas {
				if v.StateOf(r) == model.Synced { // else its state is a finding
					gatewaysOf(p, v, r)
				}
			}
		}
	}
}

func gatewaysOf(p *pass, v *model.IstiodReplica, r *model.RemoteSecret) {
	if v.Gateways.State != facts.OK {
		p.NotChecked(r.In.Context, rule.Unread(v.Pod, v.Gateways.State, v.Gateways.Why()))
		return
	}
	untold, twice := r.Untold(v)
	if len(untold) == 0 {
		return
	}
	if !twice {
		p.NotChecked(r.In.Context, askedOnce(r))
		return
	}
	var versions []string
	for _, i := range r.In.Installed() {
		versions = append(versions, i.Version.String())
	}
	f := about(r, "AMB014", finding.Error, fmt.Sprintf("istiod does not tell ambient workloads of the gateways of %s", r.To.Context))
	f.Evidence = []finding.Evidence{
		{Cluster: r.To.Context, Field: "gateways that it lacks", Value: some(texts(untold), 3)},
		saidBy(v, r),
		{Cluster: r.In.Context, Field: "istiod, version", Value: strings.Join(slices.Compact(versions), ", ")},
	}
	f.Effect = fmt.Sprintf("ambient workloads of %s get no endpoints of %s, or old ones", r.In.Context, r.To.Context)
	f.CausedBy = cause(p, r, "SEC018", "SEC012", "SEC013", "SEC011", "SEC010", "SEC014", "SEC019")
	f.Fix = followAgain(v, r.ClusterID)
	p.Gather(f)
}
