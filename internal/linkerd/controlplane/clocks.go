package controlplane

import (
	"fmt"
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

// wrongClocks: the clock of a node is so far behind that new certificates are not yet valid for its proxies, or that of a
// node with linkerd-identity so far ahead that they are not for others. They are dated back by 20 seconds where the
// installation does not say otherwise (identity.issuer.clockSkewAllowance), and a proxy does not take its own one before
// it is valid (linkerd/meshtls/src/creds/store.rs of linkerd2-proxy). Kubernetes goes by when it saw a lease renewed, and
// not by what it says.
func wrongClocks(p *pass) {
	var all []resources.Clock
	for _, c := range model.Able(p) {
		all = append(all, resources.Clocks(c.Cluster)...)
	}
	middle, known := resources.MostClocks(all)
	if !known {
		return
	}
	for _, c := range model.Able(p) {
		backDated := c.Values.BackDated()
		signers := map[string]bool{}
		for _, pod := range c.Component("identity") {
			signers[pod.Node] = true
		}
		for _, k := range resources.Clocks(c.Cluster) {
			by := k.At.Sub(middle)
			if by >= -(backDated+late) && (by <= backDated+renewed || !signers[k.Node]) {
				continue
			}
			f := finding.Finding{
				Code: "CP114", Severity: finding.Warning, Clusters: []string{c.Context}, Object: finding.Named("node", k.Node),
				Title:  fmt.Sprintf("the clock of node %s is behind", k.Node),
				Effect: "new certificates are not yet valid for its proxies: pods that start there do not get ready, and connections fail",
				Fix: []finding.Step{finding.Say("Set the clock of the node, and see why its time service does not: chrony, or " +
					"systemd-timesyncd. What its clock says:").
					By(finding.Kubectl(c.Context, "-n", corev1.NamespaceNodeLease, "get", "lease", k.Node, "-o", "yaml"))},
			}
			direction := "behind"
			if by > 0 {
				direction = "ahead of"
				f.Title = fmt.Sprintf("the clock of node %s with linkerd-identity is ahead", k.Node)
				f.Effect = "certificates that it signs are not yet valid for proxies on other nodes: pods that start do not get ready"
			}
			if by.Abs() > certain {
				f.Severity = finding.Error
			}
			f.Evidence = []finding.Evidence{{
				Field: "node " + k.Node + ", renewTime of its lease", Value: fmt.Sprintf("%s %s most nodes", finding.Age(by.Abs()), direction),
			}}
			p.Report(f)
		}
	}
}
