package controlplane

import (
	"fmt"
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

// clocksApart: the clock of a node is far from those of most nodes of the fleet. Nothing else notices:
// Kubernetes goes by when it saw a lease renewed, and not by what the lease says.
func clocksApart(p pass) {
	var all []resources.Clock
	for _, c := range model.Able(p) {
		all = append(all, resources.Clocks(c.Cluster)...)
	}
	middle, known := resources.MostClocks(all)
	if !known {
		return
	}
	for _, c := range model.Able(p) {
		f := finding.Finding{
			Code: "CP071", Severity: finding.Warning, Clusters: []string{c.Context}, Object: finding.Kind("clocks"),
			Effect: "a certificate of now is not yet valid for a clock that is more than 2 minutes behind: connections to its pods fail",
		}
		var off []string
		for _, k := range resources.Clocks(c.Cluster) {
			by := k.At.Sub(middle)
			if by <= ahead && by >= -behind {
				continue
			}
			direction := "ahead of"
			if by < 0 {
				by, direction = -by, "behind"
			}
			if by > backdated {
				f.Severity = finding.Error
			}
			if off = append(off, k.Node); len(off) <= mostShares {
				f.Evidence = append(f.Evidence, finding.Evidence{
					Field: "node " + k.Node + ", renewTime of its lease",
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
