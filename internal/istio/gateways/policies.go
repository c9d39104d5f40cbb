package gateways

import (
	"fmt"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
)

// blockedByPolicies: network policies that select the gateway's pods do not let its ports
// in from outside of the cluster. Whether anything enforces them is the network plugin's
// affair, and not to be seen.
func blockedByPolicies(p pass) {
	for _, g := range intended(p) {
		for _, port := range g.Ports() {
			target, known := g.Target(port)
			if !known {
				continue
			}
			worst, blocking := g.admission(target)
			if worst == model.FromAnywhere {
				continue
			}
			f := g.finding("GW019", finding.Error, fmt.Sprintf("no network policy of the gateway's pods lets port %d in", target))
			f.Effect = "where the network plugin enforces network policies, connections from other networks time out"
			if worst == model.FromPods {
				f.Severity, f.Title = finding.Warning, fmt.Sprintf("network policies of the gateway's pods let port %d in from pods alone", target)
				f.Effect = "where the network plugin enforces network policies and sees the address of the client, connections from other " +
					"networks time out"
			}
			f.Evidence = []finding.Evidence{
				{Field: "network policies of the gateway's pods", Value: finding.List(blocking)},
				{Field: fmt.Sprintf("%s, targetPort of %d", g.Object(), port), Value: fmt.Sprint(target)},
			}
			f.Fix = []finding.Step{finding.Say("Let the port in:").By(g.allow(target))}
			p.Report(f)
			break
		}
	}
}

// admission is from where a port of the gateway's pods is let in, of the pod that lets in
// least, and the policies that say it.
func (g gateway) admission(port int) (worst model.Admission, blocking []string) {
	for _, p := range g.Pods {
		if p.HostNetwork || !p.IsReady() {
			continue // policies do not reach the former; the latter has another finding
		}
		if a, policies := g.Cluster.Admits(p, port); a > worst {
			worst, blocking = a, policies
		}
	}
	return worst, blocking
}

// allow is the command that lets a port of the gateway's pods in.
func (g gateway) allow(port int) finding.Command {
	return remedy.Apply(g.Cluster.Context, map[string]any{
		"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
		"metadata": map[string]any{"name": g.Service.Name + "-networks", "namespace": g.Service.Namespace},
		"spec": map[string]any{
			"podSelector": map[string]any{"matchLabels": g.Service.Spec.Selector}, "policyTypes": []string{"Ingress"},
			"ingress": []any{map[string]any{"ports": []any{map[string]any{"port": port, "protocol": "TCP"}}}},
		},
	})
}
