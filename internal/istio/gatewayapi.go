package istio

import (
	"cmp"
	"fmt"
	"strconv"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// gatewayCandidates is what istiod makes of a Gateway of the Gateway API that is
// labelled with a network: a gateway for each address and each listener that
// passes mutual TLS through or takes HBONE
// (pilot/pkg/serviceregistry/kube/controller/network.go, handleGatewayResource;
// kube/conversion.go, IsAutoPassthrough and GatewaySA).
func (v *View) gatewayCandidates(m *member, g *api.KubernetesGateway) []Candidate {
	network := g.Labels[LabelNetwork]
	if network == "" || !v.Istiod.Setting(EnvGatewayAPINetworks, !v.Istiod.Before("1.23.0")) {
		return nil
	}
	account := cmp.Or(g.Annotations[AnnotationGatewayServiceAccount], g.Name)
	if account == g.Name && g.Spec.GatewayClassName == api.ClassRemote {
		account = g.Name + "-" + g.Spec.GatewayClassName
	}
	base := Candidate{
		CandidateRef: CandidateRef{Kind: "Gateway", Cluster: m.id, Namespace: g.Namespace, Name: g.Name},
		Network:      network, NetworkFrom: "label " + LabelNetwork, ServiceAccount: g.Namespace + "/" + account,
	}
	for _, a := range g.Spec.Addresses {
		if a.Type != nil && (*a.Type == "IPAddress" || *a.Type == "Hostname") {
			base.Addresses = append(base.Addresses, CandidateAddress{Address: a.Value, From: "spec.addresses"})
		}
	}
	switch {
	case g.Spec.GatewayClassName == api.ClassRemote && !m.local:
		base.Problem = "class " + api.ClassRemote + " counts only in the control plane's own cluster"
	case len(base.Addresses) == 0:
		base.Problem = "spec.addresses has no address of type IPAddress or Hostname"
	}
	var out []Candidate
	for i, l := range g.Spec.Listeners {
		c := base
		c.PortFrom = fmt.Sprintf("spec.listeners[%d].port", i)
		if isAutoPassthrough(g, l) {
			c.Port = uint32(l.Port)
			out = append(out, c)
		}
		if l.Protocol == "HBONE" {
			c.Port, c.HBONEPort = uint32(l.Port), uint32(l.Port)
			out = append(out, c)
		}
	}
	if len(out) == 0 {
		base.Problem = cmp.Or(base.Problem, "none of its listeners passes mutual TLS through or takes HBONE")
		return []Candidate{base}
	}
	return out
}

func isAutoPassthrough(g *api.KubernetesGateway, l api.Listener) bool {
	if l.TLS == nil {
		return false
	}
	if l.TLS.Options["gateway.istio.io/listener-protocol"] == "auto-passthrough" {
		return true
	}
	port, ok := g.Labels[LabelGatewayPort]
	if !ok {
		port = strconv.Itoa(DefaultGatewayPort)
	}
	return strconv.Itoa(int(l.Port)) == port
}
