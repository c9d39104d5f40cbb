package model

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// hopFaults are what keeps requests from getting through a gateway that the control plane
// uses, and how many errors it has besides that only others notice.
func (cp *ControlPlane) hopFaults(c istio.CandidateRef, h Hop) (blocked []Blocker, others int) {
	var faults []Fault
	replaced := false
	for _, g := range h.In.NetworkGateways() {
		if c.Kind == "Service" && g.Object() == h.Object && g.Network == h.Network {
			faults, replaced = g.Faults(), g.Replaced()
			if slices.ContainsFunc(g.HiddenFrom(), func(cp *ControlPlane) bool { return slices.Contains(h.Decides, cp.Cluster.Context) }) {
				others++
			}
		}
	}
	for _, o := range cp.Candidates() {
		if (c.Kind != "Service" || cp.IsWaypoint(c)) && o.CandidateRef == c && o.Network == h.Network {
			faults = append(faults, cp.CandidateFaults(o)...)
		}
	}
	for _, f := range faults {
		switch {
		case f == FaultNoHBONE:
			others++
		case f == FaultSharedAddress && !cp.isShared(h.Address, h.Port), f == FaultNameMisleads && !IsLocalAddress(AddressOf(h.Address)):
			// Of another address of the gateway.
		case replaced && (f == FaultPortMissing || f == FaultNotReady):
			// Another gateway of the network in the same cluster takes the requests.
		case f.stops():
			b := Blocker{Kind: GatewayFault, Extent: Whole, Clusters: []*Cluster{h.In}, Objects: []finding.Object{h.Object}, Fault: f}
			if f == FaultSharedAddress {
				b.Objects = append(b.Objects, AddressObject(h.Address, h.Port))
			}
			if f == FaultAccidental {
				b.Objects = append(b.Objects, finding.Kind("services"))
			}
			blocked = append(blocked, b)
		}
	}
	return blocked, others
}

// sameAddresses: on one network requests go straight to pods, for which no address may be
// there twice. Where clusters share nodes, what is there twice is the same.
func (r *routing) sameAddresses() {
	a, b := r.From, r.To
	if !sharesNetwork(a, b) || sharesNodes(a, b) {
		return
	}
	x, y := a.counts(), b.counts()
	twice := false
	for ip := range x.addresses {
		twice = twice || y.addresses[ip] != nil
	}
	for _, p := range x.ranges {
		twice = twice || slices.ContainsFunc(y.ranges, p.Overlaps)
	}
	if twice {
		r.block(Blocker{Kind: SameAddresses, Extent: Whole, Clusters: []*Cluster{a, b}})
	}
}

// sharesNetwork reports whether two clusters are meant to be one network.
func sharesNetwork(a, b *Cluster) bool {
	x, y := a.Network().Homes(), b.Network().Homes()
	if len(x) == 0 || len(y) == 0 {
		return len(x) == len(y)
	}
	return slices.ContainsFunc(x, func(n string) bool { return slices.Contains(y, n) })
}

func sharesNodes(a, b *Cluster) bool {
	others := b.NodeAddresses()
	for address, name := range a.NodeAddresses() {
		if others[address] == name {
			return true
		}
	}
	return false
}

// pods: those that are not on the network on which most are, for which the route is another.
func (r *routing) pods() {
	if !r.mesh.Several() {
		r.misplaced(r.From, false)
		return
	}
	between := r.Via == ThroughGateway
	if between && !r.gatewaysWithoutNetwork() {
		r.some(NoClientNetwork, r.From, r.From.counts().withoutNetwork, "", finding.Kind("sidecars"))
	}
	r.twoNetworks(r.From)
	r.misplaced(r.From, true)
	if between && r.To.Network().Namespace == "" {
		n := 0
		for _, p := range r.To.workloads() {
			if !p.HostNetwork && r.By.PodNetwork(r.To, p) == "" {
				n++
			}
		}
		r.some(NoEndpointNetwork, r.To, n, "", r.To.systemObject())
	}
	r.twoNetworks(r.To)
	r.misplaced(r.To, true)
	r.injected(r.To)
}

// some adds a blocker of some requests, where there are pods that it is about.
func (r *routing) some(kind BlockerKind, c *Cluster, pods int, network string, object finding.Object) {
	if pods > 0 {
		r.block(Blocker{Kind: kind, Extent: Some, Clusters: []*Cluster{c}, Objects: []finding.Object{object}, Pods: pods, Network: network})
	}
}

// twoNetworks: a pod is on the network of its label for others, and on that of its
// environment for itself; the injector writes both.
func (r *routing) twoNetworks(c *Cluster) {
	r.some(TwoNetworks, c, c.counts().twoNetworks, "", finding.Kind("pods"))
}

// misplaced: pods are on a network that is nobody's, or on that of other clusters.
func (r *routing) misplaced(c *Cluster, several bool) {
	n := c.counts()
	switch why := r.mesh.NetworksUnknown(); {
	case n.nobodys > 0 && len(why.Unread) > 0:
		r.block(Blocker{Kind: ByUnread, Extent: Unclarified, Clusters: []*Cluster{c}, Unread: why.Unread})
	case !why.Any() && (several || len(c.NetworkGateways()) > 0):
		r.some(NobodysNetwork, c, n.nobodys, n.nobodysName, finding.Kind("pods"))
	}
	if several && len(c.MeshNetworksUnread()) == 0 {
		r.some(ForeignNetwork, c, n.foreign, n.foreignName, finding.Kind("pods"))
	}
}

// injected: what the injector writes into pods and the label of the system namespace, which
// decides for all other pods, differ.
func (r *routing) injected(c *Cluster) {
	n := c.Network()
	for _, network := range []string{n.Pods, n.InjectionPath, n.Injector} {
		if n.Namespace == "" || network == "" || network == n.Namespace {
			continue
		}
		r.block(Blocker{
			Kind: InjectedElsewhere, Extent: Some, Clusters: []*Cluster{c}, Objects: []finding.Object{c.systemObject()},
			Pods: c.counts().injected[network], Network: network,
		})
		return
	}
}

// families: a client is given the gateways of its own family of addresses; before 1.30 it
// is given the others as well, which it cannot reach.
func (r *routing) families() {
	if len(r.By.gatewaysUnread()) > 0 {
		return
	}
	has := r.By.GatewayFamilies()[r.ToNetwork]
	if has == (Families{}) {
		return // for sidecars there is none at all
	}
	n := 0
	for own, pods := range r.From.counts().families {
		switch {
		case own == "" || own == r.ToNetwork:
		case !has.IPv4:
			n += pods[0]
		case !has.IPv6:
			n += pods[1]
		}
	}
	r.some(NoFamilyGateway, r.From, n, r.ToNetwork, finding.Named("network", r.ToNetwork))
}

// gatewaysUnread are the clusters that the control plane watches of which something was not
// read that may be a gateway.
func (cp *ControlPlane) gatewaysUnread() []istio.Unread {
	return slices.DeleteFunc(cp.Unread(), func(u istio.Unread) bool {
		return !slices.Contains([]istio.Part{
			istio.PartEverything, istio.PartServices, istio.PartNodes, istio.PartMeshConfig, istio.PartKubernetesGateways,
		}, u.Part)
	})
}

// doubt: something was not read that could show what is wrong. It is asked where nothing is.
func (r *routing) doubt() {
	if len(r.Blocked) > 0 {
		return
	}
	r.unread(r.From, resources.Pods, resources.Namespaces, resources.Services)
	r.unread(r.To, resources.Pods, resources.Namespaces, resources.Services, resources.MeshConfigs, resources.RemoteSecrets,
		resources.Webhooks, resources.Istiods, resources.WorkloadEntries, resources.ServiceEntries)
	if r.To.hasIstiod() {
		r.unread(r.To, resources.Injectors)
	}
	if r.Via == Direct {
		r.unread(r.From, resources.Nodes)
		r.unread(r.To, resources.Nodes)
		return
	}
	r.unread(r.From, resources.KubernetesGateways, resources.MeshConfigs, resources.RemoteSecrets)
	for _, h := range r.Through {
		r.unread(h.In, resources.Services, resources.Pods, resources.Istiods, resources.Gateways, resources.KubernetesGateways,
			resources.NetworkPolicies, resources.MeshConfigs, resources.RemoteSecrets)
	}
}

func (r *routing) unread(c *Cluster, rows ...resource.Resource) {
	if u := c.Unread(rows...); len(u) > 0 {
		r.block(Blocker{Kind: ByUnread, Extent: Unclarified, Clusters: []*Cluster{c}, Unread: u})
	}
}

// AddressObject names an address at which several gateways are.
func AddressObject(address string, port uint32) finding.Object {
	return finding.Named("address", address+" port "+portText(port))
}
