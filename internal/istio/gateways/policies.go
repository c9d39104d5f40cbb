package gateways

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// admission is from where network policies let connections to a port of a pod.
type admission int

const (
	anywhere admission = iota
	inside             // pods of the cluster alone
	nowhere
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
			if worst == anywhere {
				continue
			}
			f := g.finding("GW019", finding.Error, fmt.Sprintf("no network policy of the gateway's pods lets port %d in", target))
			f.Effect = "where the network plugin enforces network policies, connections from other networks time out"
			if worst == inside {
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
func (g gateway) admission(port int) (worst admission, blocking []string) {
	for _, p := range g.Pods {
		if p.HostNetwork || !p.IsReady() {
			continue // policies do not reach the former; the latter has another finding
		}
		if a, policies := admits(g.Cluster, p, port); a > worst {
			worst, blocking = a, policies
		}
	}
	return worst, blocking
}

// admits tells from where connections to a port of a pod are let in, and the policies
// that say it: what any of them allows is allowed.
func admits(c *model.Cluster, p *facts.Pod, port int) (admission, []string) {
	best, names := nowhere, []string(nil)
	for i := range resources.NetworkPolicies.Of(c.Cluster).Value {
		policy := &resources.NetworkPolicies.Of(c.Cluster).Value[i]
		selector, err := metav1.LabelSelectorAsSelector(&policy.Spec.PodSelector)
		if policy.Namespace != p.Namespace || err != nil || !selector.Matches(labels.Set(p.Labels)) || !restrictsIngress(policy) {
			continue
		}
		names = append(names, policy.Name)
		for _, rule := range policy.Spec.Ingress {
			if allowsPort(rule.Ports, port) {
				best = min(best, admitted(rule.From))
			}
		}
	}
	if len(names) == 0 {
		return anywhere, nil
	}
	return best, names
}

func restrictsIngress(p *networkingv1.NetworkPolicy) bool {
	return len(p.Spec.PolicyTypes) == 0 || slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeIngress)
}

// allowsPort takes a port that is written as a name for any: only the pod knows.
func allowsPort(ports []networkingv1.NetworkPolicyPort, port int) bool {
	return len(ports) == 0 || slices.ContainsFunc(ports, func(p networkingv1.NetworkPolicyPort) bool {
		switch {
		case p.Protocol != nil && *p.Protocol != corev1.ProtocolTCP:
			return false
		case p.Port == nil || p.Port.Type == intstr.String:
			return true
		case p.EndPort != nil:
			return p.Port.IntValue() <= port && port <= int(*p.EndPort)
		}
		return p.Port.IntValue() == port
	})
}

// admitted takes any range of addresses for that of the clients.
func admitted(from []networkingv1.NetworkPolicyPeer) admission {
	if len(from) == 0 || slices.ContainsFunc(from, func(p networkingv1.NetworkPolicyPeer) bool { return p.IPBlock != nil }) {
		return anywhere
	}
	return inside
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
