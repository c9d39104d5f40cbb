package istio

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// View is what one control plane makes of the API objects of all clusters that
// it watches. Each control plane has its own: it has its own mesh config, its own
// names for clusters, and its own remote secrets.
type View struct {
	// Context is that of the cluster in which the control plane runs.
	Context string
	Istiod  Istiod
	Mesh    MeshConfig
	// MeshNetworks are those that it uses.
	MeshNetworks MeshNetworks
	// Problems say which of its settings the control plane does not take.
	Problems []Problem
	// Hosts are the addresses of the host names that gateways have, as the
	// control plane resolves them; a host that is not there has none.
	Hosts map[string][]string

	watched    []Watched
	ignored    []Ignored
	members    []*member
	candidates []Candidate
	peers      []*api.PeerAuthentication // the oldest first
	rules      *destinationRules
	sidecars   []*api.Sidecar // the oldest first
	routing    *routing
}

// Setting is one of the settings of a control plane that stand in its ConfigMap.
type Setting string

// The settings.
const (
	OfMeshConfig   Setting = "mesh config"
	OfMeshNetworks Setting = "meshNetworks"
)

// Problem is a setting that a control plane does not take.
type Problem struct {
	Setting Setting
	// Text is why, for people.
	Text string
}

// member is a cluster whose objects the control plane sees.
type member struct {
	id      string // its name for this control plane
	local   bool   // it is the control plane's own
	facts   *facts.Cluster
	selects func(namespace string) bool // discovery selectors
	network string                      // label of the system namespace

	services   map[string]*corev1.Service
	slices     map[string][]*discoveryv1.EndpointSlice // by service
	pods       map[string]*facts.Pod
	podsByIP   map[string][]*facts.Pod
	nodes      map[string]*corev1.Node
	exports    map[string]bool // by service
	namespaces map[string]*corev1.Namespace
}

// Views are the views of all control planes of the fleet, in the order of the
// clusters and the Deployments.
func Views(fleet *facts.Fleet) []*View {
	var out []*View
	whole := map[*facts.Cluster]*member{}
	for i := range fleet.Clusters {
		for _, istiod := range Istiods(&fleet.Clusters[i]) {
			out = append(out, newView(fleet, i, istiod, whole))
		}
	}
	return out
}

// ViewOf is the view of the first control plane of a cluster, by its context; nil
// where there is none.
func ViewOf(fleet *facts.Fleet, context string) *View {
	for i := range fleet.Clusters {
		if c := &fleet.Clusters[i]; c.Context == context {
			for _, istiod := range Istiods(c) {
				return newView(fleet, i, istiod, map[*facts.Cluster]*member{})
			}
		}
	}
	return nil
}

// newView makes the view of a control plane. whole has what is the same for all control
// planes that hide nothing of a cluster.
func newView(fleet *facts.Fleet, at int, istiod Istiod, whole map[*facts.Cluster]*member) *View {
	own := &fleet.Clusters[at]
	v := &View{Context: own.Context, Istiod: istiod}
	v.Mesh = MeshConfig{}.Defaulted()
	for _, cm := range resources.MeshConfigs.Of(own).Value {
		if cm.Name != istiod.MeshConfigMap() {
			continue
		}
		if mesh, err := ParseMeshConfig(cm.Name, cm.Data[MeshConfigKey]); err == nil {
			v.Mesh = mesh
		} else {
			v.Problems = append(v.Problems, Problem{OfMeshConfig, err.Error()})
		}
	}
	var err error
	if v.MeshNetworks, err = meshNetworksOf(own, istiod); err != nil {
		v.Problems = append(v.Problems, Problem{OfMeshNetworks, err.Error()})
	}
	v.watch(fleet, at)
	for _, w := range v.watched {
		if w.cluster != nil {
			v.members = append(v.members, v.memberOf(w.ID, w.Secret == "", w.cluster, whole))
		}
	}
	v.candidates, v.peers, v.rules = v.findCandidates(), v.peerAuthentications(), newDestinationRules(v)
	v.sidecars, v.routing = v.ownSidecars(), newRouting(v)
	return v
}

// memberOf is what the control plane sees of a cluster: without discovery selectors
// the same as any other does.
func (v *View) memberOf(id string, local bool, c *facts.Cluster, whole map[*facts.Cluster]*member) *member {
	if len(v.Mesh.DiscoverySelectors) > 0 {
		return v.newMember(id, local, c)
	}
	if whole[c] == nil {
		whole[c] = v.newMember(id, local, c)
	}
	m := *whole[c]
	m.id, m.local, m.network = id, local, ""
	if ns := m.namespaces[v.Istiod.Namespace]; ns != nil {
		m.network = ns.Labels[LabelNetwork]
	}
	return &m
}

// newMember indexes what the control plane sees of a cluster. The discovery
// selectors are those of its own mesh config in every cluster; they hide
// namespaces, but not the labels of the system namespace, and no nodes
// (pkg/kube/multicluster/cluster.go, Run; pkg/kube/namespace/filter.go).
func (v *View) newMember(id string, local bool, c *facts.Cluster) *member {
	services, pods := len(resources.Services.Of(c).Value), len(resources.Pods.Of(c).Value)
	m := &member{
		id: id, local: local, facts: c,
		services: make(map[string]*corev1.Service, services), slices: make(map[string][]*discoveryv1.EndpointSlice, services),
		pods: make(map[string]*facts.Pod, pods), podsByIP: make(map[string][]*facts.Pod, pods), nodes: map[string]*corev1.Node{},
		exports: map[string]bool{}, namespaces: map[string]*corev1.Namespace{},
	}
	for i := range resources.Namespaces.Of(c).Value {
		ns := &resources.Namespaces.Of(c).Value[i]
		m.namespaces[ns.Name] = ns
		if ns.Name == v.Istiod.Namespace {
			m.network = ns.Labels[LabelNetwork]
		}
	}
	m.selects = func(namespace string) bool {
		if len(v.Mesh.DiscoverySelectors) == 0 {
			return true
		}
		ns := m.namespaces[namespace]
		return ns != nil && v.Mesh.Selects(ns.Labels)
	}
	for i := range resources.Services.Of(c).Value {
		if s := &resources.Services.Of(c).Value[i]; m.selects(s.Namespace) {
			m.services[s.Namespace+"/"+s.Name] = s
		}
	}
	for i := range resources.EndpointSlices.Of(c).Value {
		s := &resources.EndpointSlices.Of(c).Value[i]
		name, imported := s.Labels[discoveryv1.LabelServiceName], s.Labels[LabelImportedService]
		if name != "" && imported == "" && m.selects(s.Namespace) {
			m.slices[s.Namespace+"/"+name] = append(m.slices[s.Namespace+"/"+name], s)
		}
	}
	for i := range resources.Pods.Of(c).Value {
		p := &resources.Pods.Of(c).Value[i]
		if p.Phase == corev1.PodFailed || !m.selects(p.Namespace) {
			continue
		}
		m.pods[p.Namespace+"/"+p.Name] = p
		if inEndpoints(p) {
			m.podsByIP[p.IP()] = append(m.podsByIP[p.IP()], p)
		}
	}
	for i := range resources.ServiceExports.Of(c).Value {
		if e := &resources.ServiceExports.Of(c).Value[i]; m.selects(e.Namespace) {
			m.exports[e.Namespace+"/"+e.Name] = true
		}
	}
	for i := range resources.Nodes.Of(c).Value {
		m.nodes[resources.Nodes.Of(c).Value[i].Name] = &resources.Nodes.Of(c).Value[i]
	}
	return m
}

// inEndpoints reports whether a pod is looked for when only an address is known
// (pilot/pkg/serviceregistry/kube/controller/pod.go, onEvent).
func inEndpoints(p *facts.Pod) bool {
	return p.Phase != corev1.PodSucceeded && p.IP() != "" && p.Deleted.IsZero() && p.IsReady()
}

// Part is a part of what a control plane reads of a cluster.
type Part string

// The parts.
const (
	PartEverything          Part = "everything" // nothing is known of the cluster
	PartNamespaces          Part = "namespaces"
	PartServices            Part = "services"
	PartEndpointSlices      Part = "endpointslices"
	PartPods                Part = "pods"
	PartNodes               Part = "nodes"
	PartKubernetesGateways  Part = "kubernetes-gateways"
	PartServiceExports      Part = "serviceexports"
	PartMeshConfig          Part = "mesh-config"
	PartRemoteSecrets       Part = "remote-secrets"
	PartPeerAuthentications Part = "peerauthentications"
	PartDestinationRules    Part = "destinationrules"
)

// partWords are the parts whose names are not what people call them.
var partWords = map[Part]string{
	PartKubernetesGateways: "gateways of the Gateway API", PartMeshConfig: "the mesh config", PartRemoteSecrets: "remote secrets",
}

// Unread is something that a prediction would need and that was not read.
type Unread struct {
	Cluster string // its ID for the control plane
	Part    Part
	What    string // Part in words
	State   facts.State
	Why     string
}

// Unread is what is not known of the clusters that the control plane reads:
// predictions are right only as far as nothing is missing.
func (v *View) Unread() []Unread {
	var out []Unread
	for _, w := range v.watched {
		missing := func(part Part, state facts.State, why string) {
			out = append(out, Unread{Cluster: w.ID, Part: part, What: cmp.Or(partWords[part], string(part)), State: state, Why: why})
		}
		c := w.cluster
		if c == nil {
			missing(PartEverything, facts.NotAsked, w.Reason)
			continue
		}
		lacks(resources.Namespaces.Of(c), PartNamespaces, missing)
		lacks(resources.Services.Of(c), PartServices, missing)
		lacks(resources.EndpointSlices.Of(c), PartEndpointSlices, missing)
		lacks(resources.Pods.Of(c), PartPods, missing)
		lacks(resources.Nodes.Of(c), PartNodes, missing)
		lacks(resources.KubernetesGateways.Of(c), PartKubernetesGateways, missing)
		if v.Istiod.On(EnvMCSDiscovery) {
			lacks(resources.ServiceExports.Of(c), PartServiceExports, missing)
		}
		if w.Secret == "" {
			lacks(resources.MeshConfigs.Of(c), PartMeshConfig, missing)
			lacks(resources.RemoteSecrets.Of(c), PartRemoteSecrets, missing)
			lacks(resources.PeerAuthentications.Of(c), PartPeerAuthentications, missing)
			lacks(resources.DestinationRules.Of(c), PartDestinationRules, missing)
		}
	}
	return out
}

// lacks tells missing of a part that was not read.
func lacks[T any](r facts.Read[T], part Part, missing func(part Part, state facts.State, why string)) {
	if !r.Known() {
		missing(part, r.State, r.Why())
	}
}

// member returns a cluster by its name for this control plane, nil where nothing is known of it.
func (v *View) member(id string) *member {
	for _, m := range v.members {
		if m.id == id {
			return m
		}
	}
	return nil
}
