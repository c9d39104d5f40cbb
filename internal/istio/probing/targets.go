// Package probing is what can be tried of a mesh from outside, and what came of it: the
// addresses of gateways between networks and of control planes, and host names that stand
// for addresses. Everything in it is pure: package probe does the trying.
package probing

import (
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
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

// Target is one address and port that can be tried: of a gateway, of a control plane, or
// of a pod.
type Target struct {
	facts.Probe
	Purpose Purpose
	// For is the context of the remote cluster that is told to use the address, and
	// Host the name for which it checks the certificate; "" with Requests.
	For, Host string
	// Cluster is the context in which Object is: the gateway, the control plane or the pod.
	Cluster string
	Object  finding.Object
	Network string
	// Clients are the contexts of the clusters whose workloads are to accept what the
	// gateway leads to: those on other networks, or all where there are none.
	Clients []string
	// Blind says why TLS is not to be tried; "" where it is.
	Blind string
	// CheckedBy is by what a client checks istiod; only with Discovery and Injection.
	CheckedBy Authority

	from []string // contexts of the clusters from which it is tried, with PodToPod
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

// Targets are the addresses of all gateways of the fleet, each once for a network,
// whether or not control planes advertise them, and those at which remote clusters are
// told to find their control plane; and a pod of each network.
func Targets(m *model.Mesh) []Target {
	var out []Target
	add := func(t Target) {
		if !slices.ContainsFunc(out, func(o Target) bool {
			return o.Network == t.Network && o.Address == t.Address && o.Port == t.Port
		}) {
			out = append(out, t)
		}
	}
	names := map[owner]serverName{}
	for _, g := range gatewaysOf(m) {
		for _, a := range g.Addresses {
			t := Target{Purpose: Requests, Cluster: g.cluster, Object: g.object, Network: g.Network, Clients: clientsOf(m, g.Network)}
			t.Address = a.Address
			if g.Port != 0 {
				key := owner{g.cluster, g.Network, g.object}
				if _, ok := names[key]; !ok {
					names[key] = serverNameFor(m, key)
				}
				sidecar := t
				sidecar.Port, sidecar.ServerName, sidecar.Blind = g.Port, names[key].name, names[key].why
				if sidecar.Blind == "" {
					sidecar.Protocol = protocolSidecar
				}
				add(sidecar)
			}
			if g.HBONEPort != 0 && g.HBONEPort != g.Port {
				ambient := t
				ambient.Port, ambient.Protocol = g.HBONEPort, protocolHBONE
				add(ambient)
			}
		}
	}
	return slices.Concat(out, controlPlaneTargets(m), directTargets(m))
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

// gateway is what is meant to be a gateway, as a control plane sees it that uses it, else
// as any does.
type gateway struct {
	istio.Candidate
	cluster string
	object  finding.Object
}

// gatewaysOf are the gateways of the fleet, but for Services that a label makes one by
// accident: Services and Gateways of each cluster, then the addresses in meshNetworks.
func gatewaysOf(m *model.Mesh) []gateway {
	var out []gateway
	for _, c := range m.Clusters {
		for _, g := range c.NetworkGateways() {
			if !g.Accidental {
				out = append(out, gateway{seen(g), c.Context, g.Object()})
			}
		}
		for i := range resources.KubernetesGateways.Of(c.Cluster).Value {
			k := &resources.KubernetesGateways.Of(c.Cluster).Value[i]
			if k.Labels[istio.LabelNetwork] != "" && (k.Spec.GatewayClassName == api.ClassRemote || len(k.Spec.Addresses) > 0) {
				out = append(out, gateway{seenByGatewayAPI(c, k), c.Context, model.GatewayObject(k)})
			}
		}
	}
	for _, cp := range m.ControlPlanes {
		for _, c := range cp.Candidates() {
			if c.Kind == "MeshNetworks" {
				out = append(out, gateway{c, cp.Context, cp.ConfigMap()})
			}
		}
	}
	return out
}

func seen(g *model.Gateway) istio.Candidate {
	out := istio.Candidate{Network: g.Network}
	for _, cp := range g.KnownTo() {
		if c, _ := g.Candidate(cp); out.PortFrom == "" || c.Problem == "" {
			out = c
		}
	}
	return out
}

func seenByGatewayAPI(c *model.Cluster, k *api.KubernetesGateway) istio.Candidate {
	out := istio.Candidate{Network: k.Labels[istio.LabelNetwork], Problem: "ignored"}
	for _, cp := range c.WatchedBy {
		for _, o := range cp.Candidates() {
			same := o.Kind == "Gateway" && o.Namespace == k.Namespace && o.Name == k.Name && slices.Contains(cp.Names(c), o.Cluster)
			if same && out.Problem != "" {
				out = o
			}
		}
	}
	return out
}

// clientsOf are the contexts of clusters on other networks; of all where there are none.
func clientsOf(m *model.Mesh, network string) []string {
	var others, all []string
	for _, c := range m.Members() {
		all = append(all, c.Context)
		if c.Network().Home() != network {
			others = append(others, c.Context)
		}
	}
	if others == nil {
		return all
	}
	return others
}

// owner is whose server name is looked for.
type owner struct {
	cluster, network string
	object           finding.Object
}

// serverName is one by which a gateway passes TLS on; why says that there is none.
type serverName struct{ name, why string }

// serverNameFor is the one by which a gateway passes TLS on to a Service that has a
// ready endpoint behind it, which takes mutual TLS.
func serverNameFor(m *model.Mesh, g owner) serverName {
	why := "no service with a ready sidecar on network " + g.network + " is known"
	for _, c := range m.Members() {
		if c.Context != g.cluster && (c.Network().Home() != g.network || g.object.Kind == "service") {
			continue
		}
		if u := c.Unread(resources.EndpointSlices); len(u) > 0 {
			why = u[0].Elsewhere().Text
			continue
		}
		for _, cp := range c.ConfiguredBy() {
			if u := cp.Cluster.Unread(resources.PeerAuthentications, resources.DestinationRules); len(u) > 0 {
				why = u[0].Elsewhere().Text
				continue
			}
			if name := passedOn(cp, c, g.network); name != "" {
				return serverName{name: name}
			}
		}
	}
	return serverName{why: why}
}

// passedOn finds the server name of a Service that gateways of a network in a
// cluster pass on: one that they know, on their own network, with a sidecar
// (pilot/pkg/networking/core/gateway.go, builtAutoPassthroughFilterChains). What no
// listener has among its hosts comes last, and so do the system's own.
func passedOn(cp *model.ControlPlane, c *model.Cluster, network string) string {
	source := gatewaySource(cp, c, network)
	best, rank := "", 0
	for _, s := range cp.Services() {
		for _, port := range s.Ports {
			e := cp.Endpoints(source, istio.Destination{Namespace: s.Namespace, Service: s.Name, Port: port})
			if e.Absent != "" || e.ClusterLocal || e.Direct || !slices.ContainsFunc(e.Endpoints, func(e istio.Endpoint) bool {
				return e.Network == network && e.MTLS && e.Health == istio.Healthy && !e.Gateway()
			}) {
				continue
			}
			r := 1
			if cp.PassesHost(e.Host) {
				r += 2
			}
			if s.Namespace != c.SystemNamespace && s.Namespace != "kube-system" {
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

// gatewaySource is a gateway of a network in a cluster as a client of what is behind it.
func gatewaySource(cp *model.ControlPlane, c *model.Cluster, network string) istio.Source {
	return istio.Source{
		Cluster: cp.IDOf(c), Network: network, NetworkView: []string{network}, Namespace: c.SystemNamespace, Gateway: true,
	}
}
