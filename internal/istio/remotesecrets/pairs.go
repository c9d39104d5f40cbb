package remotesecrets

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// words say in a few words why it stands with a cluster as it does.
var words = map[model.WatchReason]string{
	model.NoSecret: "no secret", model.SecretMisplaced: "secret in another namespace", model.SecretUnlabeled: "secret without label",
	model.LeadsElsewhere: "wrong key", model.NamedAsAnother: "wrong key", model.ProxiesRefused: "wrong key",
	model.NamedDifferently:   "wrong key",
	model.AddressUnreachable: "address not reachable", model.ServerUntrusted: "certificate not trusted",
	model.ThroughProxy:    "address of a proxy",
	model.ServerUnchecked: "certificate not checked", model.AccountInvalid: "service account or token gone",
	model.CredentialRefused: "credential refused", model.CredentialExpired: "credential expired",
	model.CredentialExpiresSoon: "credential expires soon", model.RightsMissing: "rights missing",
	model.ChangeNotPickedUp: "change not picked up", model.SaysTimeout: "timeout", model.SaysSyncing: "still syncing",
	model.SaysClosed:  "closed",
	model.SaysNothing: "istiod does not know it", model.EndpointsDiffer: "endpoints out of date",
	model.GatewaysUntold: "ambient gateways missing", model.ExternalControlPlane: "external control plane",
	model.MayLeadThere: "secret leads elsewhere or nowhere known", model.JustChanged: "just changed",
}

// ignoredWords do so for a remote secret that istiod ignores.
var ignoredWords = map[model.IgnoredCause]string{
	model.OwnID: "key is the own cluster ID", model.SameID: "cluster ID twice", model.Unusable: "kubeconfig unusable",
	model.NotAllowed: "authentication refused",
}

// pairOf is the cell of a control plane and of a column: a context, or the ID of a cluster
// that is not one of the fleet.
func pairOf(m *model.Mesh, c *model.Cluster, name string, n naming) Pair {
	p := Pair{Primary: c.Context, Cluster: name, Codes: []finding.Code{}}
	switch to := m.Cluster(name); {
	case name == c.Context:
		p.State = NotNeeded
	case !resources.RemoteSecrets.Of(c.Cluster).Known():
		p.State, p.Reason = NotKnown, "remote secrets "+resources.RemoteSecrets.Of(c.Cluster).Why()
	case c.SecretsElsewhere != nil:
		p.State, p.Reason = NotKnown, words[model.ExternalControlPlane]
	case to != nil:
		p.say(m, m.Watch(c, to))
		p.Codes = n.ofWatch(m.Watch(c, to))
	default:
		p.outOfFleet(m, c, n)
	}
	return p
}

// outOfFleet is for a column of a cluster of which nothing was read.
func (p *Pair) outOfFleet(m *model.Mesh, c *model.Cluster, n naming) {
	isUnreached := slices.ContainsFunc(m.Fleet.Clusters, func(o facts.Cluster) bool { return o.Context == p.Cluster })
	leads := func(r *model.RemoteSecret) bool { return r.Unreached != nil && r.Unreached.Context == p.Cluster }
	at := slices.IndexFunc(c.Remotes, leads)
	if at < 0 {
		at = slices.IndexFunc(c.Remotes, func(r *model.RemoteSecret) bool { return r.ClusterID == p.Cluster })
	}
	switch {
	case at >= 0:
		w := c.Remotes[at].Watch()
		p.say(m, w)
		p.Codes = n.ofWatch(w)
	case isUnreached:
		p.State, p.Reason = NotKnown, "not reached"
	default:
		p.State = NotNeeded
	}
}

// say puts how it stands into the cell.
func (p *Pair) say(m *model.Mesh, w model.Watch) {
	switch {
	case w.Status == model.NotExpected:
		p.State = NotNeeded
	case w.Status == model.IsIgnored:
		p.State, p.Reason = Broken, ignoredWords[w.Secret.Ignored.Cause]
	case w.Status.Broken():
		p.State, p.Reason = Broken, words[w.Why]
	case w.Why == model.WasNotRead:
		p.State, p.Reason = NotKnown, w.String()
	case w.Status == model.Unknown:
		p.State, p.Reason = NotKnown, words[w.Why]
	case w.Confirmed:
		p.State, p.Reason = Watches, words[w.Remark]
	case m.Seen.NotAsked != "":
		p.State, p.Reason = NotKnown, "secret is there, not tried"
	default:
		p.State, p.Reason = NotKnown, "nobody could be asked"
	}
}

// naming names the codes of what was found in the cells of the listing.
type naming struct{ found finding.Result }

// ofWatch are the codes of the findings about a control plane and a cluster, root causes first.
func (n naming) ofWatch(w model.Watch) []finding.Code {
	out := []finding.Code{}
	for _, f := range slices.Concat(n.found.RootCauses(), n.found.Findings) {
		if f.Clusters[0] == w.From.Context && n.isAbout(f, w) && !slices.Contains(out, f.Code) {
			out = append(out, f.Code)
		}
	}
	return out
}

func (n naming) isAbout(f finding.Finding, w model.Watch) bool {
	to := w.To != nil && slices.Contains(f.Clusters[1:], w.To.Context)
	secret := w.Secret
	if w.Status == model.Missing || w.Why == model.MayLeadThere {
		secret = nil
	}
	if secret == nil {
		isLoose := w.Loose != nil && f.Object == finding.In("secret", w.Loose.Namespace, w.Loose.Name)
		return to || isLoose && len(f.Clusters) == 1
	}
	ofSecret := f.Object == secret.Object()
	return to && (f.Object == finding.Object{} || ofSecret) || ofSecret && len(f.Clusters) < 2 || f.Object == clusterOf(secret)
}

// ofSecret are the codes of the findings about a remote secret.
func (n naming) ofSecret(r *model.RemoteSecret) []finding.Code {
	out := []finding.Code{}
	for _, f := range n.found.Findings {
		mine := f.Object == r.Object() && (len(f.Clusters) < 2 || r.To != nil && f.Clusters[1] == r.To.Context)
		if f.Clusters[0] == r.In.Context && (mine || f.Object == clusterOf(r)) && !slices.Contains(out, f.Code) {
			out = append(out, f.Code)
		}
	}
	return out
}

// clusterOf is what a finding is about that is about the cluster ID and not the Secret.
func clusterOf(r *model.RemoteSecret) finding.Object { return finding.Named("cluster", r.ClusterID) }
