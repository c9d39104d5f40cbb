package istiotest

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// inRegions puts the nodes of east and west into regions, and gives west's gateway
// annotations of a load balancer.
func inRegions(ofEast string, annotations map[string]string) func() *Fleet {
	return networked(func(_ *Fleet, east, west *Cluster) {
		for _, n := range east.Network.Nodes {
			n.Labels = map[string]string{corev1.LabelTopologyRegion: ofEast}
		}
		for _, n := range west.Network.Nodes {
			n.Labels = map[string]string{corev1.LabelTopologyRegion: "us-central1"}
		}
		west.Network.Gateway.Annotations = annotations
	})
}

// classic gives west's gateway the host name of a load balancer of AWS, and the ports of an
// ingress gateway, the first of which nobody may listen at.
func classic(host string, first int32, annotations map[string]string) func() *Fleet {
	return westGateway(func(s *corev1.Service) {
		s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "203.0.113.11", Hostname: host}}
		s.Annotations = annotations
		s.Spec.Ports = slices.DeleteFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == first })
		s.Spec.Ports = append([]corev1.ServicePort{{
			Name: "first", Port: first, TargetPort: intstr.FromInt32(first), Protocol: corev1.ProtocolTCP,
		}}, s.Spec.Ports...)
	})
}

// The names of load balancers of AWS: of a classic one, and of a network load balancer.
const (
	classicName = "a1-1234567890.eu-central-1.elb.amazonaws.com"
	networkName = "k8s-a1-1234567890.elb.eu-central-1.amazonaws.com"
)

// ranged makes west's gateway let in ranges of addresses alone; east's nodes have addresses on
// the internet.
func ranged(ranges ...string) func() *Fleet {
	return networked(func(_ *Fleet, east, west *Cluster) {
		for i, n := range east.Network.Nodes {
			n.Status.Addresses = append(n.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeExternalIP, Address: fmt.Sprintf("192.0.2.%d", i+1)})
		}
		west.Network.Gateway.Spec.LoadBalancerSourceRanges = ranges
	})
}

// refused is an event that says that the API server refuses the pods of a workload.
func (c *Cluster) refused(namespace, replicaSet, message string) {
	c.Network.More = append(c.Network.More, &corev1.Event{
		ObjectMeta: meta(namespace, replicaSet+".1", nil), Type: corev1.EventTypeWarning, Reason: "FailedCreate", Message: message,
		InvolvedObject: corev1.ObjectReference{Kind: "ReplicaSet", Namespace: namespace, Name: replicaSet},
		LastTimestamp:  metav1.NewTime(Now.Add(-5 * time.Minute)), FirstTimestamp: metav1.NewTime(Now.Add(-time.Hour)),
	})
}

// waypointIn gives a cluster a waypoint with the label of a network, and addresses.
func (c *Cluster) waypointIn(addresses ...api.GatewayAddress) {
	c.Network.More = append(c.Network.More, &api.KubernetesGateway{
		ObjectMeta: meta("sample", "waypoint", map[string]string{istio.LabelNetwork: c.Network.Name}),
		Spec: api.KubernetesGatewaySpec{
			GatewayClassName: api.ClassWaypoint, Addresses: addresses, Listeners: []api.Listener{{Name: "mesh", Port: 15008, Protocol: "HBONE"}},
		},
		Status: api.KubernetesGatewayStatus{Conditions: []metav1.Condition{{Type: "Programmed", Status: metav1.ConditionTrue}}},
	})
}

// waypointService gives a cluster the Service that istiod makes of a waypoint.
func (c *Cluster) waypointService(kind corev1.ServiceType) *corev1.Service {
	s := &corev1.Service{ObjectMeta: meta("sample", "waypoint", map[string]string{
		istio.LabelNetwork: c.Network.Name, istio.LabelGatewayName: "waypoint", istio.LabelGatewayManaged: istio.ManagedWaypoint,
	})}
	s.Spec = corev1.ServiceSpec{
		Type: kind, ClusterIP: "10.96.9.9", Selector: map[string]string{istio.LabelGatewayName: "waypoint"},
		Ports: []corev1.ServicePort{{Name: "mesh", Port: 15008, Protocol: corev1.ProtocolTCP}},
	}
	c.Network.More = append(c.Network.More, s)
	return s
}

// waiting gives west a Gateway of an ambient network that nobody has taken yet.
func waiting(do func(k *api.KubernetesGateway)) func() *Fleet {
	return networked(func(f *Fleet, _, west *Cluster) {
		ambient(f)
		k := west.Network.eastWest()
		west.Network.Gateway, west.Network.GatewayPods = nil, nil
		k.Status = api.KubernetesGatewayStatus{Conditions: []metav1.Condition{
			{Type: "Accepted", Status: metav1.ConditionUnknown, Reason: "Pending"},
			{Type: "Programmed", Status: metav1.ConditionUnknown, Reason: "Pending"},
		}}
		do(k)
	})
}

func hostname(value string) api.GatewayAddress {
	return api.GatewayAddress{Type: ptr("Hostname"), Value: value}
}

// cloudHealthy are healthy fleets that resemble faults of load balancers, revisions and
// waypoints.
var cloudHealthy = []Case{
	{Name: "internal load balancer with global access", Fleet: inRegions("europe-west1", map[string]string{
		istio.AnnotationGKEType: "Internal", istio.AnnotationGKEGlobalAccess: "true",
	})},
	{Name: "internal load balancer of the same region", Fleet: inRegions("us-central1", map[string]string{istio.AnnotationGKEType: "Internal"})},
	{Name: "load balancer on the internet, in another region", Fleet: inRegions("europe-west1", nil)},
	{Name: "classic load balancer that checks the status port", Fleet: classic(classicName, 15021, nil)},
	{Name: "classic load balancer that is told what to check", Fleet: classic(classicName, 80, map[string]string{istio.AnnotationAWSHealthPort: "31021"})},
	{Name: "network load balancer, which checks each port by itself", Fleet: classic(networkName, 80, nil)},
	{Name: "load balancer that lets the other nodes in", Fleet: ranged("198.51.100.0/24", "192.0.2.0/24")},
	{Name: "waypoint with the label of the network", Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.waypointIn()
		west.waypointService(corev1.ServiceTypeClusterIP)
	})},
	{Name: "Gateway of the revision that programs the gateway", Fleet: westListener(func(g *api.Gateway) {
		g.Labels = map[string]string{istio.LabelRevision: "default"}
	})},
}

// cloudFaults are those of load balancers, revisions, waypoints and refused pods.
var cloudFaults = []Case{
	{Name: "internal load balancer of another region", Want: []string{"GW040 error west"}, Fleet: inRegions("europe-west1", map[string]string{
		istio.AnnotationGKETypeOld: "Internal",
	})},
	{Name: "classic load balancer that checks a port without a listener", Want: []string{"GW041 error west"}, Fleet: classic(classicName, 80, nil)},
	{Name: "load balancer that lets no other node in", Want: []string{"GW042 warning west"}, Fleet: ranged("198.51.100.0/24")},
	{Name: "load balancer on the internet that lets private addresses in", Want: []string{"GW042 warning west"}, Fleet: ranged("10.0.0.0/8")},
	{Name: "waypoint advertised by a name", Want: []string{"GW039 warning west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.waypointIn(hostname("waypoint.sample.svc.cluster.local"))
	})},
	{Name: "waypoint advertised by its load balancer", Want: []string{"GW039 error west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.waypointIn()
		west.waypointService(corev1.ServiceTypeLoadBalancer).Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "203.0.113.66"}}
	})},
	{Name: "Gateway of another revision", Want: []string{"GW010 error west"}, Fleet: westListener(func(g *api.Gateway) {
		g.Labels = map[string]string{istio.LabelRevision: "canary"}
	})},
	{Name: "ambient gateway that no revision takes", Want: []string{"GW038 error west", "AMB003 error west < GW038", "GW001 error west < AMB003"},
		Fleet: waiting(func(k *api.KubernetesGateway) { k.Labels[istio.LabelRevision] = "stable" })},
	{Name: "gateway whose pods are forbidden", Want: []string{"GW012 error west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.Network.GatewayPods = nil
		west.refused(System, "istio-eastwestgateway-7d9c8cb77b", `Error creating: pods "x" is forbidden: exceeded quota: team, requested: cpu=1`)
	})},
	{Name: "injection webhook that does not answer", Want: []string{"PR014 error west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.refused("sample", "web-6c9f8d6b5", `Error creating: Internal error occurred: failed calling webhook `+
			`"rev.namespace.sidecar-injector.istio.io": failed to call webhook: Post "https://istiod.istio-system.svc:443/inject?timeout=10s": context deadline exceeded`)
	})},
	{Name: "remote cluster that goes to a node of its primary by istiod's ports", Want: []string{"PR015 error west"}, Fleet: primaryAndRemote(func(east, west *Cluster) {
		east.Network.Gateway.Spec.Type, east.Network.Gateway.Status = corev1.ServiceTypeNodePort, corev1.ServiceStatus{}
		east.Network.Gateway.Annotations = map[string]string{istio.AnnotationNodeSelector: "{}"}
		for i := range east.Network.Gateway.Spec.Ports {
			east.Network.Gateway.Spec.Ports[i].NodePort = int32(31000 + i)
		}
		n := east.Network.Nodes[0]
		n.Status.Addresses = append(n.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeExternalIP, Address: "203.0.113.90"})
		object[*discoveryv1.EndpointSlice](west).Endpoints[0].Addresses = []string{"203.0.113.90"}
	})},
}
