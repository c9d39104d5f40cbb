package remotesecrets

import (
	"cmp"
	"fmt"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// notAsked says why no control plane and no API server was asked.
func notAsked(m *model.Mesh) finding.Reason {
	return finding.Reason{Kind: finding.NotAsked, Text: m.Seen.NotAsked}
}

// sideUnknown says why nobody was asked about a remote secret; the zero Reason where
// somebody was.
func sideUnknown(m *model.Mesh, r *model.RemoteSecret) finding.Reason {
	if m.Seen.NotAsked != "" {
		return notAsked(m)
	}
	if !r.Sure() {
		nowhere := fmt.Sprintf(
			"no context of the fleet leads to cluster %s at %s",
			r.ClusterID,
			cmp.Or(r.Server, "an address that is not known"),
		)
		return cmp.Or(accountUnknown(m, r), finding.Because(nowhere))
	}
	if side := r.Side(); side.State != facts.OK {
		return rule.Unread("service accounts of "+r.To.Context, side.State, side.Why())
	}
	return finding.Reason{}
}

// accountUnknown says which cluster could not be asked for the service account by which it
// would be known that a remote secret leads there; the zero Reason where all were.
func accountUnknown(m *model.Mesh, r *model.RemoteSecret) finding.Reason {
	if r.Access.Token == nil || r.Access.Token.AccountUID == "" {
		return finding.Reason{}
	}
	for _, c := range m.Clusters {
		a, asked := m.Seen.Sides[c.Context].Value.Accounts[r.Identity]
		if asked && c != r.In && !a.UID.Known() {
			namespace, name, _ := istio.ServiceAccount(r.Identity)
			what := fmt.Sprintf(
				"whether the secret for %s leads to %s: serviceaccount %s/%s there",
				r.ClusterID,
				c.Context,
				namespace,
				name,
			)
			return rule.Unread(what, a.UID.State, a.UID.Why())
		}
	}
	return finding.Reason{}
}

// targetUnknown says why it is not known to which context a remote secret leads.
func targetUnknown(m *model.Mesh, r *model.RemoteSecret) finding.Reason {
	return cmp.Or(
		accountUnknown(m, r),
		finding.Because(fmt.Sprintf("it is unknown which context of the fleet leads to cluster %s", r.ClusterID)),
	)
}

// askedOnce is the reason where a difference was seen once, which may be a change under way.
func askedOnce(r *model.RemoteSecret) finding.Reason {
	return finding.Because("istiod was asked once only, and may be about to follow " + r.To.Context)
}

// answering are the replicas of a cluster's control planes that said which clusters they
// watch; of the others it is said why they did not.
func answering(p *pass, c *model.Cluster) []*model.IstiodReplica {
	asked := p.Model.Seen.Istiods[c.Context]
	switch {
	case p.Model.Seen.NotAsked != "":
		p.NotChecked(c.Context, notAsked(p.Model))
		return nil
	case asked.State != facts.OK:
		p.NotChecked(c.Context, rule.Unread("istiod", asked.State, asked.Why()))
		return nil
	case len(asked.Value) == 0:
		p.NotChecked(c.Context, finding.Because("no pod of istiod is running"))
		return nil
	}
	var out []*model.IstiodReplica
	for _, v := range c.IstiodReplicas() {
		if v.Known() {
			out = append(out, v)
		} else {
			p.NotChecked(c.Context, rule.Unread(v.Pod, v.Clusters.State, v.Clusters.Why()))
		}
	}
	return out
}

// answers reports whether a cluster has such replicas.
func answers(p *pass, c *model.Cluster) bool { return len(answering(p, c)) > 0 }
