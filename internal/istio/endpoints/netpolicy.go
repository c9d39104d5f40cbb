package endpoints

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// letsGatewaysIn: network policies of the pods let the gateway in through which requests of another
// network come. A policy that would keep the client out in the cluster of the pods too is meant, and
// whether anything enforces policies is not to be seen.
func (w *walk) letsGatewaysIn() Verdict {
	if w.from.Pod == "" || !w.read(w.to, resources.NetworkPolicies, "EP042") {
		return goesOn
	}
	client := w.source.Pod(cut(w.from.Pod))
	for _, p := range w.ports {
		for _, e := range p.via {
			for _, g := range w.gatewaysOf(e) {
				proxy := g.pod()
				if g.in != w.to || proxy == nil || proxy.HostNetwork || client == nil {
					continue // its connections have the address of the node, or come from another cluster
				}
				for _, b := range e.Behind {
					pod := w.to.Pod(cut(b.Pod))
					if b.Cluster != w.id || pod == nil || pod.HostNetwork {
						continue
					}
					if in, _ := w.to.AdmitsFrom(pod, int(b.Port), proxy.Namespace, proxy.Labels); in {
						return goesOn // some pods are enough to serve
					}
					if _, policy := w.to.AdmitsFrom(pod, int(b.Port), client.Namespace, client.Labels); policy != nil {
						w.warn(w.keepsGatewayOut(g, proxy, pod, policy))
					}
					return goesOn
				}
			}
		}
	}
	return goesOn
}

// pod is one that the Service selects; nil for none.
func (g gateway) pod() *facts.Pod {
	pods := g.in.PodsIn(g.service.Namespace)
	if i := slices.IndexFunc(pods, func(p *facts.Pod) bool { return covered(g.service.Spec.Selector, p.Labels) }); i >= 0 {
		return pods[i]
	}
	return nil
}

// keepsGatewayOut is the finding about a policy that lets clients of the own cluster in, and not the gateway
// by which those of other clusters come.
func (w *walk) keepsGatewayOut(g gateway, proxy, pod *facts.Pod, policy *networkingv1.NetworkPolicy) finding.Finding {
	object := finding.In("networkpolicy", policy.Namespace, policy.Name)
	return finding.Finding{
		Code: "EP042", Severity: finding.Warning, Clusters: []string{w.to.Context}, Object: object,
		Title: fmt.Sprintf("network policy %s admits clients of %s, and not the gateway of the others",
			key(policy.Namespace, policy.Name), w.to.Context),
		Evidence: []finding.Evidence{
			{Cluster: w.to.Context, Field: "pod that it selects", Value: key(pod.Namespace, pod.Name)},
			{Cluster: w.to.Context, Field: "pod of the gateway, which no policy lets in", Value: key(proxy.Namespace, proxy.Name)},
		},
		Effect: fmt.Sprintf("where the network plugin enforces network policies, requests from %s time out", w.source.Context),
		Fix: []finding.Step{finding.Say("Let the gateway in to the pods that it selects:").By(remedy.Apply(w.to.Context, map[string]any{
			"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
			"metadata": map[string]any{"name": policy.Name + "-from-gateway", "namespace": policy.Namespace},
			"spec": map[string]any{
				"podSelector": policy.Spec.PodSelector, "policyTypes": []string{"Ingress"},
				"ingress": []any{map[string]any{"from": []any{map[string]any{
					"namespaceSelector": map[string]any{"matchLabels": map[string]any{corev1.LabelMetadataName: proxy.Namespace}},
					"podSelector":       map[string]any{"matchLabels": g.service.Spec.Selector},
				}}}},
			},
		}))},
	}
}
