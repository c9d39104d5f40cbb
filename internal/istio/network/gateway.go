package network

import (
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// gateway is a Service that is meant to be a gateway of a network.
type gateway struct {
	member  *member
	service *corev1.Service
	network string
	// labelled: a label makes it one; else the mesh networks name it.
	labelled bool
	// stray: its label got there by accident; what it selects are no gateways.
	stray bool
	// seen is what the control planes make of it, those that make anything of it.
	seen map[*view]istio.Candidate
	// pods are those that it selects and that run.
	pods []*facts.Pod
}

// findGateways finds the Services of a cluster that are meant to be gateways. A
// control plane from which discovery selectors hide one sees no candidate.
func (m *member) findGateways() {
	for i := range resources.Services.Of(m.Cluster).Value {
		s := &resources.Services.Of(m.Cluster).Value[i]
		if network := s.Labels[istio.LabelNetwork]; network != "" {
			m.gateways = append(m.gateways, m.newGateway(s, network, true))
		}
	}
	for _, v := range m.viewers {
		for _, c := range v.candidates {
			if c.Kind != "Service" || c.Cluster != v.ids[m] {
				continue
			}
			at := slices.IndexFunc(m.gateways, func(g *gateway) bool {
				return g.service.Namespace == c.Namespace && g.service.Name == c.Name && g.network == c.Network
			})
			if at < 0 {
				i := slices.IndexFunc(resources.Services.Of(m.Cluster).Value, func(s corev1.Service) bool { return s.Namespace == c.Namespace && s.Name == c.Name })
				if i < 0 {
					continue
				}
				at = len(m.gateways)
				m.gateways = append(m.gateways, m.newGateway(&resources.Services.Of(m.Cluster).Value[i], c.Network, false))
			}
			m.gateways[at].seen[v] = c
		}
	}
}

func (m *member) newGateway(s *corev1.Service, network string, labelled bool) *gateway {
	g := &gateway{member: m, service: s, network: network, labelled: labelled, seen: map[*view]istio.Candidate{}}
	for i := range resources.Pods.Of(m.Cluster).Value {
		if p := &resources.Pods.Of(m.Cluster).Value[i]; runs(p) && p.Namespace == s.Namespace && selects(s.Spec.Selector, p.Labels) {
			g.pods = append(g.pods, p)
		}
	}
	g.stray = labelled && g.isStray()
	return g
}

// isStray reports whether what a labelled Service selects are ordinary
// workloads. Only sidecars have the label that says how they take mutual TLS:
// gateways are injected by another template (manifests/charts/istio-control/
// istio-discovery/files, injection-template.yaml and gateway-injection-template.yaml).
func (g *gateway) isStray() bool {
	if len(g.pods) == 0 {
		return false
	}
	for _, p := range g.pods {
		if variable(p, istio.EnvProxyNetworkView) != "" || p.Labels[istio.LabelGatewayName] != "" {
			return false
		}
		if isProxy(p) && p.Labels[istio.LabelTLSMode] == "" {
			return false
		}
	}
	// An image that replaces itself with a proxy is one that nobody injected.
	return !g.has(g.port()) || g.service.Labels["istio"] == "" && g.service.Spec.Selector["istio"] == ""
}

func (g *gateway) object() finding.Object {
	return finding.In("service", g.service.Namespace, g.service.Name)
}

// port is the port of the Service that other networks go to.
func (g *gateway) port() int {
	if !g.labelled {
		for _, c := range g.seen {
			if p, ok := g.meshPort(c); ok {
				return p
			}
		}
	}
	if n, err := strconv.Atoi(g.service.Labels[istio.LabelGatewayPort]); err == nil {
		return n
	}
	return istio.DefaultGatewayPort
}

// meshPort is the port that the mesh networks name: a candidate has the node
// port instead where that counts.
func (g *gateway) meshPort(c istio.Candidate) (int, bool) {
	for _, p := range g.service.Spec.Ports {
		if uint32(p.Port) == c.Port || p.NodePort != 0 && uint32(p.NodePort) == c.Port {
			return int(p.Port), true
		}
	}
	return int(c.Port), c.Port != 0
}

func (g *gateway) has(port int) bool {
	return slices.ContainsFunc(g.service.Spec.Ports, func(p corev1.ServicePort) bool { return int(p.Port) == port })
}

// takesSidecars reports whether it is meant for sidecars: a gateway of ambient
// networks alone has only the port for HBONE.
func (g *gateway) takesSidecars() bool { return g.has(g.port()) || !g.has(istio.HBONEPort) }

// eastWest is the Gateway of an ambient network of which istiod has made the
// Service, or nil.
func (g *gateway) eastWest() *api.KubernetesGateway {
	for _, k := range g.member.eastWest() {
		if k.Namespace == g.service.Namespace && k.Name == g.service.Labels[istio.LabelGatewayName] {
			return k
		}
	}
	return nil
}

func (g *gateway) ready() int {
	n := 0
	for _, p := range g.pods {
		if p.IsReady() {
			n++
		}
	}
	return n
}

// addresses are those that some control plane takes, of one of them.
func (g *gateway) addresses() []istio.CandidateAddress {
	for _, v := range g.member.viewers {
		if c, ok := g.seen[v]; ok && c.Problem == "" {
			return c.Addresses
		}
	}
	return nil
}

// replaced reports whether its network has another gateway in the same cluster
// that control planes take.
func (g *gateway) replaced() bool {
	return slices.ContainsFunc(g.member.gateways, func(o *gateway) bool {
		return o != g && o.network == g.network && !o.stray && len(o.addresses()) > 0
	})
}

// meant are the Services of the clusters that are meant to be gateways, those
// aside whose label got there by accident.
func (j *judgement) meant(members []*member) []*gateway {
	var out []*gateway
	if !j.gatewaysMatter() {
		return nil
	}
	for _, m := range members {
		for _, g := range m.gateways {
			if !g.stray {
				out = append(out, g)
			}
		}
	}
	return out
}

// selects reports whether a selector that is not empty takes labels.
func selects(selector, labels map[string]string) bool {
	if len(selector) == 0 {
		return false
	}
	for k, v := range selector {
		if got, ok := labels[k]; !ok || got != v {
			return false
		}
	}
	return true
}
