package model

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// AutoPassthrough is the TLS mode with which a gateway passes mutual TLS on by its server name.
const AutoPassthrough = "AUTO_PASSTHROUGH"

// Listener is a server of a Gateway of Istio, as it applies to the pods of a gateway
// between networks.
type Listener struct {
	Gateway *api.Gateway
	Server  api.Server
	// Foreign: the control plane uses only Gateways of the pods' namespace, and this is in
	// another one.
	Foreign bool
	// Unread: the control plane reads only configuration of its own revision, and this is
	// labeled with another one.
	Unread bool
	// Selects: the Gateway selects pods of the gateway.
	Selects bool
	// Listens: its port is the one to which the Service sends.
	Listens bool
}

// Applies reports whether the pods listen for it where their Service sends.
func (l Listener) Applies() bool { return l.Selects && l.Listens && !l.Foreign && !l.Unread }

// Mode is the TLS mode of the server.
func (l Listener) Mode() string {
	if l.Server.TLS == nil {
		return "none"
	}
	return cmp.Or(l.Server.TLS.Mode, "PASSTHROUGH")
}

// Object names the Gateway.
func (l Listener) Object() finding.Object {
	return finding.In("gateway", l.Gateway.Namespace, l.Gateway.Name)
}

// CoversMesh reports whether the hosts of the server are Services of the mesh.
func (l Listener) CoversMesh() bool {
	return slices.ContainsFunc(l.Server.Hosts, func(h string) bool {
		h = WithoutNamespace(h)
		return h == "*" || strings.HasSuffix(h, ".local")
	})
}

// WithoutNamespace is a host of a Gateway, which a namespace and a slash may precede.
func WithoutNamespace(host string) string {
	if _, after, ok := strings.Cut(host, "/"); ok {
		return after
	}
	return host
}

// Listeners are the servers of all Gateways of a control plane's cluster that are bound to
// where the gateway's pods listen, as they apply to a port of the gateway's Service.
func (g *Gateway) Listeners(cp *ControlPlane, port int) []Listener {
	var out []Listener
	for i := range resources.Gateways.Of(cp.Cluster.Cluster).Value {
		gw := &resources.Gateways.Of(cp.Cluster.Cluster).Value[i]
		foreign := cp.Istiod.On(istio.EnvScopeGateways) && gw.Namespace != g.Service.Namespace
		selected := len(gw.Spec.Selector) == 0 || slices.ContainsFunc(g.Pods, func(p *facts.Pod) bool {
			return facts.Selects(gw.Spec.Selector, p.Labels)
		})
		for _, s := range gw.Spec.Servers {
			if s.Port != nil && g.isBound(s.Bind) {
				out = append(out, Listener{
					Gateway: gw, Server: s, Foreign: foreign, Unread: !cp.Istiod.Reads(gw.Labels), Selects: selected,
					Listens: g.listensFor(port, int(s.Port.Number)),
				})
			}
		}
	}
	return out
}

// isBound reports whether a server that is bound to an address listens where the Service
// sends to.
func (g *Gateway) isBound(address string) bool {
	if address == "" {
		return true
	}
	ip, err := netip.ParseAddr(address)
	return err == nil && (ip.IsUnspecified() || slices.ContainsFunc(g.Pods, func(p *facts.Pod) bool {
		return slices.Contains(p.IPs, address)
	}))
}

// Target is the port of the pods to which a port of the Service leads; false where only
// the pods can tell.
func (g *Gateway) Target(port int) (int, bool) { return istio.Target(g.Service, port) }

// listensFor reports whether a server of a number makes the pods listen where a port of
// the Service sends.
func (g *Gateway) listensFor(port, number int) bool {
	return istio.ListensFor(resources.Services.Of(g.Cluster.Cluster).Value, g.Service, g.Pods, port, number)
}

// PassesHost reports whether a Gateway that the control plane reads passes TLS for a host
// through.
func (cp *ControlPlane) PassesHost(host string) bool {
	gateways := resources.Gateways.Of(cp.Cluster.Cluster).Value
	for i := range gateways {
		g := &gateways[i]
		if !cp.Istiod.Reads(g.Labels) {
			continue
		}
		for _, s := range g.Spec.Servers {
			if s.TLS == nil || s.TLS.Mode != AutoPassthrough {
				continue
			}
			for _, h := range s.Hosts {
				h = WithoutNamespace(h)
				if h == host || h == "*" || strings.HasPrefix(h, "*.") && strings.HasSuffix(host, h[1:]) {
					return true
				}
			}
		}
	}
	return false
}
