package istiotest

import (
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/runtime"
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

// PrimaryAndRemote is a healthy mesh of two networks: a primary, and a cluster that
// reaches its control plane by Service istiod.
func PrimaryAndRemote(primary, remote string) *Fleet {
	f := Networked(primary, remote)
	f.Clusters[1].injectsByService(f.Clusters[0])
	return f
}

// IstiodAt has Service istiod of a remote cluster lead to other places: that for proxies,
// and that for the API server.
func (c *Cluster) IstiodAt(discovery, injection netip.AddrPort) {
	at := slices.IndexFunc(c.Network.More, func(o runtime.Object) bool {
		s, ok := o.(*discoveryv1.EndpointSlice)
		return ok && s.Namespace == System && s.Name == "istiod"
	})
	one := c.Network.More[at].(*discoveryv1.EndpointSlice)
	other := one.DeepCopy()
	other.Name += "-webhook"
	for i, s := range []*discoveryv1.EndpointSlice{one, other} {
		at := []netip.AddrPort{discovery, injection}[i]
		s.Ports = s.Ports[i : i+1]
		s.Ports[0].Port = ptr(int32(at.Port()))
		s.Endpoints[0].Addresses = []string{at.Addr().String()}
	}
	c.Network.More = append(c.Network.More, other)
}
