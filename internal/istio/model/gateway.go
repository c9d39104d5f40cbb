package model

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Gateway is a Service that is meant to be a gateway of a network.
type Gateway struct {
	Cluster *Cluster
	Service *corev1.Service
	Network string
	// Labeled: a label makes it one; else meshNetworks name it.
	Labeled bool
	// Accidental: its label got there by accident, and what it selects are no gateways.
	Accidental bool
	// Pods are those that it selects and that run.
	Pods []*facts.Pod

	candidates map[*ControlPlane]istio.Candidate
}

// Object names the Service.
func (g *Gateway) Object() finding.Object {
	return finding.In("service", g.Service.Namespace, g.Service.Name)
}

// AsGateway is a Service of the cluster as if a label made it the gateway of a network,
// which no control plane has seen yet.
func (c *Cluster) AsGateway(s *corev1.Service, network string) *Gateway {
	return c.newGateway(s, network, true)
}

// IntendedGateways are those of NetworkGateways that are not labeled by accident.
func (c *Cluster) IntendedGateways() []*Gateway {
	return slices.DeleteFunc(slices.Clone(c.NetworkGateways()), func(g *Gateway) bool { return g.Accidental })
}

// NetworkGateways are the Services of the cluster that are meant to be gateways between
// networks: those that are labeled first, then those that meshNetworks name.
func (c *Cluster) NetworkGateways() []*Gateway { return c.networkGateway() }

func (c *Cluster) findGateways() []*Gateway {
	var out []*Gateway
	for i := range resources.Services.Of(c.Cluster).Value {
		s := &resources.Services.Of(c.Cluster).Value[i]
		if network := s.Labels[istio.LabelNetwork]; network != "" && !c.IsWaypointService(s) {
			out = append(out, c.newGateway(s, network, true))
		}
	}
	for _, cp := range c.WatchedBy {
		for _, candidate := range cp.Candidates() {
			if candidate.Kind != "Service" || !slices.Contains(cp.Names(c), candidate.Cluster) {
				continue
			}
			at := slices.IndexFunc(out, func(g *Gateway) bool { return g.is(candidate) })
			if at < 0 {
				s := c.Service(candidate.Namespace, candidate.Name)
				if s == nil || c.IsWaypointService(s) {
					continue
				}
				at, out = len(out), append(out, c.newGateway(s, candidate.Network, false))
			}
			if _, ok := out[at].candidates[cp]; !ok { // of a cluster that it watches twice: by the first name
				out[at].candidates[cp] = candidate
			}
		}
	}
	return out
}

func (g *Gateway) is(c istio.Candidate) bool {
	return g.Service.Namespace == c.Namespace && g.Service.Name == c.Name && g.Network == c.Network
}

func (c *Cluster) newGateway(s *corev1.Service, network string, labeled bool) *Gateway {
	g := &Gateway{Cluster: c, Service: s, Network: network, Labeled: labeled, candidates: map[*ControlPlane]istio.Candidate{}}
	g.Pods = c.SelectedPods(s)
	g.Accidental = labeled && g.isAccidental()
	return g
}

// isAccidental reports whether what a labeled Service selects are ordinary workloads.
// Only sidecars have the label that says how they take mutual TLS: gateways are injected
// by another template (manifests/charts/istio-control/istio-discovery/files,
// injection-template.yaml and gateway-injection-template.yaml).
func (g *Gateway) isAccidental() bool {
	if len(g.Pods) == 0 {
		return false
	}
	for _, p := range g.Pods {
		if istio.IsGateway(p) || IsProxy(p) && p.Labels[istio.LabelTLSMode] == "" {
			return false
		}
	}
	// An image that replaces itself with a proxy is one that nobody injected.
	return !g.HasPort(g.Port()) || g.Service.Labels["istio"] == "" && g.Service.Spec.Selector["istio"] == ""
}

// Candidate is what a control plane makes of the Service; false where it makes nothing
// of it, as when discovery selectors hide it.
func (g *Gateway) Candidate(cp *ControlPlane) (istio.Candidate, bool) {
	c, ok := g.candidates[cp]
	return c, ok
}

// KnownTo are the control planes that make something of the Service.
func (g *Gateway) KnownTo() []*ControlPlane {
	var out []*ControlPlane
	for _, cp := range g.Cluster.WatchedBy {
		if _, ok := g.candidates[cp]; ok {
			out = append(out, cp)
		}
	}
	return out
}

// GatewayAt is a gateway between networks, and the port that a control plane advertises of it.
type GatewayAt struct {
	Gateway *Gateway
	Port    uint32
}

// GatewaysAt are the gateways between networks that have an address, an IP or a host name. Whether these are
// all is not known where the Services of a cluster were not read.
func (m *Mesh) GatewaysAt(address string) (at []GatewayAt, known bool) {
	same := func(a istio.CandidateAddress) bool {
		if ip, err := netip.ParseAddr(address); err == nil {
			return AddressOf(a.Address) == ip
		}
		return strings.EqualFold(strings.TrimSuffix(a.Address, "."), strings.TrimSuffix(address, "."))
	}
	known = true
	for _, c := range m.Clusters {
		known = known && len(c.Unread(resources.Services)) == 0
		for _, g := range c.NetworkGateways() {
			for _, cp := range g.KnownTo() {
				candidate, _ := g.Candidate(cp)
				if !g.Accidental && candidate.Problem == "" && slices.ContainsFunc(candidate.Addresses, same) {
					at = append(at, GatewayAt{g, candidate.Port})
				}
			}
		}
	}
	return at, known
}

// Port is the port of the Service that other networks go to.
func (g *Gateway) Port() int {
	if !g.Labeled {
		for _, cp := range g.KnownTo() {
			if p, ok := g.meshPort(g.candidates[cp]); ok {
				return p
			}
		}
	}
	if n, err := strconv.Atoi(g.Service.Labels[istio.LabelGatewayPort]); err == nil {
		return n
	}
	return istio.DefaultGatewayPort
}

// meshPort is the port that meshNetworks name: a candidate has the node port in its
// place where that one is used.
func (g *Gateway) meshPort(c istio.Candidate) (int, bool) {
	for _, p := range g.Service.Spec.Ports {
		if uint32(p.Port) == c.Port || p.NodePort != 0 && uint32(p.NodePort) == c.Port {
			return int(p.Port), true
		}
	}
	return int(c.Port), c.Port != 0
}

// HasPort reports whether the Service has a port.
func (g *Gateway) HasPort(port int) bool {
	return slices.ContainsFunc(g.Service.Spec.Ports, func(p corev1.ServicePort) bool { return int(p.Port) == port })
}

// Ports are those of its Service to which other networks connect.
func (g *Gateway) Ports() []int {
	var out []int
	for _, port := range []int{g.Port(), istio.HBONEPort} {
		if g.HasPort(port) && !slices.Contains(out, port) {
			out = append(out, port)
		}
	}
	return out
}

// TakesSidecars reports whether it is meant for sidecars: a gateway of ambient networks
// alone has only the port for HBONE.
func (g *Gateway) TakesSidecars() bool { return g.HasPort(g.Port()) || !g.HasPort(istio.HBONEPort) }

// EastWest is the Gateway of an ambient network of which istiod has made the Service;
// nil where there is none.
func (g *Gateway) EastWest() *api.KubernetesGateway {
	for _, k := range g.Cluster.EastWest() {
		if k.Namespace == g.Service.Namespace && k.Name == g.Service.Labels[istio.LabelGatewayName] {
			return k
		}
	}
	return nil
}

// EastWest are the Gateways of ambient networks in the cluster.
func (c *Cluster) EastWest() []*api.KubernetesGateway {
	var out []*api.KubernetesGateway
	for i := range resources.KubernetesGateways.Of(c.Cluster).Value {
		if k := &resources.KubernetesGateways.Of(c.Cluster).Value[i]; k.Spec.GatewayClassName == api.ClassEastWest {
			out = append(out, k)
		}
	}
	return out
}

// Ready is how many of its pods are ready.
func (g *Gateway) Ready() int {
	n := 0
	for _, p := range g.Pods {
		if p.IsReady() {
			n++
		}
	}
	return n
}

// Addresses are those that a control plane uses, of the first that uses any.
func (g *Gateway) Addresses() []istio.CandidateAddress {
	for _, cp := range g.KnownTo() {
		if c := g.candidates[cp]; c.Problem == "" {
			return c.Addresses
		}
	}
	return nil
}

// Replaced reports whether its network has another gateway in the same cluster that
// control planes use.
func (g *Gateway) Replaced() bool {
	return slices.ContainsFunc(g.Cluster.NetworkGateways(), func(o *Gateway) bool {
		return o != g && o.Network == g.Network && !o.Accidental && len(o.Addresses()) > 0
	})
}

// NeedsAddress reports whether the Service itself has to have an address outside of its
// cluster. It does not where somebody has told all control planes that need one another
// address of the network: one of something before the Service, in meshNetworks or in a
// Gateway of the Gateway API.
func (g *Gateway) NeedsAddress() bool {
	told := false
	for _, cp := range g.Cluster.WatchedBy {
		if !cp.hasClientsOutside(g.Network) {
			continue
		}
		told = true
		if !slices.ContainsFunc(cp.Candidates(), func(c istio.Candidate) bool {
			return c.Network == g.Network && c.Problem == "" && c.Kind != "Service" && len(c.Addresses) > 0 && !cp.IsWaypoint(c.CandidateRef)
		}) {
			return true
		}
	}
	return !told
}

// GatewaysOf are the gateways that the control plane has for a network.
func (cp *ControlPlane) GatewaysOf(network string) []istio.Gateway {
	var out []istio.Gateway
	for _, g := range cp.Gateways() {
		if g.Network == network {
			out = append(out, g)
		}
	}
	return out
}

// LeadsTo reports whether the control plane has a gateway of a network, or may have one
// by a host name, which only it can resolve for certain.
func (cp *ControlPlane) LeadsTo(network string) bool {
	if len(cp.GatewaysOf(network)) > 0 {
		return true
	}
	return cp.Istiod.Setting(istio.EnvResolveHostnames, true) && slices.ContainsFunc(cp.Candidates(), func(c istio.Candidate) bool {
		return c.Network == network && c.Problem == "" && len(c.Addresses) > 0
	})
}

// KubernetesCandidate is what the control plane makes of a Gateway of the Gateway API in a
// cluster; false where it makes nothing of it.
func (cp *ControlPlane) KubernetesCandidate(in *Cluster, k *api.KubernetesGateway) (istio.Candidate, bool) {
	for _, c := range cp.Candidates() {
		if c.Kind == "Gateway" && c.Namespace == k.Namespace && c.Name == k.Name && slices.Contains(cp.Names(in), c.Cluster) {
			return c, true
		}
	}
	return istio.Candidate{}, false
}

// GivesAddresses reports whether a Gateway of the Gateway API is meant to give its network
// addresses. One that has pods of its own is advertised by its Service.
func GivesAddresses(k *api.KubernetesGateway) bool {
	return k.Labels[istio.LabelNetwork] != "" && k.Spec.GatewayClassName != api.ClassWaypoint &&
		(k.Spec.GatewayClassName == api.ClassRemote || len(k.Spec.Addresses) > 0)
}

// CandidateIn is the context of the cluster that has the object which makes a candidate, or
// a gateway, of the control plane: its own where that is not known, as of meshNetworks.
func (cp *ControlPlane) CandidateIn(c istio.CandidateRef) string {
	if in := cp.ClusterOf(c.Cluster); in != nil && c.Kind != "MeshNetworks" {
		return in.Context
	}
	return cp.Context
}

// CandidateObject names the object that makes a candidate: a Service, a Gateway of the
// Gateway API, or the ConfigMap with meshNetworks.
func (cp *ControlPlane) CandidateObject(c istio.CandidateRef) finding.Object {
	if c.Kind == "MeshNetworks" {
		return cp.ConfigMap()
	}
	return finding.In(strings.ToLower(c.Kind), c.Namespace, c.Name)
}
