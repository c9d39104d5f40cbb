package istio

import (
	"cmp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
)

// Health of an endpoint as Envoy is told.
const (
	Healthy     = "HEALTHY"
	Unhealthy   = "UNHEALTHY"
	Draining    = "DRAINING"
	terminating = "TERMINATING"
)

const (
	tlsModeIstio        = "istio"
	labelRegion         = "topology.kubernetes.io/region"
	labelZone           = "topology.kubernetes.io/zone"
	labelHostname       = "kubernetes.io/hostname"
	labelDraining       = "istio.io/draining"
	labelSession        = "istio.io/persistent-session"
	labelSessionHeader  = "istio.io/persistent-session-header"
	labelOldLocality    = "istio-locality"
	labelOldRegion      = corev1.LabelFailureDomainBetaRegion
	labelOldZone        = corev1.LabelFailureDomainBetaZone
	referencedPod       = "Pod"
	disabledTLSMode     = "disabled"
	clusterIPNone       = corev1.ClusterIPNone
	exportedToEveryone  = "*"
	exportedToNamespace = "."
	exportedToNobody    = "~"
)

// workload is one endpoint of one cluster, before a client is looked at, like an
// entry of /debug/endpointShardz
// (pilot/pkg/serviceregistry/kube/controller/endpoint_builder.go, EndpointBuilder).
type workload struct {
	cluster   string
	addresses []string
	port      uint32
	portName  string
	pod       string // namespace/name; "" for what is no pod
	namespace string
	node      string
	network   Network
	locality  string // region/zone/subzone
	labels    placed
	tlsMode   string
	health    string
}

// endpointID is what an endpoint of a Service in one cluster is known by.
type endpointID struct{ address, port string }

// workloads are the endpoints of a Service in one cluster, from all of its
// slices (pilot/pkg/serviceregistry/kube/controller/endpointslice.go,
// updateEndpointCacheForSlice).
func (v *View) workloads(m *member, namespace, name string, memory *Memory) []*workload {
	key := namespace + "/" + name
	service, slices := m.services[key], m.slices[key]
	most := 0
	for _, slice := range slices {
		most += len(slice.Endpoints) * len(slice.Ports)
	}
	out := memory.workloadLists.list(most)
	if memory.seen == nil {
		memory.seen = make(map[endpointID]bool, most)
	}
	clear(memory.seen)
	for _, slice := range slices {
		if slice.AddressType == discoveryv1.AddressTypeFQDN {
			continue
		}
		for i := range slice.Endpoints {
			e := &slice.Endpoints[i]
			for at, address := range e.Addresses {
				pod, found := m.podOf(slice.Namespace, address, e.TargetRef)
				if !found {
					continue
				}
				addresses := e.Addresses[at : at+1 : at+1]
				if all := v.dualStack(service, pod, e); len(all) > 1 {
					if slice.AddressType == discoveryv1.AddressTypeIPv6 {
						continue
					}
					addresses = all
				}
				for _, p := range slice.Ports {
					id := endpointID{addresses[0], valueOf(p.Name)}
					if memory.seen[id] {
						continue
					}
					memory.seen[id] = true
					w := memory.workloads.one()
					*w = v.newWorkload(m, pod, addresses, health(service, e))
					w.port, w.portName = uint32(valueOf(p.Port)), id.port
					out = append(out, w)
				}
			}
		}
	}
	return out
}

// podOf is the pod behind an address. One that is named has to be there; of
// others the address is looked for, in the same namespace. found is false where
// istiod waits for the pod, and so gives out no endpoint.
func (m *member) podOf(namespace, address string, ref *corev1.ObjectReference) (pod *facts.Pod, found bool) {
	if ref != nil && ref.Kind == referencedPod {
		pod = m.pods[ref.Namespace+"/"+ref.Name]
		return pod, pod != nil
	}
	for _, p := range m.podsByIP[address] {
		if p.Namespace == namespace {
			return p, true
		}
	}
	return nil, true
}

// dualStack are the addresses of a pod that istiod takes together.
func (v *View) dualStack(s *corev1.Service, pod *facts.Pod, e *discoveryv1.Endpoint) []string {
	named := e.TargetRef != nil && e.TargetRef.Kind == referencedPod
	if !named || s == nil || len(pod.IPs) < 2 || len(s.Spec.ClusterIPs) < 2 || !v.Istiod.On(EnvDualStack) {
		return nil
	}
	return pod.IPs
}

func (v *View) newWorkload(m *member, pod *facts.Pod, addresses []string, health string) workload {
	w := workload{cluster: m.id, addresses: addresses, tlsMode: disabledTLSMode, health: health}
	var own map[string]string
	if pod != nil {
		own, w.pod = pod.Labels, pod.Namespace+"/"+pod.Name
		w.namespace, w.node, w.locality = pod.Namespace, pod.Node, m.locality(pod)
		if mode, ok := own[LabelTLSMode]; ok {
			w.tlsMode = mode
		}
		w.network = v.podNetwork(m, pod)
	}
	if w.network.Name == "" {
		w.network = v.network(m, addresses[0], own)
	}
	w.labels = placed{own, m.id, w.locality, w.node, w.network.Name}
	return w
}

// locality is where a pod runs: what its label says, else its node's labels
// (pilot/pkg/serviceregistry/kube/controller/controller.go, getPodLocality).
func (m *member) locality(p *facts.Pod) string {
	if label := labeledLocality(p); label != "" {
		return label
	}
	n := m.nodes[p.Node]
	if n == nil {
		return ""
	}
	return nodeLocality(n)
}

func labeledLocality(p *facts.Pod) string {
	label, ok := p.Labels[LabelLocality]
	if !ok {
		label = p.Labels[labelOldLocality]
	}
	if strings.Contains(label, "/") {
		return label
	}
	return strings.ReplaceAll(label, ".", "/")
}

func nodeLocality(n *corev1.Node) string {
	region := cmp.Or(n.Labels[labelRegion], n.Labels[labelOldRegion])
	zone := cmp.Or(n.Labels[labelZone], n.Labels[labelOldZone])
	subzone := n.Labels[LabelSubzone]
	if region == "" && zone == "" && subzone == "" {
		return ""
	}
	return region + "/" + zone + "/" + subzone
}

// NodeLocality is where a node is by its labels; the zero Locality where they do not say it.
func NodeLocality(n *corev1.Node) Locality { return ParseLocality(nodeLocality(n)) }

// PodLocality is where a pod is by its own labels; false where only its node says it.
func PodLocality(p *facts.Pod) (Locality, bool) {
	label := labeledLocality(p)
	return ParseLocality(label), label != ""
}

// health is what becomes of the conditions of an endpoint (endpointHealthStatus).
func health(s *corev1.Service, e *discoveryv1.Endpoint) string {
	unsetOr := func(b *bool) bool { return b == nil || *b }
	c := e.Conditions
	switch {
	case unsetOr(c.Ready):
		return Healthy
	case s != nil && (s.Labels[labelSession] != "" || s.Labels[labelSessionHeader] != "") && unsetOr(c.Serving) && unsetOr(c.Terminating):
		return Draining
	case s != nil && unsetOr(c.Terminating):
		return terminating
	default:
		return Unhealthy
	}
}

// Locality is a place, from the largest part to the smallest.
type Locality struct {
	Region, Zone, Subzone string
}

// ParseLocality reads region/zone/subzone.
func ParseLocality(s string) Locality {
	region, rest, _ := strings.Cut(s, "/")
	zone, rest, _ := strings.Cut(rest, "/")
	subzone, _, _ := strings.Cut(rest, "/")
	return Locality{region, zone, subzone}
}

// String is region/zone/subzone, as far as it is known.
func (l Locality) String() string {
	return strings.TrimRight(l.Region+"/"+l.Zone+"/"+l.Subzone, "/")
}

func valueOf[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
