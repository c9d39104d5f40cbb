package kubernetes

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
)

// Clock is that of a node, when it last renewed its lease. Kubernetes goes by when it saw a lease renewed, and not by what
// the lease says, so that nothing else notices a clock that is wrong.
type Clock struct {
	Node string
	At   time.Time
}

// Clocks are those of the nodes of a cluster that are ready, by Nodes and Leases.
func Clocks(c *facts.Cluster) []Clock {
	ready := map[string]bool{}
	for _, n := range Nodes.Of(c).Value {
		ready[n.Name] = slices.ContainsFunc(n.Status.Conditions, func(k corev1.NodeCondition) bool {
			return k.Type == corev1.NodeReady && k.Status == corev1.ConditionTrue
		})
	}
	var out []Clock
	for _, l := range Leases.Of(c).Value {
		if l.Spec.RenewTime != nil && ready[l.Name] {
			out = append(out, Clock{l.Name, l.Spec.RenewTime.Time})
		}
	}
	return out
}

// MostClocks is what most of some clocks say; false for fewer than three, as of two nobody knows which one is right.
func MostClocks(all []Clock) (time.Time, bool) {
	if len(all) < 3 {
		return time.Time{}, false
	}
	sorted := slices.SortedFunc(slices.Values(all), func(a, b Clock) int { return a.At.Compare(b.At) })
	return sorted[len(sorted)/2].At, true
}
