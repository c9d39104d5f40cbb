package istio

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// serviceCandidates is what istiod makes of a Service that is labelled as a
// gateway, or, without the label, named by the mesh networks
// (pilot/pkg/serviceregistry/kube/controller/network.go, getGatewayDetails and
// extractGatewaysInner).
func (v *View) serviceCandidates(m *member, s *corev1.Service) []Candidate {
	var out []Candidate
	ref := CandidateRef{Kind: "Service", Cluster: m.id, Namespace: s.Namespace, Name: s.Name}
	if network := s.Labels[LabelNetwork]; network != "" {
		c := Candidate{CandidateRef: ref, Network: network, NetworkFrom: "label " + LabelNetwork}
		v.labelledPorts(s, &c)
		out = append(out, c)
	} else {
		for _, network := range v.registryNetworks(m.id) {
			for _, g := range v.MeshNetworks.Networks[network].Gateways {
				if g.RegistryServiceName == hostname(s.Namespace, s.Name) {
					out = append(out, Candidate{
						CandidateRef: ref, Network: network, NetworkFrom: "registryServiceName of meshNetworks",
						Port: g.Port, PortFrom: "networks." + network + ".gateways[].port",
					})
				}
			}
		}
	}
	if len(out) == 0 {
		return nil
	}
	addresses, problem := m.externalAddresses(s)
	for i := range out {
		out[i].Addresses = addresses
		if out[i].Problem == "" {
			out[i].Problem = problem
		}
		if nodePort, ok := nodePorts(s)[out[i].Port]; ok {
			out[i].Port, out[i].PortFrom = nodePort, "nodePort of "+out[i].PortFrom
		}
	}
	return out
}

// labelledPorts finds the ports of a labelled Service. Before 1.29 istiod does
// not look whether it has them.
func (v *View) labelledPorts(s *corev1.Service, c *Candidate) {
	port := DefaultGatewayPort
	c.PortFrom = "default"
	if label := s.Labels[LabelGatewayPort]; label != "" {
		if n, err := strconv.Atoi(label); err == nil {
			port, c.PortFrom = n, "label "+LabelGatewayPort
		} else {
			c.PortFrom = fmt.Sprintf("default, as label %s is not a number", LabelGatewayPort)
		}
	}
	has := func(port int) bool {
		return slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return int(p.Port) == port })
	}
	if has(HBONEPort) {
		c.HBONEPort = HBONEPort
	}
	if has(port) || v.Istiod.Before("1.29.0") {
		c.Port = uint32(port)
	}
	if c.Port == 0 {
		c.PortFrom = ""
		if c.HBONEPort == 0 {
			c.Problem = fmt.Sprintf("it has neither port %d nor port %d", port, HBONEPort)
		}
	}
}

// nodePorts are the ports by which a Service is reached on the nodes, only
// where the annotation says that it is
// (pilot/pkg/serviceregistry/kube/conversion.go, ConvertService).
func nodePorts(s *corev1.Service) map[uint32]uint32 {
	if !isNodePortGateway(s) {
		return nil
	}
	out := map[uint32]uint32{}
	for _, p := range s.Spec.Ports {
		out[uint32(p.Port)] = uint32(p.NodePort)
	}
	return out
}

func isNodePortGateway(s *corev1.Service) bool {
	_, ok := s.Annotations[AnnotationNodeSelector]
	return ok && s.Spec.Type == corev1.ServiceTypeNodePort
}

// externalAddresses are the addresses by which other networks reach a Service
// (pilot/pkg/serviceregistry/kube/conversion.go, ConvertService, and
// controller/controller.go, addOrUpdateService), or why there are none.
func (m *member) externalAddresses(s *corev1.Service) (out []CandidateAddress, problem string) {
	if s.Spec.Type == corev1.ServiceTypeLoadBalancer {
		for _, i := range s.Status.LoadBalancer.Ingress {
			switch {
			case i.IP != "":
				out = append(out, CandidateAddress{Address: i.IP, From: "status.loadBalancer.ingress[].ip"})
			case i.Hostname != "":
				out = append(out, CandidateAddress{Address: i.Hostname, From: "status.loadBalancer.ingress[].hostname"})
			}
		}
	}
	for _, ip := range s.Spec.ExternalIPs {
		out = append(out, CandidateAddress{Address: ip, From: "spec.externalIPs"})
	}
	switch {
	case len(out) > 0:
		return out, ""
	case s.Spec.Type == corev1.ServiceTypeLoadBalancer:
		return nil, "the load balancer has no address yet"
	case s.Spec.Type != corev1.ServiceTypeNodePort:
		return nil, fmt.Sprintf("a Service of type %s without externalIPs has no address outside", cmp.Or(string(s.Spec.Type), "ClusterIP"))
	case !isNodePortGateway(s):
		return nil, "a NodePort Service needs annotation " + AnnotationNodeSelector
	}
	return m.nodeAddresses(s)
}

// nodeAddresses are the external addresses of the nodes that the annotation
// selects, the first of each (controller/controller.go, onNodeEvent, and
// network.go, updateServiceNodePortAddresses). Of an annotation that is no JSON
// object of strings what is none does not count: nothing at all selects all nodes.
func (m *member) nodeAddresses(s *corev1.Service) (out []CandidateAddress, problem string) {
	var selector map[string]string
	_ = json.Unmarshal([]byte(s.Annotations[AnnotationNodeSelector]), &selector)
	matched := false
	for _, name := range slices.Sorted(maps.Keys(m.nodes)) {
		n := m.nodes[name]
		if !subsetOf(selector, n.Labels) {
			continue
		}
		matched = true
		for _, a := range n.Status.Addresses {
			if a.Type == corev1.NodeExternalIP && a.Address != "" {
				out = append(out, CandidateAddress{Address: a.Address, From: "status.addresses[ExternalIP]", Node: name})
				break
			}
		}
	}
	switch {
	case len(out) > 0:
		return out, ""
	case !matched:
		return nil, "no node has the labels that annotation " + AnnotationNodeSelector + " asks for"
	default:
		return nil, "no node that annotation " + AnnotationNodeSelector + " selects has an ExternalIP"
	}
}

func subsetOf(some, all map[string]string) bool {
	for k, v := range some {
		if got, ok := all[k]; !ok || got != v {
			return false
		}
	}
	return true
}
