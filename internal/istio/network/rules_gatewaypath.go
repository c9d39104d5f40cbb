package network

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// ports are those of its Service to which other networks connect.
func (g *gateway) ports() []int {
	var out []int
	for _, port := range []int{g.port(), istio.HBONEPort} {
		if g.has(port) && !slices.Contains(out, port) {
			out = append(out, port)
		}
	}
	return out
}

// judgeLoadBalancer: what comes from other networks is mutual TLS from the first
// byte to the pod that is meant, and has to pass the load balancer as it is.
func judgeLoadBalancer(j *judgement, members []*member) {
	for _, g := range j.meant(members) {
		var evidence []finding.Evidence
		var annotations []string
		for _, port := range g.ports() {
			trials := j.trialsOf(g, port)
			passed := slices.ContainsFunc(trials, Trial.passed) && !slices.ContainsFunc(trials, func(t Trial) bool { return !t.passed() })
			for _, m := range istio.Meddles(g.service, port) {
				if passed || slices.Contains(annotations, m.Annotation) {
					continue // what it says it does not do
				}
				if m.Header {
					switch {
					case g.takesHeader():
					case j.resets(g, m.Annotation, m.Value, trials):
					default:
						j.NotChecked(g.member.Context, finding.Because(fmt.Sprintf("annotation %s of %s puts a header before each connection; "+
							"whether the gateway's pods take it, which an EnvoyFilter can make them do, is not read", m.Annotation, g.object())), "GW014")
					}
					continue
				}
				annotations = append(annotations, m.Annotation)
				evidence = append(evidence, g.annotation(m.Annotation, orNone(m.Value)))
			}
		}
		if len(evidence) == 0 {
			continue
		}
		f := g.finding("GW014", finding.Error, "the load balancer of the gateway ends TLS or speaks HTTP itself")
		f.Evidence = evidence
		f.Effect = fmt.Sprintf("clients on other networks do not get to the certificates of %s: their connections to it fail in the TLS handshake", g.network)
		pass := finding.Say("Make the load balancer pass the gateway's ports through as TCP:")
		for _, a := range annotations {
			pass = pass.By(g.kubectl("annotate", a+"-"))
		}
		f.Fix = []finding.Step{pass}
		j.Add(f)
	}
}

// resets finds a gateway behind a load balancer that puts a header before connections,
// all of which are reset, for no other reason that was found.
func (j *judgement) resets(g *gateway, annotation, value string, trials []Trial) bool {
	if len(trials) == 0 || slices.ContainsFunc(trials, func(t Trial) bool { return t.Result != Reset }) ||
		j.of(g.member.Context, g.object(), "GW010", "GW011", "GW012", "GW019") != "" {
		return false
	}
	f := g.finding("GW014", finding.Warning, "the gateway resets connections, before which its load balancer puts a header")
	if slices.ContainsFunc(trials, func(t Trial) bool { return t.elsewhere }) {
		f.Severity = finding.Error
	}
	f.Evidence = append([]finding.Evidence{g.annotation(annotation, orNone(value))}, evidenceOfTrials(trials)...)
	f.Effect = fmt.Sprintf("clients on other networks do not get to %s: the gateway takes the header for the beginning of TLS", g.network)
	f.Fix = []finding.Step{
		finding.Say("Make the load balancer pass the gateway's ports through as TCP:").By(g.kubectl("annotate", annotation+"-")),
		finding.Say("Or tell the gateway's pods of the header: gatewayTopology.proxyProtocol in their proxy config."),
	}
	j.Add(f)
	return true
}

// takesHeader reports whether all pods of the gateway were told that a load balancer
// puts a header before connections.
func (g *gateway) takesHeader() bool {
	return len(g.pods) > 0 && !slices.ContainsFunc(g.pods, func(p *facts.Pod) bool {
		config, known := istio.ProxyConfigOf(p)
		return !known || config.GatewayTopology == nil || config.GatewayTopology.ProxyProtocol == nil
	})
}

// judgeExternalIPs: of a NodePort Service with the annotation and externalIPs istiod
// announces the latter, with the port of the nodes
// (pilot/pkg/serviceregistry/kube/controller/network.go, extractGatewaysInner).
func judgeExternalIPs(j *judgement, members []*member) {
	for _, g := range j.meant(members) {
		s := g.service
		_, annotated := s.Annotations[istio.AnnotationNodeSelector]
		if s.Spec.Type != corev1.ServiceTypeNodePort || !annotated || len(s.Spec.ExternalIPs) == 0 {
			continue
		}
		var strange []string
		for _, ip := range s.Spec.ExternalIPs {
			if !slices.ContainsFunc(resources.Nodes.Of(g.member.Cluster).Value, func(n corev1.Node) bool {
				return slices.ContainsFunc(n.Status.Addresses, func(a corev1.NodeAddress) bool { return a.Address == ip })
			}) {
				strange = append(strange, ip)
			}
		}
		at := slices.IndexFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return int(p.Port) == g.port() })
		if len(strange) == 0 || at < 0 || int(s.Spec.Ports[at].NodePort) == g.port() {
			continue
		}
		f := g.finding("GW035", finding.Warning, "the gateway's externalIPs are announced with the port of the nodes")
		f.Evidence = []finding.Evidence{
			{Field: g.at("externalIPs that no node has"), Value: strings.Join(strange, ", ")},
			g.annotation(istio.AnnotationNodeSelector, cmp.Or(s.Annotations[istio.AnnotationNodeSelector], "empty")),
			{Field: "announced port", Value: fmt.Sprintf("%d, the nodePort of %d", s.Spec.Ports[at].NodePort, g.port())},
		}
		f.Effect = fmt.Sprintf("clients connect to port %d of addresses at which Kubernetes serves port %d: they are refused unless something there forwards it", s.Spec.Ports[at].NodePort, g.port())
		f.Fix = []finding.Step{
			finding.Say("Remove the annotation, so that istiod advertises the port of the Service:").
				By(g.kubectl("annotate", istio.AnnotationNodeSelector+"-")),
		}
		j.Add(f)
	}
}

// admission is from where network policies let connections to a port of a pod.
type admission int

const (
	anywhere admission = iota
	inside             // pods of the cluster alone
	nowhere
)

// judgePolicies: network policies that select the gateway's pods have to let its
// ports in from outside of the cluster. Whether anything enforces them is the
// network plugin's affair, and not to be seen.
func judgePolicies(j *judgement, members []*member) {
	for _, g := range j.meant(members) {
		for _, port := range g.ports() {
			target, known := g.target(port)
			if !known {
				continue
			}
			worst, blocking := anywhere, []string(nil)
			for _, p := range g.pods {
				if p.HostNetwork || !p.IsReady() {
					continue // policies do not reach the former; the latter has another finding
				}
				if a, policies := g.member.admits(p, target); a > worst {
					worst, blocking = a, policies
				}
			}
			if worst == anywhere {
				continue
			}
			f := g.finding("GW019", finding.Error, fmt.Sprintf("no network policy of the gateway's pods lets port %d in", target))
			f.Effect = "where the network plugin enforces network policies, connections from other networks time out"
			if worst == inside {
				f.Severity, f.Title = finding.Warning, fmt.Sprintf("network policies of the gateway's pods let port %d in from pods alone", target)
				f.Effect = "where the network plugin enforces network policies and sees the address of the client, connections from other networks time out"
			}
			f.Evidence = []finding.Evidence{
				{Field: "network policies of the gateway's pods", Value: finding.List(blocking)},
				{Field: fmt.Sprintf("%s, targetPort of %d", g.object(), port), Value: fmt.Sprint(target)},
			}
			f.Fix = []finding.Step{finding.Say("Let the port in:").By(g.allow(target))}
			j.Add(f)
			break
		}
	}
}

// target is the port of the pods to which a port of the Service leads; false where
// only the pods can tell.
func (g *gateway) target(port int) (int, bool) {
	for _, p := range g.service.Spec.Ports {
		if int(p.Port) != port {
			continue
		}
		switch {
		case p.TargetPort.Type == intstr.String && p.TargetPort.StrVal != "":
			return 0, false
		case p.TargetPort.IntValue() == 0:
			return port, true
		}
		return p.TargetPort.IntValue(), true
	}
	return 0, false
}

// admits tells from where connections to a port of a pod are let in, and the
// policies that say it: what any of them allows is allowed.
func (m *member) admits(p *facts.Pod, port int) (admission, []string) {
	best, names := nowhere, []string(nil)
	for i := range resources.NetworkPolicies.Of(m.Cluster).Value {
		policy := &resources.NetworkPolicies.Of(m.Cluster).Value[i]
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
func (g *gateway) allow(port int) finding.Command {
	return apply(g.member.Context, map[string]any{
		"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
		"metadata": map[string]any{"name": g.service.Name + "-networks", "namespace": g.service.Namespace},
		"spec": map[string]any{
			"podSelector": map[string]any{"matchLabels": g.service.Spec.Selector}, "policyTypes": []string{"Ingress"},
			"ingress": []any{map[string]any{"ports": []any{map[string]any{"port": port, "protocol": "TCP"}}}},
		},
	})
}
