package survey

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// trimService keeps what a Service is, and the annotations that istiod reads.
func trimService(s *corev1.Service) *corev1.Service {
	out := &corev1.Service{ObjectMeta: bareMeta(&s.ObjectMeta)}
	for k, v := range s.Annotations {
		if domain, _, _ := strings.Cut(k, "/"); domain == "networking.istio.io" || domain == "traffic.istio.io" || domain == "topology.istio.io" || istio.IsLoadBalancerSetting(k) {
			metav1.SetMetaDataAnnotation(&out.ObjectMeta, k, v)
		}
	}
	out.Spec = corev1.ServiceSpec{
		Type: s.Spec.Type, Selector: s.Spec.Selector, ClusterIP: s.Spec.ClusterIP, ClusterIPs: s.Spec.ClusterIPs,
		ExternalIPs: s.Spec.ExternalIPs, ExternalName: s.Spec.ExternalName, ExternalTrafficPolicy: s.Spec.ExternalTrafficPolicy,
		InternalTrafficPolicy: s.Spec.InternalTrafficPolicy, TrafficDistribution: s.Spec.TrafficDistribution,
		PublishNotReadyAddresses: s.Spec.PublishNotReadyAddresses,
	}
	for _, p := range s.Spec.Ports {
		out.Spec.Ports = append(out.Spec.Ports, corev1.ServicePort{
			Name: p.Name, Port: p.Port, TargetPort: p.TargetPort, NodePort: p.NodePort, Protocol: p.Protocol, AppProtocol: p.AppProtocol,
		})
	}
	for _, i := range s.Status.LoadBalancer.Ingress {
		out.Status.LoadBalancer.Ingress = append(out.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{IP: i.IP, Hostname: i.Hostname})
	}
	return out
}

// trimEndpointSlice keeps the addresses, whether they are ready, and the pods
// that they are of.
func trimEndpointSlice(s *discoveryv1.EndpointSlice) *discoveryv1.EndpointSlice {
	out := &discoveryv1.EndpointSlice{ObjectMeta: bareMeta(&s.ObjectMeta), AddressType: s.AddressType}
	out.Namespace, out.Labels = once(s.Namespace), nil
	for k, v := range s.Labels {
		if k == discoveryv1.LabelServiceName || k == discoveryv1.LabelManagedBy || k == istio.LabelImportedService {
			metav1.SetMetaDataLabel(&out.ObjectMeta, once(k), once(v))
		}
	}
	for _, p := range s.Ports {
		out.Ports = append(out.Ports, discoveryv1.EndpointPort{Name: p.Name, Port: p.Port, Protocol: p.Protocol})
	}
	for _, e := range s.Endpoints {
		trimmed := discoveryv1.Endpoint{Addresses: e.Addresses, Conditions: e.Conditions, NodeName: e.NodeName}
		if e.TargetRef != nil {
			trimmed.TargetRef = &corev1.ObjectReference{Kind: once(e.TargetRef.Kind), Namespace: once(e.TargetRef.Namespace), Name: e.TargetRef.Name}
		}
		out.Endpoints = append(out.Endpoints, trimmed)
	}
	return out
}

// trimNode keeps where a node is and how it is reached.
func trimNode(n *corev1.Node) *corev1.Node {
	out := &corev1.Node{ObjectMeta: bareMeta(&n.ObjectMeta)}
	out.Labels = shared(n.Labels)
	out.Spec.PodCIDR, out.Spec.PodCIDRs = n.Spec.PodCIDR, n.Spec.PodCIDRs
	out.Status.Addresses = n.Status.Addresses
	return out
}

func trimPeerAuthentication(p *api.PeerAuthentication) *api.PeerAuthentication {
	return &api.PeerAuthentication{ObjectMeta: bareMeta(&p.ObjectMeta), Spec: p.Spec}
}

func trimDestinationRule(d *api.DestinationRule) *api.DestinationRule {
	return &api.DestinationRule{ObjectMeta: bareMeta(&d.ObjectMeta), Spec: d.Spec}
}

func trimGateway(g *api.Gateway) *api.Gateway {
	return &api.Gateway{ObjectMeta: bareMeta(&g.ObjectMeta), Spec: g.Spec}
}

func trimKubernetesGateway(g *api.KubernetesGateway) *api.KubernetesGateway {
	out := &api.KubernetesGateway{ObjectMeta: bareMeta(&g.ObjectMeta), Spec: g.Spec, Status: g.Status}
	if v := g.Annotations[istio.AnnotationGatewayServiceAccount]; v != "" {
		metav1.SetMetaDataAnnotation(&out.ObjectMeta, istio.AnnotationGatewayServiceAccount, v)
	}
	return out
}

// bareMeta is trimMeta without who wrote what.
func bareMeta(m *metav1.ObjectMeta) metav1.ObjectMeta {
	out := trimMeta(m)
	out.ManagedFields = nil
	return out
}
