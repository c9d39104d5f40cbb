package remotesecrets

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/serverurl"
)

// Plan is what there is to ask after the survey.
type Plan struct {
	// Users are the service accounts to ask about, by context and user name, each with
	// the Secrets that its tokens are from.
	Users map[string]map[string][]string
	// Primaries are the contexts whose remote secrets and control planes there are to look into.
	Primaries []string
	// Ambient are those of them that know of ambient mode across networks.
	Ambient []string
}

// NewPlan says what to ask of which cluster: about a service account those to which
// a remote secret with its token leads, or all where that is not known.
func NewPlan(fleet *facts.Fleet) Plan {
	w := newWorld(fleet, facts.Seen{})
	p := Plan{Users: map[string]map[string][]string{}}
	for _, m := range w.members {
		p.Users[m.Context] = map[string][]string{}
		if m.primary() {
			p.Primaries = append(p.Primaries, m.Context)
		}
		if m.ambient() {
			p.Ambient = append(p.Ambient, m.Context)
		}
	}
	for _, e := range w.entries {
		t := e.Access.Token
		if t == nil || e.selfish || e.Identity != t.Subject {
			continue
		}
		if _, _, ok := istio.ServiceAccount(t.Subject); !ok {
			continue
		}
		for _, m := range w.members {
			if e.from == ByServer && e.to != m {
				continue
			}
			secrets := p.Users[m.Context][t.Subject]
			if t.Secret != "" && !slices.Contains(secrets, t.Secret) && len(secrets) < 8 {
				secrets = append(secrets, t.Secret)
			}
			p.Users[m.Context][t.Subject] = secrets
		}
	}
	return p
}

// Tokens are the entries whose tokens the API server of a context may be shown, by
// context: that which the kubeconfig itself names, or which issued the token. The value
// says whether the address in the kubeconfig is that of the context.
func Tokens(fleet *facts.Fleet, seen facts.Seen) map[string]map[facts.SecretKey]bool {
	out := map[string]map[facts.SecretKey]bool{}
	for _, e := range newWorld(fleet, seen).entries {
		if !e.sure() || e.selfish || e.from == ByConnecting {
			continue
		}
		if out[e.to.Context] == nil {
			out[e.to.Context] = map[facts.SecretKey]bool{}
		}
		out[e.to.Context][e.key()] = serverurl.Same(e.to.Server, e.Server)
	}
	return out
}

// Servers are the addresses of the fleet's API servers.
func Servers(fleet *facts.Fleet) []string {
	var out []string
	for _, c := range fleet.Clusters {
		out = append(out, c.Server)
	}
	return out
}

// Doubtful reports whether what control planes say has to be looked at again, as it can be
// a change that is under way, and the contexts whose EndpointSlices that takes.
func Doubtful(fleet *facts.Fleet, seen facts.Seen) (contexts []string, doubtful bool) {
	w := newWorld(fleet, seen)
	now := w.look(seen)
	for _, m := range w.members {
		for _, v := range now[m] {
			for _, e := range m.entries {
				if e.ignored != (ignored{}) {
					continue
				}
				switch status := v.status(e); status {
				case synced:
					if v.drift(e).any() || len(v.unled(e)) > 0 {
						doubtful = true
					}
				case timeout, closed:
				default:
					doubtful = doubtful || v.known()
				}
				if e.sure() && !slices.Contains(contexts, e.to.Context) {
					contexts = append(contexts, e.to.Context)
				}
			}
			doubtful = doubtful || len(v.left(m)) > 0
		}
		doubtful = doubtful || len(disagreements(now[m])) > 0
	}
	return contexts, doubtful
}

// Unsure says, by the contexts of a control plane and of a cluster that it should read and
// has no remote secret for, why it may have one after all.
func Unsure(fleet *facts.Fleet, seen facts.Seen) map[[2]string]string {
	w := newWorld(fleet, seen)
	j, mesh, out := &judgement{world: w, fleet: fleet, seen: seen}, w.meshOf(), map[[2]string]string{}
	for _, m := range w.members {
		for _, to := range w.members {
			if j.expects(mesh, m, to) && m.reads(to) == nil {
				if e := j.mayLead(m, to); e != nil {
					out[[2]string{m.Context, to.Context}] = e.maybe(to)
				}
			}
		}
	}
	return out
}
