package mesh

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"istio.io/istio/pkg/config/mesh"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/topology"
)

// small is a cluster with a gateway Service and nothing else.
func small(s *corev1.Service) (*topology.Fleet, *topology.Cluster, []istio.Watched) {
	c := &topology.Cluster{Context: "east", ID: "east", Server: "https://east", Primary: true}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node"}}
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeExternalIP, Address: "192.0.2.1"}}
	c.Objects = append(c.Objects,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: topology.System, Labels: map[string]string{istio.LabelNetwork: "east"}}}, node, s,
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "istio", Namespace: topology.System}, Data: map[string]string{"mesh": "{}"}},
	)
	return &topology.Fleet{Clusters: []*topology.Cluster{c}}, c, []istio.Watched{{ID: "east", Context: "east"}}
}

func eastWest() *corev1.Service {
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "gateway", Namespace: topology.System, Labels: map[string]string{istio.LabelNetwork: "east"}}}
	s.Spec.Ports = []corev1.ServicePort{{Name: "tls", Port: 15443, NodePort: 31443}}
	return s
}

// A load balancer that loses its address stays a gateway (docs/istiod.md).
func TestLostAddressStays(t *testing.T) {
	s := eastWest()
	s.Spec.Type = corev1.ServiceTypeLoadBalancer
	s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "203.0.113.1"}}
	fleet, c, watched := small(s)
	live := start(t, fleet, c, watched)
	if n := len(live.gateways()); n != 1 {
		t.Fatalf("%d gateways", n)
	}
	pending := s.DeepCopy()
	pending.Status = corev1.ServiceStatus{}
	client := live.clients["east"]
	if _, err := client.Kube().CoreV1().Services(s.Namespace).Update(t.Context(), pending, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	live.awaitServices(t, "east", client, "edge")
	if n := len(live.gateways()); n != 1 {
		t.Errorf("%d gateways: istiod forgets it, and docs/istiod.md is out of date", n)
	}
}

// NodePort gateways are forgotten when the network of the system namespace changes, until
// their Service or a node changes (docs/istiod.md).
func TestNodePortsAreForgotten(t *testing.T) {
	s := eastWest()
	s.Spec.Type = corev1.ServiceTypeNodePort
	s.Annotations = map[string]string{istio.AnnotationNodeSelector: "{}"}
	fleet, c, watched := small(s)
	live := start(t, fleet, c, watched)
	if n := len(live.gateways()); n != 1 {
		t.Fatalf("%d gateways", n)
	}
	client := live.clients["east"]
	ns := c.Objects[0].(*corev1.Namespace).DeepCopy()
	ns.Labels[istio.LabelNetwork] = "renamed"
	if _, err := client.Kube().CoreV1().Namespaces().Update(t.Context(), ns, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return live.registries["east"].Network("10.0.0.1", nil) == "renamed" })
	live.awaitServices(t, "east", client, "edge")
	if n := len(live.gateways()); n != 0 {
		t.Errorf("%d gateways: istiod keeps them, and docs/istiod.md is out of date", n)
	}
}

// Mesh networks are taken as istiod's parser takes them: all or nothing.
func TestMeshNetworks(t *testing.T) {
	for _, text := range []string{
		"", "{}", "networks: {}", "networks: {a: {}}", "networks: 7", "networks: {a: {endpoints: [{fromCidr: 10.0.0.0/8}]}}",
		"networks: {a: {endpoints: [{fromCidr: 10.0.0.0}]}}", "networks: {a: {endpoints: [{fromCidr: 10.0.0.0/99}]}}",
		"networks: {a: {endpoints: [{fromCidr: 'fd00::/8'}]}}", "networks: {a: {endpoints: [{fromCidr: ten}]}}",
		"networks: {a: {endpoints: [{fromRegistry: Kubernetes}]}}", "networks: {a: {endpoints: [{fromRegistry: a.b}]}}",
		"networks: {a: {endpoints: [{fromRegistry: a_b}]}}", "networks: {a: {endpoints: [{fromRegistry: -a}]}}",
		"networks: {a: {gateways: [{address: 1.2.3.4, port: 15443}]}}", "networks: {a: {gateways: [{address: 1.2.3.4}]}}",
		"networks: {a: {gateways: [{address: gw.example, port: 1}]}}", "networks: {a: {gateways: [{address: 'gw example', port: 1}]}}",
		"networks: {a: {gateways: [{address: '*.example', port: 1}]}}", "networks: {a: {gateways: [{address: 'gw.example.', port: 1}]}}",
		"networks: {a: {gateways: [{registryServiceName: gw.ns.svc.cluster.local, port: 443}]}}", "networks: {a: {gateways: [{registryServiceName: gw_1, port: 443}]}}",
		"networks: {a: {gateways: [{port: 443}]}}", "networks: {a: {gateways: [{address: 1.2.3.4, port: 70000}]}}",
		"networks: {a: {unheard: of}}", "unheard: of", "[]", "a: [", "networks: {a: {gateways: [{address: 1.2.3.4, port: 1, locality: eu}]}}",
	} {
		_, theirs := mesh.ParseMeshNetworks(text)
		_, ours := istio.ParseMeshNetworks(text)
		if (theirs == nil) != (ours == nil) {
			t.Errorf("%s\npredicted: %v\nistiod: %v", text, ours, theirs)
		}
		if theirs == nil {
			if _, err := istio.ParseMeshNetworks(istio.ReduceMeshNetworks(text)); err != nil {
				t.Errorf("%s\nreduced: %v", text, err)
			}
		}
	}
}
