package model

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Admission is from where network policies let connections to a port of a pod. Whether anything
// enforces them is the network plugin's affair, and not to be seen.
type Admission int

// The admissions, the widest first.
const (
	FromAnywhere Admission = iota
	FromPods               // of the cluster alone
	FromNowhere
)

// PoliciesOf are the network policies that say what comes in to a pod.
func (c *Cluster) PoliciesOf(p *facts.Pod) []*networkingv1.NetworkPolicy {
	var out []*networkingv1.NetworkPolicy
	all := resources.NetworkPolicies.Of(c.Cluster).Value
	for i := range all {
		selector, err := metav1.LabelSelectorAsSelector(&all[i].Spec.PodSelector)
		if all[i].Namespace == p.Namespace && err == nil && selector.Matches(labels.Set(p.Labels)) && restrictsIngress(&all[i]) {
			out = append(out, &all[i])
		}
	}
	return out
}

// Admits tells from where connections to a port of a pod are let in, and the policies that say
// it: what any of them allows is allowed.
func (c *Cluster) Admits(p *facts.Pod, port int) (Admission, []string) {
	best, names := FromNowhere, []string(nil)
	for _, policy := range c.PoliciesOf(p) {
		names = append(names, policy.Name)
		for _, rule := range policy.Spec.Ingress {
			if AllowsPort(rule.Ports, port) {
				best = min(best, admitted(rule.From))
			}
		}
	}
	if len(names) == 0 {
		return FromAnywhere, nil
	}
	return best, names
}

// AdmitsFrom reports whether network policies let connections to a port of a pod in that come from a pod of
// the cluster with some labels, and by which policy; nil where no policy selects the pod. Ranges of addresses
// are taken to have that of the client.
func (c *Cluster) AdmitsFrom(p *facts.Pod, port int, namespace string, podLabels map[string]string) (bool, *networkingv1.NetworkPolicy) {
	policies := c.PoliciesOf(p)
	for _, policy := range policies {
		for _, rule := range policy.Spec.Ingress {
			is := func(peer networkingv1.NetworkPolicyPeer) bool { return c.isPeer(policy, peer, namespace, podLabels) }
			if AllowsPort(rule.Ports, port) && (len(rule.From) == 0 || slices.ContainsFunc(rule.From, is)) {
				return true, policy
			}
		}
	}
	return len(policies) == 0, nil
}

func (c *Cluster) isPeer(
	policy *networkingv1.NetworkPolicy, peer networkingv1.NetworkPolicyPeer, namespace string, podLabels map[string]string,
) bool {
	matches := func(s *metav1.LabelSelector, of map[string]string) bool {
		selector, err := metav1.LabelSelectorAsSelector(s)
		return err != nil || selector.Matches(labels.Set(of))
	}
	of := maps.Clone(c.NamespaceLabels(namespace))
	if of == nil {
		of = map[string]string{}
	}
	of[corev1.LabelMetadataName] = namespace // the API server sets it
	switch {
	case peer.IPBlock != nil:
		return true
	case peer.NamespaceSelector == nil && namespace != policy.Namespace,
		peer.NamespaceSelector != nil && !matches(peer.NamespaceSelector, of):
		return false
	}
	return peer.PodSelector == nil || matches(peer.PodSelector, podLabels)
}

func restrictsIngress(p *networkingv1.NetworkPolicy) bool {
	return len(p.Spec.PolicyTypes) == 0 || slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeIngress)
}

// AllowsPort reports whether a rule of a policy is for a port. One that is written as a name is
// taken for any: only the pod knows.
func AllowsPort(ports []networkingv1.NetworkPolicyPort, port int) bool {
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
func admitted(from []networkingv1.NetworkPolicyPeer) Admission {
	if len(from) == 0 || slices.ContainsFunc(from, func(p networkingv1.NetworkPolicyPeer) bool { return p.IPBlock != nil }) {
		return FromAnywhere
	}
	return FromPods
}
