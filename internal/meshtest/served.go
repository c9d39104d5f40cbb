package meshtest

import (
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// ServedName is the server name by which gateways know the Service of Serve.
const ServedName = "outbound_.5000_._.helloworld.sample.svc.cluster.local"

// Serve gives the clusters a Service with the pods of helloworld behind it.
func (f *Fleet) Serve() *Fleet {
	for _, c := range f.Clusters {
		s := &corev1.Service{ObjectMeta: meta("sample", "helloworld", map[string]string{"app": "helloworld"})}
		s.Spec = corev1.ServiceSpec{
			Type: corev1.ServiceTypeClusterIP, ClusterIP: "10.96.0.50", Selector: map[string]string{"app": "helloworld"},
			Ports: []corev1.ServicePort{{Name: "http", Port: 5000, TargetPort: intstr.FromInt32(5000), Protocol: corev1.ProtocolTCP}},
		}
		e := &discoveryv1.EndpointSlice{ObjectMeta: meta("sample", "helloworld-1", map[string]string{discoveryv1.LabelServiceName: "helloworld"}), AddressType: discoveryv1.AddressTypeIPv4}
		e.Ports = []discoveryv1.EndpointPort{{Name: ptr("http"), Port: ptr(int32(5000)), Protocol: ptr(corev1.ProtocolTCP)}}
		for _, p := range c.Network.Pods {
			if p.Labels["app"] == "helloworld" {
				e.Endpoints = append(e.Endpoints, discoveryv1.Endpoint{
					Addresses: []string{p.Status.PodIP}, Conditions: discoveryv1.EndpointConditions{Ready: ptr(true)}, NodeName: &p.Spec.NodeName,
					TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: p.Namespace, Name: p.Name},
				})
			}
		}
		c.Network.More = append(c.Network.More, s, e)
	}
	return f
}

// GatewayAt gives the gateway of the cluster another address and port.
func (c *Cluster) GatewayAt(at netip.AddrPort) {
	c.GatewayOn(at.Port())
	c.Network.Gateway.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: at.Addr().String()}}
}

// GatewayOn gives the gateway of the cluster another port.
func (c *Cluster) GatewayOn(port uint16) {
	s := c.Network.Gateway
	s.Labels[istio.LabelGatewayPort] = fmt.Sprint(port)
	s.Spec.Ports[1].Port = int32(port)
}
