package controlplane

import (
	"fmt"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
)

// hbone is the port at which ztunnel takes what ambient clients send to a pod.
const hbone = istio.HBONEPort

// keptOut: a network policy lets a port of ambient pods in, and not the one by which ambient clients
// come. Charts bring such policies along (https://istio.io/latest/docs/ambient/usage/networkpolicy/).
func keptOut(p pass) {
	for _, c := range clusters(p) {
		by := ambientPods(c)
		var all []*facts.Pod
		for _, pods := range by {
			all = append(all, pods...)
		}
		if len(all) < 2 {
			continue // nobody is there who calls them
		}
		blocked := map[*networkingv1.NetworkPolicy][]*facts.Pod{}
		var order []*networkingv1.NetworkPolicy
		for _, pod := range all {
			if admission, _ := c.Admits(pod, hbone); admission != model.FromNowhere {
				continue
			}
			// It is meant to be reached: a rule lets named ports in.
			for _, policy := range c.PoliciesOf(pod) {
				if ruleWithPorts(policy) < 0 {
					continue
				}
				if blocked[policy] == nil {
					order = append(order, policy)
				}
				blocked[policy] = append(blocked[policy], pod)
				break
			}
		}
		slices.SortFunc(order, func(a, b *networkingv1.NetworkPolicy) int {
			return slices.Compare([]string{a.Namespace, a.Name}, []string{b.Namespace, b.Name})
		})
		for _, policy := range order {
			pods, at := blocked[policy], ruleWithPorts(policy)
			p.Report(finding.Finding{
				Code:     "CP054",
				Severity: finding.Error,
				Clusters: []string{c.Context},
				Object:   finding.In("networkpolicy", policy.Namespace, policy.Name),
				Title:    fmt.Sprintf("the network policy keeps ambient clients out: it does not let port %d in", hbone),
				Evidence: append([]finding.Evidence{
					{
						Field: fmt.Sprintf("networkpolicy %s/%s, ports of ingress rule %d", policy.Namespace, policy.Name, at),
						Value: portsOf(policy.Spec.Ingress[at]),
					},
				}, evidenceOf(sharesOf(pods, all))...),
				Effect: "where the network plugin enforces network policies, requests of ambient clients to these pods time out",
				Fix: []finding.Step{finding.Say("Let it in from where the other ports are let in:").By(
					finding.Kubectl(c.Context, "-n", policy.Namespace, "patch", "networkpolicy/"+policy.Name, "--type=json", "-p",
						remedy.JSON([]any{
							map[string]any{
								"op":    "add",
								"path":  fmt.Sprintf("/spec/ingress/%d/ports/-", at),
								"value": map[string]any{"port": hbone, "protocol": "TCP"},
							},
						})))},
			})
		}
	}
}

// ruleWithPorts is the first rule of a policy that lets ports in by their numbers or names; -1 for none.
func ruleWithPorts(policy *networkingv1.NetworkPolicy) int {
	return slices.IndexFunc(policy.Spec.Ingress, func(r networkingv1.NetworkPolicyIngressRule) bool { return len(r.Ports) > 0 })
}

func portsOf(r networkingv1.NetworkPolicyIngressRule) string {
	var out []string
	for _, port := range r.Ports {
		if port.Port != nil {
			out = append(out, port.Port.String())
		}
	}
	return finding.List(out)
}
