package network

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// trialsOf are those of the addresses of a gateway that tell something; port 0 is any.
func (j *judgement) trialsOf(g *gateway, port int) []Trial {
	return slices.DeleteFunc(slices.Clone(j.Trials), func(t Trial) bool {
		return t.Purpose != Requests || t.Cluster != g.member.Context || t.Object != g.object() || port != 0 && int(t.Port) != port ||
			t.Result == NotTried || t.doubtful
	})
}

// evidenceOfTrials shows attempts, those that tell something.
func evidenceOfTrials(trials []Trial) []finding.Evidence {
	var out []finding.Evidence
	for _, t := range trials {
		if t.Result == NotTried || t.doubtful {
			continue
		}
		out = append(out, finding.Evidence{Field: t.seen(), Value: t.Says()})
	}
	return out
}

// passed reports whether a workload's certificate came through: what is in between ends
// no TLS and puts nothing before it.
func (r Trial) passed() bool { return r.Certificate != nil && r.Certificate.Identity != "" }

// failed reports whether clients get nowhere.
func (r Trial) failed() bool {
	return slices.Contains([]Verdict{Refused, TimedOut, Reset, NoRoute}, r.Result)
}

// ranges is what was seen of a gateway with addresses in several ranges.
type ranges struct {
	// reached: all addresses are, from a pod of each other network.
	reached bool
	// split are attempts of a pod of another network that reaches one address and not
	// another.
	split []Trial
}

func (j *judgement) rangesSeen(g *gateway, addresses []string) ranges {
	trials := slices.DeleteFunc(j.trialsOf(g, 0), func(t Trial) bool { return !t.elsewhere })
	by := map[string][]Trial{} // by vantage
	complete := map[string]bool{}
	var out ranges
	for _, t := range trials {
		by[t.From] = append(by[t.From], t)
	}
	for _, t := range trials {
		of := by[t.From]
		if complete[t.network] = complete[t.network] || !slices.ContainsFunc(addresses, func(a string) bool {
			return !slices.ContainsFunc(of, func(t Trial) bool { return t.Address == a && t.passed() })
		}); out.split == nil && slices.ContainsFunc(of, Trial.passed) && slices.ContainsFunc(of, Trial.failed) {
			out.split = of
		}
	}
	out.reached = len(trials) > 0 && !slices.ContainsFunc(j.networks, func(n string) bool { return n != g.network && !complete[n] })
	return out
}
