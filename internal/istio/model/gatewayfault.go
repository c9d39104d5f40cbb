package model

import (
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Fault is what is wrong with something that is meant to be a gateway between networks:
// a few words, as people see them.
type Fault string

// The faults, those first of which one says the most.
const (
	FaultAccidental     Fault = "no gateway" // its label got there by accident
	FaultWaypoint       Fault = "waypoint"
	FaultHidden         Fault = "hidden" // from a control plane, by its discovery selectors
	FaultWrongNetwork   Fault = "wrong network"
	FaultPending        Fault = "pending"
	FaultNoNodeSelector Fault = "no node selector"
	FaultNoNodeSelected Fault = "no node selected"
	FaultNoExternalIP   Fault = "no ExternalIP"
	FaultNoAddress      Fault = "no address outside"
	FaultPortMissing    Fault = "port missing"
	FaultPortIgnored    Fault = "port ignored"
	FaultNameIgnored    Fault = "host name ignored"
	FaultNameUnresolved Fault = "host name unresolved"
	FaultNameMisleads   Fault = "host name misleads"
	FaultGatewayIgnored Fault = "ignored"
	FaultSharedAddress  Fault = "address of two networks"
	FaultNotReady       Fault = "no ready pod"
	FaultNoListener     Fault = "no listener"
	FaultNoHBONE        Fault = "no HBONE"
	FaultOnlyHBONE      Fault = "only HBONE" // and sidecars are sent to it
	FaultNobodysAddress Fault = "address of no gateway"
	FaultNoPodOnNodes   Fault = "nodes without pod" // on all nodes that istiod advertises
	FaultNoPodOnSome    Fault = "some nodes without pod"
	FaultForwardsAll    Fault = "forwards to all networks"
)

// sentence says a fault to people.
func (f Fault) sentence() string {
	switch f {
	case FaultAccidental:
		return "a Service has the label of a gateway, and its pods are not gateways"
	case FaultWaypoint:
		return "a waypoint is advertised as a gateway"
	case FaultHidden:
		return "discovery selectors hide the gateway"
	case FaultWrongNetwork:
		return "the gateway is not on the network to which it leads"
	case FaultPending:
		return "the load balancer of the gateway is pending"
	case FaultNoNodeSelector:
		return "the gateway is a NodePort Service without annotation " + istio.AnnotationNodeSelector
	case FaultNoNodeSelected:
		return "no node has the labels that the gateway's annotation asks for"
	case FaultNoExternalIP:
		return "no node of the gateway has an ExternalIP"
	case FaultNoAddress:
		return "the gateway has no address outside of its cluster"
	case FaultPortMissing:
		return "the gateway's Service does not have its port"
	case FaultNameIgnored:
		return "istiod ignores the gateway's host name"
	case FaultNameMisleads:
		return "the gateway's host name leads to an address that no other machine reaches"
	case FaultSharedAddress:
		return "two networks have a gateway at the same address"
	case FaultNotReady:
		return "no pod behind the gateway is ready"
	case FaultNoListener:
		return "no Gateway makes the gateway's pods pass on what comes from other networks"
	case FaultNoPodOnNodes:
		return "no node that istiod advertises has a ready pod of the gateway"
	case FaultOnlyHBONE:
		return "sidecars are sent to a port that the gateway for ambient proxies does not have"
	case FaultNoHBONE:
		return "ambient proxies are sent to port " + strconv.Itoa(istio.HBONEPort) + " of nodes, where the gateway does not listen"
	default:
		return "the gateway: " + string(f)
	}
}

// Harmless reports whether the gateway works with the fault, if not as well as it could.
func (f Fault) Harmless() bool {
	return slices.Contains([]Fault{FaultPortIgnored, FaultNobodysAddress, FaultNoPodOnSome, FaultForwardsAll}, f)
}

// stops reports whether nothing gets through a gateway with the fault that a control
// plane uses.
func (f Fault) stops() bool {
	return slices.Contains([]Fault{
		FaultAccidental,
		FaultWaypoint,
		FaultWrongNetwork,
		FaultPortMissing,
		FaultNameMisleads,
		FaultSharedAddress,
		FaultNotReady,
		FaultNoListener,
		FaultNoPodOnNodes,
		FaultOnlyHBONE,
	}, f)
}

// Faults are what is wrong with the gateway, what says the most first; none where gateways
// are of no use.
func (g *Gateway) Faults() []Fault { return g.Cluster.mesh.routeFacts().faults[g] }

func (g *Gateway) findFaults() []Fault {
	c := g.Cluster
	if c.Membership.State == Outside || !c.mesh.GatewaysMatter() {
		return nil
	}
	if g.Accidental {
		return []Fault{FaultAccidental}
	}
	var out []Fault
	say := func(is bool, f Fault) {
		if is {
			out = append(out, f)
		}
	}
	say(len(g.HiddenFrom()) > 0, FaultHidden)
	say(g.onWrongNetwork(), FaultWrongNetwork)
	if f := g.addressFault(); f != "" {
		out = append(out, f)
	}
	say(g.LacksPorts(), FaultPortMissing)
	say(g.MisleadsSidecars() != nil, FaultOnlyHBONE)
	say(g.PortIgnored() != "", FaultPortIgnored)
	for _, cp := range g.KnownTo() {
		if candidate, _ := g.Candidate(cp); candidate.Problem == "" {
			out = append(out, cp.addressFaults(candidate)...)
			break
		}
	}
	say(c.readPods() && len(g.Service.Spec.Selector) > 0 && g.Ready() == 0, FaultNotReady)
	say(g.noListener(), FaultNoListener)
	_, unmapped := g.UnmappedHBONE()
	say(unmapped, FaultNoHBONE)
	without, all := len(g.WithoutPod()), len(g.Addresses())
	say(without > 0 && without == all, FaultNoPodOnNodes)
	say(without > 0 && without < all, FaultNoPodOnSome)
	say(!g.onWrongNetwork() && len(g.ForwardingPods()) > 0, FaultForwardsAll)
	return out
}

func (c *Cluster) readPods() bool { return resources.Pods.Of(c.Cluster).Known() }

// onWrongNetwork reports whether the gateway's pods are on another network than the one
// to which it leads, or nothing else in the cluster is on that one.
func (g *Gateway) onWrongNetwork() bool {
	return len(g.PodsElsewhere()) > 0 || g.Cluster.readPods() && len(g.Cluster.MeshNetworksUnread()) == 0 && g.IsAlone()
}

// addressFault is why the Service has no address outside of its cluster; "" where it has
// one, or nodes were not read.
func (g *Gateway) addressFault() Fault {
	selection, selects := g.Selection()
	switch {
	case !g.NeedsAddress():
		return ""
	case len(g.Service.Spec.ExternalIPs) > 0:
		return ""
	case g.Type() == corev1.ServiceTypeLoadBalancer:
		if istio.IsPending(g.Service) {
			return FaultPending
		}
		return ""
	case g.Type() != corev1.ServiceTypeNodePort:
		return FaultNoAddress
	case !selects:
		return FaultNoNodeSelector
	case !resources.Nodes.Of(g.Cluster.Cluster).Known(), len(selection.External) > 0:
		return ""
	case len(selection.Nodes) > 0:
		return FaultNoExternalIP
	}
	return FaultNoNodeSelected
}

// noListener reports whether it is known that no Gateway makes the pods pass on what comes
// from other networks (pilot/pkg/networking/core/gateway.go, builtAutoPassthroughFilterChains).
func (g *Gateway) noListener() bool {
	if len(g.Pods) == 0 || !g.HasPort(g.Port()) || g.ByGatewayAPI() {
		return false
	}
	tell := g.ToldBy()
	if slices.ContainsFunc(tell, func(cp *ControlPlane) bool { return len(cp.Cluster.Unread(resources.Gateways)) > 0 }) ||
		!resources.KubernetesGateways.Of(g.Cluster.Cluster).Known() {
		return false
	}
	passes := func(l Listener) bool { return l.Applies() && l.Mode() == AutoPassthrough && l.CoversMesh() }
	return slices.ContainsFunc(ByRevision(tell), func(alike []*ControlPlane) bool {
		return !slices.ContainsFunc(alike, func(cp *ControlPlane) bool { return slices.ContainsFunc(g.Listeners(cp, g.Port()), passes) })
	})
}

// CandidateFaults are what is wrong with a Gateway of the Gateway API, or an address of
// meshNetworks, that is meant to be a gateway of the control plane.
func (cp *ControlPlane) CandidateFaults(c istio.Candidate) []Fault {
	if cp.Cluster.Membership.State == Outside || !cp.Cluster.mesh.GatewaysMatter() {
		return nil
	}
	if c.Problem != "" {
		return []Fault{FaultGatewayIgnored}
	}
	if cp.IsWaypoint(c.CandidateRef) {
		if cp.hasClientsOutside(c.Network) && cp.finds(c) {
			return []Fault{FaultWaypoint}
		}
		return nil
	}
	out := cp.addressFaults(c)
	if c.Kind == "MeshNetworks" && len(out) == 0 && cp.isNobodys(c) {
		out = append(out, FaultNobodysAddress)
	}
	return out
}

// addressFaults are what is wrong with the addresses of something that the control plane
// uses as a gateway.
func (cp *ControlPlane) addressFaults(c istio.Candidate) []Fault {
	var out []Fault
	say := func(f Fault) {
		if !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	for _, a := range c.Addresses {
		addresses := []string{a.Address}
		if lookups := cp.LookUp(a.Address); lookups != nil {
			addresses = nil
			for _, h := range lookups {
				switch h.State {
				case HostIgnored:
					say(FaultNameIgnored)
				case HostMissing:
					say(FaultNameUnresolved)
				case HostLocal:
					say(FaultNameMisleads)
				case HostPublic, HostPrivate, HostUnknown: // no fault that is known
				}
				addresses = append(addresses, h.Address)
			}
		}
		if slices.ContainsFunc(addresses, func(address string) bool { return cp.isShared(address, max(c.Port, c.HBONEPort)) }) {
			say(FaultSharedAddress)
		}
	}
	return out
}

// isShared reports whether the control plane has gateways of several networks at one
// address and port.
func (cp *ControlPlane) isShared(address string, port uint32) bool {
	return cp.Cluster.mesh.Several() && slices.ContainsFunc(cp.SharedAddresses(), func(s SharedAddress) bool {
		return s.Address == address && s.Port == port
	})
}

// isNobodys reports whether an address of meshNetworks is that of no gateway, in a network
// whose gateways are known by their objects.
func (cp *ControlPlane) isNobodys(c istio.Candidate) bool {
	if slices.ContainsFunc(cp.Watches, func(w Watched) bool {
		return w.Cluster == nil || len(w.Cluster.Unread(resources.Services, resources.Nodes, resources.KubernetesGateways)) > 0
	}) {
		return false
	}
	return slices.ContainsFunc(cp.UnheldAddresses(), func(u UnheldAddress) bool {
		return u.Network == c.Network && slices.ContainsFunc(c.Addresses, func(a istio.CandidateAddress) bool { return a.Address == u.Address })
	})
}
