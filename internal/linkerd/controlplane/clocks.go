package controlplane

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
)

const (
	// renewed and late are how old the lease of a node may be that is ready: its kubelet renews it every ten seconds, and
	// may be late for up to 40.
	renewed, late = 10 * time.Second, 40 * time.Second
	// certain is from which difference on it is no matter of a lease that is late.
	certain = 2 * time.Minute
)

// clock is that of a node, when it last renewed its lease.
type clock struct {
	c    *model.Cluster
	node string
	at   time.Time
}

// clocks are those of the nodes that are ready, of all clusters that can be checked.
func clocks(p *pass) []clock {
	var out []clock
	for _, c := range model.Able(p) {
		ready := map[string]bool{}
		for _, n := range resources.Nodes.Of(c.Cluster).Value {
			ready[n.Name] = slices.ContainsFunc(n.Status.Conditions, func(k corev1.NodeCondition) bool {
				return k.Type == corev1.NodeReady && k.Status == corev1.ConditionTrue
			})
		}
		for _, l := range resources.NodeLeases.Of(c.Cluster).Value {
			if l.Spec.RenewTime != nil && ready[l.Name] {
				out = append(out, clock{c, l.Name, l.Spec.RenewTime.Time})
			}
		}
	}
	return out
}

// wrongClocks: the clock of a node is so far behind that new certificates are not yet valid for its proxies, or that of a
// node with linkerd-identity so far ahead that they are not for others. They are dated back by 20 seconds where the
// installation does not say otherwise (identity.issuer.clockSkewAllowance), and a proxy does not take its own one before
// it is valid (linkerd/meshtls/src/creds/store.rs of linkerd2-proxy). Kubernetes goes by when it saw a lease renewed, and
// not by what it says.
func wrongClocks(p *pass) {
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
		backDated := c.Values.BackDated()
		signers := map[string]bool{}
		for _, pod := range c.Component("identity") {
			signers[pod.Node] = true
		}
		for _, k := range all {
			by := k.at.Sub(middle)
			if k.c != c || by >= -(backDated+late) && (by <= backDated+renewed || !signers[k.node]) {
				continue
			}
			f := finding.Finding{
				Code: "CP114", Severity: finding.Warning, Clusters: []string{c.Context}, Object: finding.Named("node", k.node),
				Title:  fmt.Sprintf("the clock of node %s is behind", k.node),
				Effect: "new certificates are not yet valid for its proxies: pods that start there do not get ready, and connections fail",
				Fix: []finding.Step{finding.Say("Set the clock of the node, and see why its time service does not: chrony, or " +
					"systemd-timesyncd. What its clock says:").
					By(finding.Kubectl(c.Context, "-n", corev1.NamespaceNodeLease, "get", "lease", k.node, "-o", "yaml"))},
			}
			direction := "behind"
			if by > 0 {
				direction = "ahead of"
				f.Title = fmt.Sprintf("the clock of node %s with linkerd-identity is ahead", k.node)
				f.Effect = "certificates that it signs are not yet valid for proxies on other nodes: pods that start do not get ready"
			}
			if by.Abs() > certain {
				f.Severity = finding.Error
			}
			f.Evidence = []finding.Evidence{{
				Field: "node " + k.node + ", renewTime of its lease", Value: fmt.Sprintf("%s %s most nodes", finding.Age(by.Abs()), direction),
			}}
			p.Report(f)
		}
	}
}
