package probing

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// directTargets are a ready pod with a sidecar of each network. Only a pod of another
// network tells anything by trying it, and only where all clusters are known and none
// could have that address itself.
func directTargets(m *model.Mesh) []Target {
	if !m.Several() || m.NetworksUnknown().Any() || m.Partial {
		return nil
	}
	var out []Target
	for _, network := range m.Networks() {
		if t, ok := directTarget(m, network); ok {
			out = append(out, t)
		}
	}
	return out
}

func directTarget(m *model.Mesh, network string) (Target, bool) {
	for _, c := range m.Members() {
		if c.Network().Home() != network || !resources.EndpointSlices.Of(c.Cluster).Known() {
			continue
		}
		var from []string
		for _, o := range m.Members() {
			if !slices.Contains(o.Network().Homes(), network) {
				from = append(from, o.Context)
			}
		}
		pods := podsWithOwnAddress(m, c)
		if len(from)*len(pods) == 0 {
			continue
		}
		for _, cp := range c.ConfiguredBy() {
			if t, ok := directPod(cp, c, network, pods); ok {
				t.from = from
				return t, true
			}
		}
	}
	return Target{}, false
}

// directPod finds an endpoint that is one of the pods, and takes mutual TLS.
func directPod(cp *model.ControlPlane, c *model.Cluster, network string, pods map[string]*facts.Pod) (Target, bool) {
	source := gatewaySource(cp, c, network)
	for _, s := range cp.Services() {
		for _, port := range s.Ports {
			found := cp.Endpoints(source, istio.Destination{Namespace: s.Namespace, Service: s.Name, Port: port})
			if found.Absent != "" {
				continue
			}
			for _, e := range found.Endpoints {
				p := pods[e.Address]
				if p == nil || p.Namespace+"/"+p.Name != e.Pod || !slices.Contains(cp.Names(c), e.Cluster) ||
					e.Network != network || !e.MTLS || e.Health != istio.Healthy || e.Gateway() {
					continue
				}
				return Target{
					Probe: facts.Probe{
						Address: e.Address, Port: e.Port, Protocol: protocolSidecar, ServerName: fmt.Sprintf("outbound_.%d_._.%s", port, found.Host),
					},
					Purpose: PodToPod, Cluster: c.Context, Network: network, Object: finding.In("pod", p.Namespace, p.Name),
				}, true
			}
		}
	}
	return Target{}, false
}

// podsWithOwnAddress are the ready pods of a cluster by address, those that no other
// cluster can have.
func podsWithOwnAddress(m *model.Mesh, c *model.Cluster) map[string]*facts.Pod {
	var ranges []netip.Prefix
	taken := map[string]bool{}
	for _, o := range m.Clusters {
		if o == c {
			continue
		}
		ranges = append(ranges, o.PodRanges()...)
		for address := range o.NodeAddresses() {
			taken[address] = true
		}
		for i := range resources.Pods.Of(o.Cluster).Value {
			taken[resources.Pods.Of(o.Cluster).Value[i].IP()] = true
		}
	}
	slices.SortFunc(ranges, netip.Prefix.Compare)
	ranges = slices.Compact(ranges)
	out := c.PodAddresses()
	for address, p := range out {
		ip, err := netip.ParseAddr(address)
		if err != nil || taken[address] || !p.IsReady() || slices.ContainsFunc(ranges, func(r netip.Prefix) bool { return r.Contains(ip) }) {
			delete(out, address)
		}
	}
	return out
}
