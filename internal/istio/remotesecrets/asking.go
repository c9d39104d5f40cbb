package remotesecrets

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/serverurl"
)

// Plan is what there is to ask after the survey.
type Plan struct {
	// Users are the service accounts to ask about, by context and user name, each with
	// the Secrets that its tokens are from.
	Users map[string]map[string][]string
	// Primaries are the contexts whose remote secrets and control planes there are to look into.
	Primaries []string
	// Ambient are those of them that tell ambient workloads of other networks.
	Ambient []string
	// Crossing are those of them whose clients need gateways to other networks.
	Crossing []string
}

// mostSecrets is how many Secrets of one service account are asked for.
const mostSecrets = 8

// NewPlan says what to ask of which cluster: about a service account those to which
// a remote secret with its token leads, or all where that is not known. The model is one of
// which nothing was asked yet.
func NewPlan(m *model.Mesh) Plan {
	p := Plan{Users: map[string]map[string][]string{}}
	for _, c := range m.Clusters {
		p.Users[c.Context] = map[string][]string{}
		if c.Primary() {
			p.Primaries = append(p.Primaries, c.Context)
		}
		if c.TellsAmbientNetworks() {
			p.Ambient = append(p.Ambient, c.Context)
		}
		if c.CrossesNetworks() {
			p.Crossing = append(p.Crossing, c.Context)
		}
	}
	for _, r := range m.RemoteSecrets {
		t := r.Access.Token
		if t == nil || r.PointsToSelf || r.Identity != t.Subject {
			continue
		}
		if _, _, ok := istio.ServiceAccount(t.Subject); !ok {
			continue
		}
		for _, c := range m.Clusters {
			if r.Origin == model.ByServer && r.To != nil && r.To != c {
				continue
			}
			secrets := p.Users[c.Context][t.Subject]
			if t.Secret != "" && !slices.Contains(secrets, t.Secret) && len(secrets) < mostSecrets {
				secrets = append(secrets, t.Secret)
			}
			p.Users[c.Context][t.Subject] = secrets
		}
	}
	return p
}

// Tokens are the remote secrets whose tokens the API server of a context may be shown, by
// context: that which the kubeconfig itself names, or which issued the token. The value
// says whether the address in the kubeconfig is that of the context. The model is one that
// has the answers to NewPlan.
func Tokens(m *model.Mesh) map[string]map[facts.SecretKey]bool {
	out := map[string]map[facts.SecretKey]bool{}
	for _, r := range m.RemoteSecrets {
		if !r.Sure() || r.PointsToSelf || r.Origin == model.ByConnecting {
			continue
		}
		if out[r.To.Context] == nil {
			out[r.To.Context] = map[facts.SecretKey]bool{}
		}
		out[r.To.Context][r.Key()] = serverurl.Same(r.To.Server, r.Server)
	}
	return out
}

// Servers are the addresses of the fleet's API servers.
func Servers(m *model.Mesh) []string {
	var out []string
	for i := range m.Fleet.Clusters {
		out = append(out, m.Fleet.Clusters[i].Server)
	}
	return out
}

// Doubtful reports whether what control planes say has to be looked at again, as it can be
// a change that is under way, and the contexts whose EndpointSlices that takes. The model
// is one that has the answers to NewPlan.
func Doubtful(m *model.Mesh) (contexts []string, doubtful bool) {
	for _, c := range m.Primaries() {
		for _, v := range c.IstiodReplicas() {
			for _, r := range c.Used() {
				doubtful = doubtful || mayBeUnderWay(v, r)
				if r.Sure() && !slices.Contains(contexts, r.To.Context) {
					contexts = append(contexts, r.To.Context)
				}
			}
			doubtful = doubtful || len(v.Left())+len(v.GatewayDrifts()) > 0
		}
		doubtful = doubtful || len(disagreements(c.IstiodReplicas())) > 0
	}
	return contexts, doubtful
}

// GatewaysDiffer reports whether some control plane does not have the gateways that clusters have, so that
// what makes gateways has to be read again too.
func GatewaysDiffer(m *model.Mesh) bool {
	return slices.ContainsFunc(m.Primaries(), func(c *model.Cluster) bool {
		return slices.ContainsFunc(c.IstiodReplicas(), func(v *model.IstiodReplica) bool { return len(v.GatewayDrifts()) > 0 })
	})
}

// mayBeUnderWay reports whether a replica differs from a cluster in what a moment later may
// be the same.
func mayBeUnderWay(v *model.IstiodReplica, r *model.RemoteSecret) bool {
	switch v.StateOf(r) {
	case model.Synced:
		untold, _ := r.Untold(v)
		return r.Drift(v.Pod).Any() || len(untold) > 0
	case model.TimedOut, model.Closed:
		return false
	}
	return v.Known()
}

// Unsure says, by the contexts of a control plane and of a cluster that it should watch and
// has no remote secret for, why it may have one after all.
func Unsure(m *model.Mesh) map[[2]string]string {
	out := map[[2]string]string{}
	for _, c := range m.Primaries() {
		for _, to := range m.Clusters {
			if w := m.Watch(c, to); w.Why == model.MayLeadThere {
				out[[2]string{c.Context, to.Context}] = w.String()
			}
		}
	}
	return out
}
