package controlplane

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

const (
	// ahead and behind are how far the clock of a node may be from most others: its kubelet renews its
	// lease every ten seconds, and may be late for up to 40 until the node is not ready.
	ahead, behind = 30 * time.Second, time.Minute
	// backdated is by how much istiod dates certificates back: a clock that is further behind takes them
	// for not yet valid (security/pkg/pki/util/generate_cert.go, ClockSkewGracePeriod).
	backdated = 2 * time.Minute
)

// clock is that of a node, when it last renewed its lease.
type clock struct {
	c    *model.Cluster
	node string
	at   time.Time
}

// clocks are those of the nodes that are ready, of all clusters that were read.
func clocks(p pass) []clock {
	var out []clock
	for _, c := range model.Able(p) {
		ready := map[string]bool{}
		for _, n := range resources.Nodes.Of(c.Cluster).Value {
			ready[n.Name] = slices.ContainsFunc(n.Status.Conditions, func(k corev1.NodeCondition) bool {
				return k.Type == corev1.NodeReady && k.Status == corev1.ConditionTrue
			})
		}
		for _, l := range resources.Leases.Of(c.Cluster).Value {
			if l.Spec.RenewTime != nil && ready[l.Name] {
				out = append(out, clock{c, l.Name, l.Spec.RenewTime.Time})
			}
		}
	}
	return out
}

// clocksApart: the clock of a node is far from those of most nodes of the fleet. Nothing else notices:
// Kubernetes goes by when it saw a lease renewed, and not by what the lease says.
func clocksApart(p pass) {
	all := clocks(p)
	if len(all) < 3 {
		return // of two nobody knows which one is right
	}
	times := make([]time.Time, len(all))
	for i := range all {
		times[i] = all[i].at
	}
	slices.SortFunc(times, time.Time.Compare)
	middle := times[len(times)/2]
	for _, c := range model.Able(p) {
		f := finding.Finding{
			Code: "CP071", Severity: finding.Warning, Clusters: []string{c.Context}, Object: finding.Kind("clocks"),
			Effect: "a certificate of now is not yet valid for a clock that is more than 2 minutes behind: connections to its pods fail",
		}
		var off []string
		for _, k := range all {
			by := k.at.Sub(middle)
			if k.c != c || by <= ahead && by >= -behind {
				continue
			}
			direction := "ahead of"
			if by < 0 {
				by, direction = -by, "behind"
			}
			if by > backdated {
				f.Severity = finding.Error
			}
			if off = append(off, k.node); len(off) <= mostShares {
				f.Evidence = append(f.Evidence, finding.Evidence{
					Field: "node " + k.node + ", renewTime of its lease",
					Value: fmt.Sprintf("%s %s most nodes", finding.Age(by), direction),
				})
			}
		}
		if len(off) == 0 {
			continue
		}
		if n := len(off) - mostShares; n > 0 {
			f.Evidence = append(f.Evidence, finding.Evidence{Field: "further nodes", Value: fmt.Sprint(n)})
		}
		f.Title = "the clock of node " + off[0] + " is wrong"
		if len(off) > 1 {
			f.Title = fmt.Sprintf("the clocks of %d nodes are wrong", len(off))
		}
		f.Fix = []finding.Step{
			finding.Say("Set the clock of the node, and see why its time service does not: chrony, or systemd-timesyncd. What its clock says:").
				By(
					finding.Kubectl(c.Context, "-n", corev1.NamespaceNodeLease, "get", "lease", off[0], "-o", "yaml")),
		}
		p.Report(f)
	}
}
