package model

import (
	"net/netip"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// podCounts is what routes ask of the pods of a cluster, which are many: they are counted
// once a run.
type podCounts struct {
	// clientNetwork is the network on which most proxies were told to be.
	clientNetwork string
	// Of the proxies those without a network, those that are on two, those on a network of
	// nobody or of other clusters, and one of the networks.
	withoutNetwork, twoNetworks int
	nobodys, foreign            int
	nobodysName, foreignName    string
	// injected are the proxies by the network that they were given.
	injected map[string]int
	// sidecars are the proxies that take mutual TLS, without those of gateways, by network.
	sidecars map[string]int
	// families are proxies with addresses of one family alone, by network.
	families map[string][2]int
	// hasSidecars and hasAmbient say of which kinds there are workloads.
	hasSidecars, hasAmbient bool
	// unknownID are the proxies with a cluster ID that no control plane of theirs has, lost
	// those that look for istiod by a Service that does not exist.
	unknownID, lost int
	// addresses are those of pods, ranges those of nodes that a pod is in.
	addresses map[string]*facts.Pod
	ranges    []netip.Prefix
}

// routeFacts are what routes ask again and again.
type routeFacts struct {
	pods     map[*Cluster]podCounts
	faults   map[*Gateway][]Fault
	meanings map[*ControlPlane][]string
}

func (m *Mesh) routeFacts() *routeFacts { return Derived(m, findRouteFacts) }

func findRouteFacts(m *Mesh) *routeFacts {
	out := &routeFacts{map[*Cluster]podCounts{}, map[*Gateway][]Fault{}, map[*ControlPlane][]string{}}
	for _, c := range m.Clusters {
		out.pods[c] = c.countPods()
		for _, g := range c.NetworkGateways() {
			out.faults[g] = g.findFaults()
		}
	}
	for _, cp := range m.ControlPlanes {
		out.meanings[cp] = cp.meshNetworksMeaning()
	}
	return out
}

// ClientNetwork is the network of most clients of the cluster; where it has none, that which
// one would most likely be on.
func (c *Cluster) ClientNetwork() string { return c.counts().clientNetwork }

func (c *Cluster) counts() podCounts { return c.mesh.routeFacts().pods[c] }

func (c *Cluster) countPods() podCounts {
	n := podCounts{injected: map[string]int{}, sidecars: map[string]int{}, families: map[string][2]int{}, addresses: c.PodAddresses()}
	homes := c.Network().Homes()
	own := slices.Clone(homes)
	for _, g := range c.NetworkGateways() {
		own = append(own, g.Network)
	}
	by, services := c.ConfiguredBy(), resources.Services.Of(c.Cluster).Known()
	clients := map[string]int{}
	for _, p := range c.ProxyPods() {
		label, env, gateway := p.Labels[istio.LabelNetwork], Variable(p, istio.EnvProxyNetwork), c.IsGatewayPod(p)
		n.injected[env]++
		if env == "" {
			n.withoutNetwork++
		}
		if id := Variable(p, istio.EnvProxyClusterID); id != "" && len(by) > 0 &&
			!slices.ContainsFunc(by, func(cp *ControlPlane) bool { return cp.accepts(c, id) }) {
			n.unknownID++
		}
		if name, ok := ServiceOfHost(DiscoveryHost(p)); ok && services && c.Service(name.Namespace, name.Name) == nil {
			n.lost++
		}
		if !gateway {
			clients[env]++
			n.family(env, p)
		}
		network := env
		if network == "" {
			network = label
		}
		switch {
		case label != "" && env != "" && label != env:
			n.twoNetworks++
		case network == "" || gateway:
		case !slices.Contains(c.mesh.Networks(), network):
			n.nobodys, n.nobodysName = n.nobodys+1, network
		case !slices.Contains(own, network) && len(homes) > 0:
			n.foreign, n.foreignName = n.foreign+1, network
		}
	}
	for _, p := range c.workloads() {
		if !IsProxy(p) {
			n.hasAmbient = true
			continue
		}
		n.hasSidecars = true
		if p.Labels[istio.LabelTLSMode] != "" {
			n.sidecars[Variable(p, istio.EnvProxyNetwork)]++
		}
	}
	n.clientNetwork = c.Network().Home()
	if len(clients) > 0 {
		n.clientNetwork = mostOf(clients)
	}
	n.ranges = c.usedRanges(n.addresses)
	return n
}

// family counts a pod that has addresses of one family alone.
func (n *podCounts) family(network string, p *facts.Pod) {
	f := FamiliesOf(p.IPs)
	counts := n.families[network]
	switch {
	case f.IPv4 && !f.IPv6:
		counts[0]++
	case f.IPv6 && !f.IPv4:
		counts[1]++
	}
	n.families[network] = counts
}

// usedRanges are the ranges of nodes that one of the pods is in.
func (c *Cluster) usedRanges(pods map[string]*facts.Pod) []netip.Prefix {
	var addresses []netip.Addr
	for ip := range pods {
		if address, err := netip.ParseAddr(ip); err == nil {
			addresses = append(addresses, address)
		}
	}
	return slices.DeleteFunc(c.PodRanges(), func(r netip.Prefix) bool { return !slices.ContainsFunc(addresses, r.Contains) })
}
