package istio

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// Destination is what a source asks for: one port of a Service, or of a subset of it.
type Destination struct {
	Namespace, Service string
	Port               int
	Subset             string
}

// Endpoints are what a source gets for a destination.
type Endpoints struct {
	Host string
	// Absent says why there is no such destination for the source; "" where there is.
	Absent string
	// Reason is the kind of Absent.
	Reason AbsentReason
	// Sidecar is the one that hides it, for HiddenBySidecar.
	Sidecar ObjectName
	// Preference is the object that ranks the endpoints by where they are; "" for none.
	Preference string
	// Definition is the ID of the cluster whose Service counts.
	Definition string
	// Direct: the Service is headless, and sidecars connect to the address that the
	// client asks for. Only gateways take the endpoints.
	Direct bool
	// ClusterLocal: only endpoints of the source's own cluster count.
	ClusterLocal bool
	// Rules are the DestinationRules that apply, namespace/name.
	Rules []string
	// SubsetKnown: the rules that apply define the subset. Without it clients have no such cluster.
	SubsetKnown bool
	// SNI is the name that the rules set for connections with the certificates of the mesh, in
	// place of the one by which gateways between networks know the service; "" for none.
	SNI string
	// Outlier is their outlier detection; nil for none.
	Outlier *api.OutlierDetection
	// Endpoints are in the order of istiod: by locality, and in each the pods before the gateways.
	Endpoints []Endpoint
	// Dropped are the endpoints that clusters have and the source does not get.
	Dropped []Dropped
}

// AbsentReason is why there is no such destination for a source.
type AbsentReason string

// The reasons, in the order in which they are looked for.
const (
	NoService       AbsentReason = "no such service"
	NotVisible      AbsentReason = "not exported to the namespace"
	OtherName       AbsentReason = "another name"
	NoPort          AbsentReason = "no such port"
	HiddenBySidecar AbsentReason = "not named by the Sidecar"
)

// Endpoint is one address that a source may send to.
type Endpoint struct {
	Address string
	// More are further addresses of the same pod.
	More     []string
	Port     uint32
	Cluster  string
	Network  string
	Locality Locality
	Priority uint32
	Weight   uint32
	// LocalityWeight is that of all endpoints of the locality and priority.
	LocalityWeight uint32
	Health         string
	// MTLS: the source uses the certificates of the mesh.
	MTLS bool
	// HBONE: it is a gateway, and the source reaches it by a tunnel in a tunnel, as ambient
	// proxies do.
	HBONE bool
	// Plain is why not, where it does not.
	Plain Decider
	// Pod is namespace/name; "" for a gateway, and for what is no pod.
	Pod string
	// NetworkFrom is what decided the network; "" for a gateway.
	NetworkFrom NetworkOrigin
	Route       Route
	// Behind are the endpoints that a gateway stands for.
	Behind []Backend
}

// Route is why an address is what a source is given.
type Route string

// The routes. All but ThroughGateway lead to the endpoint itself.
const (
	ThroughGateway     Route = "through a gateway of its network"
	SameNetwork        Route = "on the network of the proxy"
	NetworkUnknown     Route = "directly, as the network of the endpoint is not known"
	NoGateways         Route = "directly, as no network has a gateway"
	NoGatewayOfNetwork Route = "directly, as its network has no gateway that the proxy can use"
	SourceUnknown      Route = "directly, as the network of the proxy is not known"
)

// Gateway reports whether the address is that of a gateway between networks.
func (e Endpoint) Gateway() bool { return e.Route == ThroughGateway }

// routeTo is why an endpoint is reached directly.
func (s Source) routeTo(network string, gateways int) Route {
	switch {
	case network == "":
		return NetworkUnknown
	case network == s.Network:
		return SameNetwork
	case gateways == 0:
		return NoGatewayOfNetwork
	default:
		return SourceUnknown
	}
}

// Backend is an endpoint of a cluster as its own clients would reach it.
type Backend struct {
	Cluster string
	Address string
	Port    uint32
	Pod     string // namespace/name; "" for what is no pod
	Network Network
}

// Dropped is an endpoint that a source does not get, and the first reason for that.
type Dropped struct {
	Backend
	Reason DropReason
	// Detail names the objects that decided.
	Detail string
	// Plain is why the endpoint takes no mutual TLS, for NoMTLS.
	Plain Decider
}

// DropReason is why a source does not get an endpoint.
type DropReason string

// The reasons, in the order in which istiod looks for them.
const (
	OtherCluster    DropReason = "the service is local to each cluster"
	NotExported     DropReason = "its cluster does not export the service"
	NotGlobal       DropReason = "istiod has ambient mode across networks turned on, and the service is not global"
	OtherNode       DropReason = "internalTrafficPolicy is Local, and it is on another node"
	OtherPort       DropReason = "its port has another name"
	OtherSubset     DropReason = "it does not have the labels of the subset"
	OutOfView       DropReason = "the proxy asks for other networks only"
	NotReady        DropReason = "it is not ready"
	Leaving         DropReason = "it is terminating"
	IsDraining      DropReason = "it is draining"
	StaysOnNetwork  DropReason = "with ambient mode across networks, gateways are kept to their own network"
	NoHBONEGate     DropReason = "with ambient mode across networks, its network has no gateway that takes HBONE"
	NoSidecarGate   DropReason = "with ambient mode across networks, its network has no gateway that takes mutual TLS"
	NoReachableGate DropReason = "no gateway of its network has an address of the proxy's IP family"
	NoMTLS          DropReason = "it is behind a gateway, and does not take mutual TLS"
	OtherLocality   DropReason = "the locality settings send nothing there"
)

// Endpoints are those that a source gets for a destination
// (pilot/pkg/xds/endpoints/endpoint_builder.go, BuildClusterLoadAssignment).
func (v *View) Endpoints(source Source, to Destination) Endpoints {
	return v.ServiceView(to.Namespace, to.Service, new(Memory)).Endpoints(source, to.Port, to.Subset)
}

// ServiceView is what a control plane has of one Service, for all sources that ask for it.
type ServiceView struct {
	v               *View
	namespace, name string
	service         *service // nil where no cluster has it
	memory          *Memory
	workloads       []*workload
	gateways        gatewaySet
}

// ServiceView is what the control plane has of a Service. It is for one who asks, not for
// several side by side; it and its answers hold until the memory is reset.
func (v *View) ServiceView(namespace, name string, memory *Memory) *ServiceView {
	return &ServiceView{v: v, namespace: namespace, name: name, service: v.service(namespace, name), memory: memory}
}

// Endpoints are those that a source gets for a port of the Service, or of a subset of it.
func (sv *ServiceView) Endpoints(source Source, port int, subset string) Endpoints {
	v, s := sv.v, sv.service
	out := Endpoints{Host: hostname(sv.namespace, sv.name)}
	switch {
	case s == nil:
		out.Reason, out.Absent = NoService, "no cluster that the control plane reads has the Service"
		return out
	case !s.visible(v, source.Namespace):
		out.Reason, out.Definition, out.Absent = NotVisible, s.cluster.id, "the Service is not exported to namespace "+source.Namespace
		return out
	case s.definition.Spec.ExternalName != "" && s.definition.Spec.Type == "ExternalName":
		out.Reason, out.Definition, out.Absent = OtherName, s.cluster.id, "the Service is another name for "+s.definition.Spec.ExternalName
		return out
	}
	out.Definition, out.Direct, out.ClusterLocal = s.cluster.id, s.headless(), isClusterLocal(v.Istiod, v.Mesh, s.host)
	portName, ok := "", false
	for _, p := range s.definition.Spec.Ports {
		if int(p.Port) == port && !ok {
			portName, ok = p.Name, true
		}
	}
	if !ok {
		out.Reason, out.Absent = NoPort, fmt.Sprintf("the Service of cluster %s has no port %d", s.cluster.id, port)
		return out
	}
	if hidden := v.hiddenBy(source, s, port); hidden != nil {
		out.Reason, out.Absent = HiddenBySidecar, "Sidecar "+hidden.Namespace+"/"+hidden.Name+" does not name the Service"
		out.Sidecar = ObjectName{hidden.Namespace, hidden.Name}
		return out
	}
	if sv.workloads == nil {
		sv.gateways = newGatewaySet(v.Gateways())
		sv.workloads = []*workload{}
		for _, m := range v.sortedMembers() {
			sv.workloads = append(sv.workloads, v.workloads(m, s.namespace, s.name, sv.memory)...)
		}
	}
	b := &builder{ServiceView: sv, source: source, port: port, subset: subset, portName: portName, out: &out}
	b.localScope = v.isLocalScope(s)
	b.rule = v.rules.of(source, s.host, s.namespace)
	if b.rule != nil {
		out.Rules = b.rule.from
		_, out.SubsetKnown = b.rule.subset(subset)
		if tls := b.rule.tls(subset, port); tls != nil && tls.Mode == api.TLSIstioMutual {
			out.SNI = tls.SNI
		}
	}
	b.build()
	return out
}

// builder makes the endpoints of one destination for one source.
type builder struct {
	*ServiceView
	source   Source
	port     int
	subset   string
	portName string
	rule     *mergedRule
	out      *Endpoints
	// localScope: only endpoints of the source's own cluster count, as the service is not global.
	localScope bool
}

// group is the endpoints of one locality.
type group struct {
	locality  string
	endpoints []*candidate
	priority  uint32
	weight    uint32
}

// candidate is an endpoint with what ranks it.
type candidate struct {
	Endpoint
	labels placed
	of     *workload // nil for a gateway
}

func (b *builder) build() {
	groups := map[string]*group{}
	b.memory.dropped = b.memory.dropped[:0]
	for _, w := range b.workloads {
		if reason := b.refuses(w); reason != "" {
			b.drop(w, reason)
			continue
		}
		if groups[w.locality] == nil {
			room := len(b.workloads) / (len(groups) + 1) // mostly there is one locality, or all are about as large
			groups[w.locality] = &group{locality: w.locality, endpoints: b.memory.candidateLists.list(room)}
		}
		g := groups[w.locality]
		g.endpoints = append(g.endpoints, b.candidate(w))
	}
	var sorted []*group
	for _, g := range groups {
		sorted = append(sorted, g)
	}
	slices.SortFunc(sorted, func(x, y *group) int { return strings.Compare(x.locality, y.locality) })
	for _, g := range sorted {
		b.splitHorizon(g)
		for _, e := range g.endpoints {
			g.weight += e.Weight
		}
	}
	ranked := b.rank(sorted)
	most := 0
	for _, g := range ranked {
		most += len(g.endpoints)
	}
	b.out.Endpoints = b.memory.endpoints.list(most)
	for _, g := range ranked {
		for _, e := range g.endpoints {
			e.Priority, e.LocalityWeight, e.Locality = g.priority, g.weight, ParseLocality(g.locality)
			b.out.Endpoints = append(b.out.Endpoints, e.Endpoint)
		}
	}
	if dropped := b.memory.dropped; len(dropped) > 0 {
		b.out.Dropped = append(b.memory.drops.list(len(dropped)), dropped...)
	}
}

// sortedMembers are the clusters in the order in which istiod merges their
// endpoints (pilot/pkg/model/endpointshards.go, Keys).
func (v *View) sortedMembers() []*member {
	out := slices.Clone(v.members)
	slices.SortStableFunc(out, func(a, b *member) int { return strings.Compare(a.id, b.id) })
	return out
}

func (b *builder) drop(w *workload, reason DropReason) {
	b.dropOne(Dropped{Backend: backend(w), Reason: reason})
}

func (b *builder) dropOne(d Dropped) { b.memory.dropped = append(b.memory.dropped, d) }

func backend(w *workload) Backend {
	return Backend{Cluster: w.cluster, Address: w.addresses[0], Port: w.port, Pod: w.pod, Network: w.network}
}

// refuses is why an endpoint is out whatever its network
// (endpoint_builder.go, snapshotShards, filterIstioEndpoint).
func (b *builder) refuses(w *workload) DropReason {
	subset, hasSubset := b.rule.subset(b.subset)
	draining := w.health == Draining || w.labels.value(labelDraining) != ""
	switch {
	case w.cluster != b.source.Cluster && b.out.ClusterLocal:
		return OtherCluster
	case w.cluster != b.source.Cluster && !b.discoverable(w.cluster):
		return NotExported
	case w.cluster != b.source.Cluster && b.localScope:
		return NotGlobal
	case b.service.nodeLocal() && (w.cluster != b.source.Cluster || w.node != b.source.Node):
		return OtherNode
	case w.portName != b.portName:
		return OtherPort
	case hasSubset && !w.labels.match(subset.Labels):
		return OtherSubset
	case !b.source.views(w.network.Name):
		return OutOfView
	case w.health == Unhealthy && !b.takesUnhealthy():
		return NotReady
	case w.health == terminating:
		return Leaving
	case draining && b.service.definition.Labels[labelSession] == "":
		return IsDraining
	}
	return ""
}

// discoverable reports whether other clusters may have the endpoints of a cluster: with the
// Multi-Cluster Services API those of exported services alone
// (pilot/pkg/serviceregistry/kube/controller/serviceexportcache.go).
func (b *builder) discoverable(cluster string) bool {
	i, m := b.v.Istiod, b.v.member(cluster)
	if !i.On(EnvMCSDiscovery) || m == nil {
		return true
	}
	key := b.service.namespace + "/" + b.service.name
	return !i.On(EnvMCSClusterLocal) && m.services[key] != nil && m.exports[key]
}

// takesUnhealthy reports whether endpoints that are not ready are given out too,
// marked as such (pilot/pkg/model/service.go, SupportsUnhealthyEndpoints;
// endpoint_builder.go, supportsUnhealthyEndpoints). From 1.31 on they are by default.
func (b *builder) takesUnhealthy() bool {
	i := b.v.Istiod
	if i.On(EnvSendUnhealthy) || b.service.distribution(b.v) != anywhere {
		return true
	}
	if !i.Setting(EnvAutoSendUnhealthy, !i.Before("1.31.0")) {
		return false
	}
	o := b.rule.policy(b.subset, b.port).OutlierDetection
	return o == nil || o.MinHealthPercent <= 0
}

func (b *builder) candidate(w *workload) *candidate {
	e := Endpoint{
		Address: w.addresses[0], Port: w.port, Cluster: w.cluster, Network: w.network.Name, NetworkFrom: w.network.From, Weight: 1,
		Health: w.health, Pod: w.pod,
	}
	if w.labels.value(labelDraining) != "" {
		e.Health = Draining
	}
	if len(w.addresses) > 1 {
		e.More = w.addresses[1:]
	}
	if on, why := b.mtls(w); on {
		e.MTLS = true
	} else {
		e.Plain = why
	}
	c := b.memory.candidates.one()
	c.Endpoint, c.labels, c.of = e, w.labels, w
	return c
}

// mtls reports whether the source uses mutual TLS with an endpoint, and what
// decided where it does not (pilot/pkg/xds/endpoints/mtls_checker.go). What a
// DestinationRule sets is not checked against what the endpoint accepts; an
// endpoint without sidecar never gets it.
func (b *builder) mtls(w *workload) (on bool, why Decider) {
	if w.tlsMode != tlsModeIstio {
		return false, Decider{Text: "label " + LabelTLSMode + " is " + w.tlsMode}
	}
	if mode, set := b.rule.tlsMode(b.subset, b.port); set {
		if mode == api.TLSIstioMutual {
			return true, Decider{}
		}
		from := strings.Join(b.rule.from, ", ")
		d := decider("DestinationRule", from, b.rule.from[0], mode)
		d.OfPort = b.rule.tlsOfPort(b.subset, b.port)
		return false, d
	}
	a := b.v.acceptance(w.namespace, w.labels, w.port)
	if a.Mode != api.MTLSDisable {
		return true, Decider{}
	}
	d := decider("PeerAuthentication", a.From, a.From, a.Mode)
	d.OfPort = a.OfPort
	return false, d
}

// Decider is what decided on mutual TLS.
type Decider struct {
	// Kind is DestinationRule or PeerAuthentication, and Object its namespace/name, or those
	// of all DestinationRules that are merged; both are "" where it was the endpoint itself,
	// and Object where nothing is set.
	Kind, Object string
	// First names Object, or the first of several.
	First ObjectName
	// OfPort: it says so for the port alone.
	OfPort bool
	// Text is the same in words.
	Text string
}

// decider is the one that an object, or several of which the first is named, makes.
func decider(kind, object, first, sets string) Decider {
	namespace, name, _ := strings.Cut(first, "/")
	return Decider{Kind: kind, Object: object, First: ObjectName{namespace, name}, Text: kind + " " + object + " sets " + sets}
}

// splitHorizon puts gateways in the place of endpoints that are on other
// networks (pilot/pkg/xds/endpoints/ep_filters.go, EndpointsByNetworkFilter).
// Without any gateway in the mesh all endpoints are taken to be reached directly.
func (b *builder) splitHorizon(g *group) {
	hbone := b.usesHBONE()
	if len(b.gateways.all) == 0 && !hbone {
		for _, e := range g.endpoints {
			if e.Route = b.source.routeTo(e.Network, 0); e.Route == NoGatewayOfNetwork {
				e.Route = NoGateways
			}
		}
		return
	}
	direct := b.memory.candidateLists.list(len(g.endpoints) + len(b.gateways.all))
	through := map[int]*candidate{} // by index into the gateways
	behind := map[string]int{}      // how many endpoints a network has, for the room that its gateways need
	for _, e := range g.endpoints {
		behind[e.Network]++
	}
	for _, e := range g.endpoints {
		weight := scaled(e.Weight, b.gateways.scale)
		gateways := b.usable(b.gateways.of(e.Network, e.Cluster))
		if reason := b.keptToNetwork(e.Network, gateways); reason != "" {
			b.drop(e.of, reason)
			continue
		}
		forced := b.source.Network == "" && e.Network != "" && len(gateways) > 0 && !b.v.Istiod.Before("1.30.0")
		if !forced && (b.source.inNetwork(e.Network) || len(gateways) == 0) {
			e.Weight, e.Route = weight, b.source.routeTo(e.Network, len(gateways))
			direct = append(direct, e)
			continue
		}
		if !b.v.Istiod.Before("1.30.0") {
			gateways = without(gateways, func(g Gateway) bool { return !b.source.reaches(g.Address) })
		}
		if len(gateways) == 0 {
			b.drop(e.of, NoReachableGate)
			continue
		}
		if !e.MTLS && !hbone {
			b.dropOne(Dropped{Backend: backend(e.of), Reason: NoMTLS, Detail: e.Plain.Text, Plain: e.Plain})
			continue
		}
		for _, gw := range gateways {
			at := slices.IndexFunc(b.gateways.all, func(o Gateway) bool { return compareGateways(o, gw) == 0 })
			c := through[at]
			if c == nil {
				c = b.memory.candidates.one()
				c.labels = placed{cluster: gw.Cluster, network: gw.Network}
				c.Endpoint = Endpoint{
					Address: gw.Address, Port: gw.Port, Cluster: gw.Cluster, Network: gw.Network, Health: Healthy, MTLS: true, Route: ThroughGateway,
					Behind: b.memory.backends.list(behind[e.Network]),
				}
				if hbone {
					c.Port, c.MTLS, c.HBONE = gw.HBONEPort, false, true
				}
				through[at] = c
			}
			c.Weight += weight / uint32(len(gateways))
			c.Behind = append(c.Behind, backend(e.of))
		}
	}
	g.endpoints = direct
	for at := range b.gateways.all {
		if c := through[at]; c != nil {
			c.Weight = cmp.Or(c.Weight, 1)
			g.endpoints = append(g.endpoints, c)
		}
	}
}

// usable are the gateways that the source can talk to: a sidecar needs mutual TLS.
func (b *builder) usable(gateways []Gateway) []Gateway {
	if b.usesHBONE() {
		return without(gateways, func(g Gateway) bool { return g.HBONEPort == 0 })
	}
	return without(gateways, func(g Gateway) bool { return !b.source.Gateway && g.Port == 0 })
}

// without are the gateways that are not to be dropped. Mostly that is all of them.
func without(gateways []Gateway, drop func(Gateway) bool) []Gateway {
	if !slices.ContainsFunc(gateways, drop) {
		return gateways
	}
	return slices.DeleteFunc(slices.Clone(gateways), drop)
}

func scaled(weight, scale uint32) uint32 {
	if weight < math.MaxUint32/scale {
		return weight * scale
	}
	return math.MaxUint32
}
