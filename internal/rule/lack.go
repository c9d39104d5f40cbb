package rule

import (
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// Lack is the reason why something is not known of a cluster: what is its name for
// people, in the plural. ok is false where it is known: it was read, or is not there.
func Lack[T any](what string, r facts.Read[T]) (reason finding.Reason, ok bool) {
	if r.Known() {
		return finding.Reason{}, false
	}
	return Unread(what, r.State, r.Why()), true
}

// Lacks is the reason why the first of some needs is not known of a cluster; false
// where all are.
func Lacks(c *facts.Cluster, needs ...Need) (finding.Reason, bool) {
	for _, need := range needs {
		state, why := need.State(c)
		if reason, lacks := Lack(need.String(), facts.Read[struct{}]{State: state, Reason: why}); lacks {
			return reason, true
		}
	}
	return finding.Reason{}, false
}

// Unread is the reason of a read that came to a state in which nothing is known.
func Unread(what string, state facts.State, why string) finding.Reason {
	kind := finding.NotRead
	switch state {
	case facts.Forbidden:
		kind = finding.Forbidden
	case facts.Failed:
		kind = finding.Failed
	default: // nobody asked
	}
	return finding.Reason{Kind: kind, Text: what + ": " + why}
}
