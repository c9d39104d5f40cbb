package model

import (
	"cmp"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// Route is how clients of one cluster get to workloads of another one, as one control
// plane that configures the clients has it.
type Route struct {
	From, To *Cluster
	// By is the control plane; nil where none that was read configures the clients.
	By *ControlPlane
	// FromNetwork is that of most clients, ToNetwork that of most workloads, as the control
	// plane sees it; "" where there is none, or it is not known.
	FromNetwork, ToNetwork string
	Via                    Via
	// Through are the gateways to which clients are sent.
	Through []Hop
	// Blocked is what keeps requests from arriving, and what was not read that might; what
	// is wrong with a gateway is in Through.
	Blocked []Blocker
	// DependsOn are objects that decide whether the proxies are configured, and of which
	// the model does not say whether they are right. What a rule says of them stops some
	// requests.
	DependsOn []Dependence
}

// Via is how requests travel.
type Via = view.Via

// The ways.
const (
	Direct         = view.Direct
	ThroughGateway = view.ThroughGateway
	NoWay          = view.NoWay
)

// Hop is an address of a gateway to which clients are sent.
type Hop struct {
	// In is the cluster that has Object: a Service, a Gateway, or the ConfigMap of
	// meshNetworks.
	In     *Cluster
	Object finding.Object
	// Network is the one to which it leads.
	Network string
	// Address is an IP address, or a host name that nobody resolved.
	Address string
	Port    uint32
	// Blocked is what is wrong with the gateway; nothing arrives by it.
	Blocked []Blocker
	// OtherFaults is how many errors the gateway has that do not matter to this route.
	OtherFaults int
	// Decides are the contexts of the clusters on which it depends whether the gateway works:
	// its own, and those of the control planes that configure it.
	Decides []string
}

// Dependence is an object of which an error in a cluster matters.
type Dependence struct {
	In     *Cluster
	Object finding.Object
}

// Routes are the ways from a cluster to another one, one for each control plane that
// configures proxies of the first; at least one.
func (m *Mesh) Routes(from, to *Cluster) []Route {
	var out []Route
	for _, cp := range from.ConfiguredBy() {
		r := routing{Route{From: from, To: to, By: cp, Via: NoWay}, m}
		r.find()
		out = append(out, r.Route)
	}
	if len(out) == 0 {
		r := routing{Route{From: from, To: to, Via: NoWay}, m}
		r.unconfigured()
		out = append(out, r.Route)
	}
	return out
}

// routing finds one route.
type routing struct {
	Route
	mesh *Mesh
}

func (r *routing) block(b Blocker) { r.Blocked = append(r.Blocked, b) }

// unconfigured: no control plane that was read configures the clients. The one that
// should does not let their proxies in, unless it watches their cluster.
func (r *routing) unconfigured() {
	if cp := r.From.ManagedBy(); cp != nil {
		if w := r.mesh.Watch(cp.RunsIn, r.From); w.Status == Missing || w.Status == IsIgnored {
			r.block(notWatched(w, Whole))
			return
		}
	}
	r.block(Blocker{Kind: NotConfigured, Extent: Unclarified, Clusters: []*Cluster{r.From}, Unread: r.From.Unread(resources.Istiods)})
}

// find follows the requests as the control plane directs them
// (pilot/pkg/xds/endpoints/ep_filters.go, EndpointsByNetworkFilter).
func (r *routing) find() {
	if !r.watched() {
		return
	}
	r.FromNetwork, r.ToNetwork = r.From.ClientNetwork(), r.By.endpointNetwork(r.To)
	switch {
	case !r.mesh.Several() || r.FromNetwork == r.ToNetwork || r.isOneNetwork():
		r.Via = Direct
		r.sameAddresses()
	case r.ToNetwork == "":
		if u := r.To.Unread(resources.Pods, resources.Namespaces); len(u) > 0 {
			r.block(Blocker{Kind: ByUnread, Extent: Unclarified, Clusters: []*Cluster{r.To}, Unread: u})
			return
		}
		r.Via = Direct
		r.block(Blocker{Kind: NoEndpointNetwork, Extent: Whole, Clusters: []*Cluster{r.To}, Objects: []finding.Object{r.To.systemObject()}})
		return
	case r.FromNetwork == "" && len(r.From.Unread(resources.Pods)) > 0:
		r.block(Blocker{Kind: ByUnread, Extent: Unclarified, Clusters: []*Cluster{r.From}, Unread: r.From.Unread(resources.Pods)})
		return
	case r.FromNetwork == "" && !r.gatewaysWithoutNetwork():
		r.Via = Direct
		r.block(Blocker{Kind: NoClientNetwork, Extent: Whole, Clusters: []*Cluster{r.From}, Objects: []finding.Object{finding.Kind("sidecars")}})
		return
	default:
		r.throughGateways()
	}
	if r.Via != NoWay && !r.hasName() {
		r.pods()
		r.meshNetworks()
	}
	r.accepted()
	r.configured(r.From)
	r.configured(r.To)
	r.doubt()
}

// isOneNetwork reports whether all that the control plane sees is on one network, be it that
// some of it has no network: then it gives out addresses of pods, which all can reach, except
// to clients without a network that it gives gateways.
func (r *routing) isOneNetwork() bool {
	if r.By.SeesSeveral() {
		return false
	}
	given := r.FromNetwork == "" && r.gatewaysWithoutNetwork() && r.By.LeadsTo(r.ToNetwork)
	return !given
}

// hasName reports whether the only gateways are known by a host name that was not resolved.
func (r *routing) hasName() bool {
	return slices.ContainsFunc(r.Blocked, func(b Blocker) bool { return b.Kind == NameNotResolved })
}

// watched reports whether the control plane watches the cluster of the workloads.
func (r *routing) watched() bool {
	if r.By.Cluster == r.To {
		return true
	}
	w := r.mesh.Watch(r.By.Cluster, r.To)
	if _, ok := r.By.NameOf(r.To); ok {
		if w.Status == Stale || w.Status == Impaired && (w.Why != GatewaysUntold || r.From.counts().hasAmbient) {
			r.block(notWatched(w, Some))
		}
		return true
	}
	switch {
	case w.Status == Missing, w.Status == IsIgnored, w.Status == NotExpected && w.Why != SameCluster:
		r.block(notWatched(w, Whole))
	default:
		r.block(notWatched(w, Unclarified))
	}
	return false
}

// gatewaysWithoutNetwork reports whether a proxy without a network is given gateways:
// since 1.30, for every network.
func (r *routing) gatewaysWithoutNetwork() bool { return r.By.Istiod.AtLeast("1.30.0") }

// throughGateways is the route between networks. Clients are given the gateways in the
// cluster of the endpoint, or, where it has none, all of its network.
func (r *routing) throughGateways() {
	var same, all []istio.Gateway
	names := r.By.Names(r.To)
	for _, g := range r.By.Gateways() {
		if g.Network == r.ToNetwork {
			all = append(all, g)
			if slices.Contains(names, g.Cluster) {
				same = append(same, g)
			}
		}
	}
	if len(same) > 0 {
		all = same
	}
	r.Via = ThroughGateway
	if len(all) == 0 {
		r.withoutGateway()
		return
	}
	for _, g := range all {
		for _, c := range g.Candidates {
			r.through(c, g.Network, g.Address, max(g.Port, g.HBONEPort))
		}
	}
	r.kinds()
	r.families()
}

// through adds an address of a gateway.
func (r *routing) through(c istio.CandidateRef, network, address string, port uint32) {
	h, ok := r.By.hop(c, network, address, port)
	if !ok || slices.ContainsFunc(r.Through, func(o Hop) bool {
		return o.In == h.In && o.Object == h.Object && o.Address == h.Address && o.Port == h.Port
	}) {
		return
	}
	r.Through = append(r.Through, h)
}

// hop is what stands behind an address of a gateway; false where its cluster was not reached.
func (cp *ControlPlane) hop(c istio.CandidateRef, network, address string, port uint32) (Hop, bool) {
	h := Hop{In: cp.holderOf(c), Object: cp.CandidateObject(c), Network: network, Address: address, Port: port}
	if h.In == nil {
		return Hop{}, false
	}
	h.Decides = h.In.Deciding()
	h.Blocked, h.OtherFaults = cp.hopFaults(c, h)
	return h, true
}

// HopsAt are the gateways of a network behind an address of PredictedGateways.
func (cp *ControlPlane) HopsAt(network, address string, port uint32) []Hop {
	var out []Hop
	for _, g := range cp.PredictedGateways() {
		if g.Network != network || g.Address != address || port != g.Port && port != g.HBONEPort {
			continue
		}
		for _, c := range g.Candidates {
			if h, ok := cp.hop(c, network, cp.Cluster.mesh.HostOf(address), port); ok {
				out = append(out, h)
			}
		}
	}
	return out
}

// IsOwnError reports whether a finding is an error of the gateway that nothing else but the
// clusters on which it depends decides. Of the ConfigMap of meshNetworks an error may be about
// anything in it.
func (h Hop) IsOwnError(f finding.Finding) bool {
	return f.Severity == finding.Error && f.Object == h.Object && h.Object.Kind != "configmap" &&
		slices.Contains(f.Clusters, h.In.Context) && (len(f.Clusters) < 2 || f.ObjectIn == h.In.Context) &&
		!slices.ContainsFunc(f.Clusters, func(c string) bool { return !slices.Contains(h.Decides, c) })
}

// withoutGateway: the control plane has no gateway of the network, unless a host name
// leads to one.
func (r *routing) withoutGateway() {
	if r.By.Istiod.Setting(istio.EnvResolveHostnames, true) {
		for _, c := range r.By.Candidates() {
			if c.Network == r.ToNetwork && c.Problem == "" {
				for _, a := range c.Addresses {
					r.through(c.CandidateRef, c.Network, a.Address, max(c.Port, c.HBONEPort))
				}
			}
		}
		if len(r.Through) > 0 {
			r.block(Blocker{Kind: NameNotResolved, Extent: Unclarified, Clusters: []*Cluster{r.To}, Tried: r.By.Hosts != nil})
			return
		}
	}
	r.Via = NoWay
	decisive := []istio.Part{
		istio.PartEverything, istio.PartServices, istio.PartNodes, istio.PartMeshConfig, istio.PartKubernetesGateways,
	}
	b := Blocker{
		Kind: NoGateway, Extent: Whole, Clusters: []*Cluster{r.To}, Network: r.ToNetwork,
		Objects: []finding.Object{finding.Named("network", r.ToNetwork)},
	}
	for _, u := range r.By.Unread() {
		if slices.Contains(decisive, u.Part) {
			b.Extent, b.Part, b.PartOf = Unclarified, u.What, r.By.contextOf(u.Cluster)
			break
		}
	}
	b.Meant = r.meantGateways()
	r.block(b)
}

// meantGateways are what is meant to be a gateway of the network, and what is wrong with each.
func (r *routing) meantGateways() []Meant {
	var out []Meant
	for _, c := range r.mesh.Clusters {
		for _, g := range c.NetworkGateways() {
			if g.Network == r.ToNetwork && !g.Accidental {
				out = append(out, Meant{In: c, Object: g.Object(), Faults: g.Faults()})
			}
		}
	}
	return out
}

// endpointNetwork is the network of most workloads of a cluster as the control plane sees
// them; where there are none, that which one would be on.
func (cp *ControlPlane) endpointNetwork(c *Cluster) string {
	counts := map[string]int{}
	for _, p := range c.workloads() {
		counts[cp.PodNetwork(c, p)]++
	}
	if len(counts) == 0 {
		return cmp.Or(cp.NetworkOf(cp.IDOf(c), "", nil).Name, c.Network().Pods)
	}
	return mostOf(counts)
}

// workloads are the pods of the cluster that take mutual TLS, without those of gateways
// between networks.
func (c *Cluster) workloads() []*facts.Pod {
	var out []*facts.Pod
	for i := range resources.Pods.Of(c.Cluster).Value {
		p := &resources.Pods.Of(c.Cluster).Value[i]
		if (IsProxy(p) || c.IsAmbient(p)) && !c.IsGatewayPod(p) && p.IP() != "" {
			out = append(out, p)
		}
	}
	return out
}

// Place is the network on which most workloads of the cluster are for the control planes
// that watch it; "" where nothing names it.
func (c *Cluster) Place() string {
	for _, cp := range c.WatchedBy {
		if network := cp.endpointNetwork(c); network != "" || !c.mesh.Several() {
			return cmp.Or(network, c.Network().Home())
		}
	}
	if len(c.WatchedBy) > 0 && len(c.Unread(resources.Pods, resources.Namespaces)) == 0 {
		return ""
	}
	return c.Network().Home()
}

// systemObject names the system namespace.
func (c *Cluster) systemObject() finding.Object { return finding.Named("namespace", c.SystemNamespace) }

// contextOf is the context of a cluster by its name for the control plane; the name where
// no context of the fleet leads there.
func (cp *ControlPlane) contextOf(id string) string {
	for _, w := range cp.Watches {
		switch {
		case w.ID != id:
		case w.Cluster != nil:
			return w.Cluster.Context
		case w.Secret != nil && w.Secret.Unreached != nil:
			return w.Secret.Unreached.Context
		}
	}
	return id
}

// holderOf is the cluster that has the object of a candidate; nil where it was not reached.
func (cp *ControlPlane) holderOf(c istio.CandidateRef) *Cluster {
	if c.Kind == "MeshNetworks" {
		return cp.RunsIn
	}
	return cp.ClusterOf(c.Cluster)
}

// Deciding are the contexts of the clusters on which it depends how the proxies of this one
// work: it, and those of the control planes that configure them.
func (c *Cluster) Deciding() []string {
	out := []string{c.Context}
	for _, cp := range c.ConfiguredBy() {
		out = append(out, cp.RunsIn.Context)
	}
	return out
}
