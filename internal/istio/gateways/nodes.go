package gateways

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// selecting is a gateway by node ports, with the nodes that its annotation selects.
type selecting struct {
	gateway
	model.Selection
	annotation finding.Evidence
}

func selections(p pass) []selecting {
	var out []selecting
	for _, g := range needsAddress(p) {
		if s, ok := g.Selection(); ok {
			text, _ := g.NodeSelector()
			out = append(out, selecting{g, s, g.annotation(istio.AnnotationNodeSelector, cmp.Or(text, "empty"))})
		}
	}
	return out
}

// noNodeSelected: the annotation of a gateway by node ports selects no node, or is not JSON
// and selects all.
func noNodeSelected(p pass) {
	for _, s := range selections(p) {
		if len(s.Nodes) > 0 && !s.Invalid {
			continue
		}
		f := s.finding("GW006", s.severity(), "no node has the labels that the gateway's annotation asks for")
		f.Evidence = []finding.Evidence{s.annotation, {Field: "nodes", Value: fmt.Sprintf("%d, none of them selected", s.All)}}
		f.Effect = s.lost()
		if s.Invalid && len(s.Nodes) > 0 {
			f.Severity, f.Title = finding.Warning, "the gateway's annotation that selects nodes is not JSON, and selects all"
			f.Evidence[1].Value = fmt.Sprintf("%d of %d selected", len(s.Nodes), s.All)
			f.Effect = "istiod advertises nodes that are not meant to be gateways"
		}
		f.Fix = s.selectNodes("Select nodes that exist; {} selects all:")
		p.Report(f)
	}
}

// noExternalIP: no node that the annotation of a gateway selects has an ExternalIP.
func noExternalIP(p pass) {
	for _, s := range selections(p) {
		if len(s.Nodes) == 0 || len(s.External) > 0 {
			continue
		}
		f := s.finding("GW005", s.severity(), "no node of the gateway has an ExternalIP")
		f.Evidence = []finding.Evidence{
			s.annotation, {Field: "selected nodes", Value: finding.List(s.Nodes) + ", without an address of type ExternalIP"},
		}
		f.Effect = s.lost()
		f.Fix = s.nameAddress()
		p.Report(f)
	}
}

// selectNodes are the steps that have istiod advertise the nodes of the cluster. Where none
// has an ExternalIP, selecting them would only change the fault.
func (g gateway) selectNodes(say string) []finding.Step {
	if _, none := g.nodesWithoutExternalIP(); none {
		return g.nameAddress()
	}
	return g.change(finding.Say(say).By(g.kubectl("annotate", istio.AnnotationNodeSelector+"={}", "--overwrite")))
}

// unmappedHBONE: istiod advertises the port for ambient proxies as it is, and not the node
// port to which it is mapped.
func unmappedHBONE(p pass) {
	for _, g := range intended(p) {
		nodePort, ok := g.UnmappedHBONE()
		if !ok {
			continue
		}
		f := g.finding("GW009", finding.Error,
			fmt.Sprintf("ambient proxies are sent to port %d of nodes, where the gateway does not listen", istio.HBONEPort))
		f.Evidence = []finding.Evidence{{Field: g.at(fmt.Sprintf("nodePort of %d", istio.HBONEPort)), Value: fmt.Sprint(nodePort)}}
		f.Effect = "requests of ambient workloads on other networks are refused"
		f.Fix = []finding.Step{
			finding.Say("Make the Service a load balancer, which has port %d itself:", istio.HBONEPort).By(g.toLoadBalancer()),
		}
		p.Report(f)
	}
}

// externalIPs: of a NodePort Service with the annotation and externalIPs istiod advertises
// the latter, with the port of the nodes (pilot/pkg/serviceregistry/kube/controller/
// network.go, extractGatewaysInner).
func externalIPs(p pass) {
	for _, g := range intended(p) {
		s := g.Service
		text, annotated := g.NodeSelector()
		if s.Spec.Type != corev1.ServiceTypeNodePort || !annotated || len(s.Spec.ExternalIPs) == 0 {
			continue
		}
		nodes := resources.Nodes.Of(g.Cluster.Cluster).Value
		strange := slices.DeleteFunc(slices.Clone(s.Spec.ExternalIPs), func(ip string) bool {
			return slices.ContainsFunc(nodes, func(n corev1.Node) bool {
				return slices.ContainsFunc(n.Status.Addresses, func(a corev1.NodeAddress) bool { return a.Address == ip })
			})
		})
		at := slices.IndexFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return int(p.Port) == g.Port() })
		if len(strange) == 0 || at < 0 || int(s.Spec.Ports[at].NodePort) == g.Port() {
			continue
		}
		nodePort := s.Spec.Ports[at].NodePort
		f := g.finding("GW035", finding.Warning, "istiod advertises the gateway's externalIPs with the port of the nodes")
		f.Evidence = []finding.Evidence{
			{Field: g.at("externalIPs that no node has"), Value: strings.Join(strange, ", ")},
			g.annotation(istio.AnnotationNodeSelector, cmp.Or(text, "empty")),
			{Field: "advertised port", Value: fmt.Sprintf("%d, the nodePort of %d", nodePort, g.Port())},
		}
		f.Effect = fmt.Sprintf("clients connect to port %d of addresses at which Kubernetes serves port %d: they are refused unless "+
			"something there forwards it", nodePort, g.Port())
		f.Fix = []finding.Step{
			finding.Say("Remove the annotation, so that istiod advertises the port of the Service:").
				By(g.kubectl("annotate", istio.AnnotationNodeSelector+"-")),
		}
		p.Report(f)
	}
}

// localTrafficPolicy: with externalTrafficPolicy Local a node without a pod of the gateway
// drops what comes to its node port, and istiod advertises it.
func localTrafficPolicy(p pass) {
	for _, g := range intended(p) {
		var without []string
		for _, a := range g.WithoutPod() {
			without = append(without, a.Node+" ("+a.Address+")")
		}
		if len(without) == 0 {
			continue
		}
		f := g.finding("GW032", finding.Warning, "istiod advertises nodes that drop gateway traffic")
		if len(without) == len(g.Addresses()) {
			f.Severity = finding.Error
		}
		f.Evidence = []finding.Evidence{
			{Field: g.at("externalTrafficPolicy"), Value: "Local"},
			{Field: "advertised nodes without a ready pod of the gateway", Value: strings.Join(without, ", ")},
		}
		f.Effect = fmt.Sprintf("%d of %d connections from other networks to %s time out", len(without), len(g.Addresses()), g.Network)
		f.Fix = []finding.Step{
			finding.Say("Let each node send connections on to the pods:").
				By(g.patch(map[string]any{"externalTrafficPolicy": corev1.ServiceExternalTrafficPolicyCluster})),
			finding.Say("Or select only the nodes with pods of the gateway, by annotation %s.", istio.AnnotationNodeSelector),
		}
		p.Report(f)
	}
}
