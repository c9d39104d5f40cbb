package probing

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
)

// TellsNothing reports whether a trial says nothing of what it tried.
func (r Trial) TellsNothing() bool { return r.Result == NotTried || r.Doubtful }

// OfGateway are those of the addresses of a gateway that tell something; port 0 is any.
func (t Trials) OfGateway(g *model.Gateway, port int) Trials {
	return slices.DeleteFunc(slices.Clone(t), func(r Trial) bool {
		return r.Purpose != Requests || r.Cluster != g.Cluster.Context || r.Object != g.Object() ||
			port != 0 && int(r.Port) != port || r.TellsNothing()
	})
}

// Evidence shows those that tell something.
func (t Trials) Evidence() []finding.Evidence {
	var out []finding.Evidence
	for _, r := range t {
		if !r.TellsNothing() {
			out = append(out, finding.Evidence{Field: r.Seen(), Value: r.Says()})
		}
	}
	return out
}

// Seen names what was tried, and from where.
func (r Trial) Seen() string {
	if r.Purpose != Requests {
		return r.Where() + ", for " + r.Use() + ", from " + r.From
	}
	return r.Where() + ", from " + r.From
}

// Reason says what a trial that tells nothing was.
func (r Trial) Reason() finding.Reason { return finding.Because(r.Seen() + ": " + r.Says()) }

// Passed reports whether a workload's certificate came through: what is in between ends
// no TLS and puts nothing before it.
func (r Trial) Passed() bool { return r.Certificate != nil && r.Certificate.Identity != "" }

// Failed reports whether clients get nowhere.
func (r Trial) Failed() bool {
	return slices.Contains([]Verdict{Refused, TimedOut, Reset, NoRoute}, r.Result)
}

// Ranges is what was seen of a gateway with addresses in several ranges.
type Ranges struct {
	// Reached: all addresses are, from a pod of each other network.
	Reached bool
	// Split are trials of a pod of another network that reaches one address and not
	// another.
	Split Trials
}

// Ranges says what pods of other networks saw of the addresses of a gateway.
func (t Trials) Ranges(m *model.Mesh, g *model.Gateway, addresses []string) Ranges {
	trials := slices.DeleteFunc(t.OfGateway(g, 0), func(r Trial) bool { return !r.AsClient })
	by := map[string]Trials{} // by vantage
	for _, r := range trials {
		by[r.From] = append(by[r.From], r)
	}
	var out Ranges
	complete := map[string]bool{} // networks from which a pod reaches all addresses
	for _, r := range trials {
		of := by[r.From]
		missing := slices.ContainsFunc(addresses, func(a string) bool {
			return !slices.ContainsFunc(of, func(o Trial) bool { return o.Address == a && o.Passed() })
		})
		complete[r.PodNetwork] = complete[r.PodNetwork] || !missing
		if out.Split == nil && slices.ContainsFunc(of, Trial.Passed) && slices.ContainsFunc(of, Trial.Failed) {
			out.Split = of
		}
	}
	out.Reached = len(trials) > 0 && !slices.ContainsFunc(m.Networks(), func(n string) bool { return n != g.Network && !complete[n] })
	return out
}
