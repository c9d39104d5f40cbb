package network

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Purpose is what clients use an address for.
type Purpose string

// The purposes.
const (
	// Requests of workloads on other networks.
	Requests Purpose = "requests"
	// Discovery: proxies of a remote cluster get their configuration and
	// certificates there.
	Discovery Purpose = "discovery"
	// Injection: the API server of a remote cluster has sidecars injected there.
	Injection Purpose = "injection"
	// PodToPod: a pod of another network, past its gateway. That it is not reached is as
	// it should be.
	PodToPod Purpose = "pod-to-pod"
)

// Target is one address and port that can be tried: of a gateway, or of a control
// plane.
type Target struct {
	facts.Probe
	Purpose Purpose
	// For is the context of the remote cluster that is told to use the address, and
	// Host the name for which it checks the certificate; "" with Requests.
	For, Host string
	// Cluster and Object are those of the gateway, as in a Listing.
	Cluster string
	Object  finding.Object
	Network string
	// Judges are the contexts of the clusters whose workloads are to accept what
	// the gateway leads to: those on other networks, or all where there are none.
	Judges []string
	// Blind says why TLS is not to be tried; "" where it is.
	Blind string

	authority authority
	from      []string // contexts of the clusters from which it is tried, with PodToPod
}

// TriedFrom reports whether a vantage tells anything of a target. Of a control plane
// only what is in the cluster that uses it does, and this machine as a hint; of a pod
// what is on another network.
func (t Target) TriedFrom(v facts.Vantage) bool {
	if t.Purpose == PodToPod {
		return !v.Proxied && slices.Contains(t.from, v.Context)
	}
	return t.For == "" || v == facts.ThisMachine || v.Context == t.For
}

// What TLS asks a gateway for: sidecars for the protocol of the mesh, ambient
// proxies for that of HBONE (pilot/pkg/networking/core/listener.go, allIstioMtlsALPNs).
const (
	protocolSidecar = "istio"
	protocolHBONE   = "h2"
)

// Targets are the addresses of all gateways of the fleet, each once for a
// network, whether or not control planes announce them, and those at which remote
// clusters are told to find their control plane; and a pod of each network.
func Targets(fleet *facts.Fleet, options Options) []Target {
	w := newWorld(fleet, options)
	var out []Target
	type asked struct {
		cluster, network string
		object           finding.Object
	}
	names := map[asked][2]string{}
	for _, g := range w.list(fleet, finding.Result{}, options).Gateways {
		if g.Status == statusStray {
			continue
		}
		for _, a := range g.Addresses {
			t := Target{Purpose: Requests, Cluster: g.Cluster, Object: g.Object, Network: g.Network, Judges: w.judges(g.Network)}
			t.Address = a.Address
			if g.Port != 0 {
				key := asked{g.Cluster, g.Network, g.Object}
				if _, ok := names[key]; !ok {
					name, why := w.serverName(g)
					names[key] = [2]string{name, why}
				}
				sidecar := t
				sidecar.Port, sidecar.ServerName, sidecar.Blind = g.Port, names[key][0], names[key][1]
				if sidecar.Blind == "" {
					sidecar.Protocol = protocolSidecar
				}
				out = append(out, sidecar)
			}
			if g.HBONEPort != 0 && g.HBONEPort != g.Port {
				ambient := t
				ambient.Port, ambient.Protocol = g.HBONEPort, protocolHBONE
				out = append(out, ambient)
			}
		}
	}
	var distinct []Target
	for _, t := range out {
		if !slices.ContainsFunc(distinct, func(o Target) bool {
			return o.Network == t.Network && o.Address == t.Address && o.Port == t.Port
		}) {
			distinct = append(distinct, t)
		}
	}
	return slices.Concat(distinct, w.controlPlaneTargets(), w.directTargets())
}

// TriedFrom are those of the targets of which a vantage tells anything: their places,
// and what is to be tried.
func TriedFrom(targets []Target, v facts.Vantage) (at []int, probes []facts.Probe) {
	for i, t := range targets {
		if t.TriedFrom(v) {
			at, probes = append(at, i), append(probes, t.Probe)
		}
	}
	return at, probes
}

func (w *world) judges(network string) []string {
	var others, all []string
	for _, m := range w.members {
		if m.apart {
			continue
		}
		all = append(all, m.Context)
		if m.home() != network {
			others = append(others, m.Context)
		}
	}
	if others == nil {
		return all
	}
	return others
}

// serverName is the one by which a gateway passes TLS on to a Service that has a
// ready endpoint behind it, which takes mutual TLS; why says that there is none.
func (w *world) serverName(g Gateway) (name, why string) {
	why = "no service with a ready sidecar on network " + g.Network + " is known"
	for _, m := range w.members {
		if m.apart || m.Context != g.Cluster && m.home() != g.Network || g.Object.Kind == "service" && m.Context != g.Cluster {
			continue
		}
		if !resources.EndpointSlices.Of(m.Cluster).Known() {
			why = "endpointslices of " + m.Context + ": " + resources.EndpointSlices.Of(m.Cluster).Why()
			continue
		}
		for _, v := range m.viewers {
			if !v.programs(m) {
				continue
			}
			if unread := v.own.unreadTLS(); unread != "" {
				why = unread
				continue
			}
			if name := v.passes(m, g.Network); name != "" {
				return name, ""
			}
		}
	}
	return "", why
}

// unreadTLS says what was not read of that which tells the services with mutual TLS; ""
// where all was.
func (m *member) unreadTLS() string {
	switch {
	case !resources.PeerAuthentications.Of(m.Cluster).Known():
		return "peerauthentications of " + m.Context + ": " + resources.PeerAuthentications.Of(m.Cluster).Why()
	case !resources.DestinationRules.Of(m.Cluster).Known():
		return "destinationrules of " + m.Context + ": " + resources.DestinationRules.Of(m.Cluster).Why()
	}
	return ""
}

// passes finds the server name of a Service that gateways of a network in a
// cluster pass on: one that they know, on their own network, with a sidecar
// (pilot/pkg/networking/core/gateway.go, builtAutoPassthroughFilterChains). What no
// listener has among its hosts comes last, and so do the system's own.
func (v *view) passes(m *member, network string) string {
	source := istio.Source{
		Cluster: v.ids[m], Network: network, NetworkView: []string{network}, Namespace: m.SystemNamespace, Gateway: true,
	}
	best, rank := "", 0
	for _, s := range v.Services() {
		for _, port := range s.Ports {
			e := v.Endpoints(source, istio.Destination{Namespace: s.Namespace, Service: s.Name, Port: port})
			if e.Absent != "" || e.ClusterLocal || e.Direct || !slices.ContainsFunc(e.Endpoints, func(e istio.Endpoint) bool {
				return e.Network == network && e.MTLS && e.Health == istio.Healthy && !e.Gateway()
			}) {
				continue
			}
			r := 1
			if v.own.passesHost(e.Host) {
				r += 2
			}
			if s.Namespace != m.SystemNamespace && s.Namespace != "kube-system" {
				r++
			}
			if r > rank {
				best, rank = fmt.Sprintf("outbound_.%d_._.%s", port, e.Host), r
			}
			if rank == 4 {
				return best
			}
		}
	}
	return best
}

// passesHost reports whether some listener passes TLS for a host through.
func (m *member) passesHost(host string) bool {
	for _, g := range resources.Gateways.Of(m.Cluster).Value {
		for _, s := range g.Spec.Servers {
			if s.TLS == nil || s.TLS.Mode != autoPassthrough {
				continue
			}
			for _, h := range s.Hosts {
				h = withoutNamespace(h)
				if h == host || h == "*" || strings.HasPrefix(h, "*.") && strings.HasSuffix(host, h[1:]) {
					return true
				}
			}
		}
	}
	return false
}
