package topology

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// gatewayServices puts Services into the cluster that are, or should be, or
// had better not be gateways between networks.
func (d *draw) gatewayServices() {
	for i := range pick(d, 1, 0, 2, 3) {
		s := &corev1.Service{
			ObjectMeta: d.meta(pick(d, System, "edge"), fmt.Sprintf("gateway-%d", i), map[string]string{"istio": "eastwestgateway"}),
		}
		s.Annotations = map[string]string{}
		if d.chance(0.85) {
			s.Labels[istio.LabelNetwork] = d.c.Network
			if d.chance(0.1) {
				s.Labels[istio.LabelNetwork] = anyOf(d, append(d.networks, "elsewhere")...)
			}
		}
		ports := []int32{15443}
		switch {
		case d.chance(0.1):
			ports = []int32{443}
		case d.chance(0.15):
			ports = append(ports, istio.HBONEPort)
		case d.chance(0.06):
			ports = []int32{istio.HBONEPort}
		}
		if d.chance(0.15) {
			s.Labels[istio.LabelGatewayPort] = anyOf(d, "443", "15443", "often", "9999")
			if !slices.Contains(ports, 443) {
				ports = append(ports, 443)
			}
		}
		for j, p := range ports {
			s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{
				Name: fmt.Sprintf("tls-%d", j), Port: p, TargetPort: intstr.FromInt32(p),
				NodePort: 30000 + int32(100*d.at+10*i+j), Protocol: corev1.ProtocolTCP,
			})
		}
		s.Spec.Selector = map[string]string{"istio": "eastwestgateway"}
		s.Spec.ClusterIP = fmt.Sprintf("10.%d.251.%d", d.at, i+1)
		d.expose(s, i)
		d.put(s)
	}
}

// expose gives a gateway its addresses.
func (d *draw) expose(s *corev1.Service, i int) {
	ip := fmt.Sprintf("203.0.113.%d", 10*d.at+i+10)
	s.Spec.Type = pick(d, corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeNodePort, corev1.ServiceTypeClusterIP)
	if s.Spec.Type == corev1.ServiceTypeClusterIP {
		for j := range s.Spec.Ports {
			s.Spec.Ports[j].NodePort = 0
		}
	}
	switch s.Spec.Type {
	case corev1.ServiceTypeLoadBalancer:
		ingress := pick(d,
			[]corev1.LoadBalancerIngress{{IP: ip}},
			[]corev1.LoadBalancerIngress{{Hostname: d.hostname()}},
			nil,
			[]corev1.LoadBalancerIngress{{IP: ip}, {IP: fmt.Sprintf("203.0.113.%d", 200+d.IntN(5))}},
			[]corev1.LoadBalancerIngress{{IP: ip, Hostname: d.hostname()}},
			[]corev1.LoadBalancerIngress{{IP: fmt.Sprintf("2001:db8:1::%d", d.at+1)}},
		)
		s.Status.LoadBalancer.Ingress = ingress
		if d.chance(0.1) { // counts only for a NodePort
			s.Annotations[istio.AnnotationNodeSelector] = "{}"
		}
	case corev1.ServiceTypeNodePort:
		if d.chance(0.8) {
			s.Annotations[istio.AnnotationNodeSelector] = anyOf(
				d,
				"{}",
				`{"gateway":"yes"}`,
				`{"gateway":"no"}`,
				`gateway: yes`,
				`{"gateway":"yes","rank":1}`,
				"",
			)
		}
	default: // nothing but its own addresses
	}
	if d.chance(0.1) {
		s.Spec.ExternalIPs = []string{fmt.Sprintf("203.0.113.%d", 100+d.IntN(5))}
	}
}

// kubernetesGateways puts Gateways of the Gateway API into the cluster.
func (d *draw) kubernetesGateways() {
	if !d.chance(0.25) {
		return
	}
	ip, host := "IPAddress", "Hostname"
	for i := range 1 + d.IntN(2) {
		g := &api.KubernetesGateway{ObjectMeta: d.meta(pick(d, System, "edge"), fmt.Sprintf("east-west-%d", i), map[string]string{})}
		if d.chance(0.85) {
			g.Labels[istio.LabelNetwork] = anyOf(d, d.networks...)
		}
		if d.chance(0.2) {
			g.Labels[istio.LabelGatewayPort] = "443"
		}
		if d.chance(0.2) {
			g.Annotations = map[string]string{istio.AnnotationGatewayServiceAccount: "gateway"}
		}
		g.Spec.GatewayClassName = anyOf(d, api.ClassRemote, api.ClassEastWest, "istio")
		for range d.IntN(3) {
			g.Spec.Addresses = append(g.Spec.Addresses, anyOf(d,
				api.GatewayAddress{Type: &ip, Value: fmt.Sprintf("203.0.113.%d", 220+d.IntN(5))},
				api.GatewayAddress{Type: &host, Value: d.hostname()},
				api.GatewayAddress{Value: "203.0.113.9"},
			))
		}
		passthrough := &api.ListenerTLS{Mode: "Passthrough"}
		for j := range d.IntN(3) {
			l := anyOf(
				d,
				api.Listener{Port: 15443, Protocol: "TLS", TLS: passthrough},
				api.Listener{Port: 443, Protocol: "TLS", TLS: passthrough},
				api.Listener{
					Port:     35443,
					Protocol: "TLS",
					TLS:      &api.ListenerTLS{Mode: "Passthrough", Options: map[string]string{"gateway.istio.io/listener-protocol": "auto-passthrough"}},
				},
				api.Listener{Port: istio.HBONEPort, Protocol: "HBONE", TLS: &api.ListenerTLS{Mode: "Terminate"}},
				api.Listener{Port: 80, Protocol: "HTTP"},
			)
			l.Name = fmt.Sprintf("l%d", j)
			g.Spec.Listeners = append(g.Spec.Listeners, l)
		}
		d.put(g)
	}
}
