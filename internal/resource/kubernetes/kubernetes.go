package kubernetes

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

var v1 = []string{"v1"}

// Namespaces are all namespaces.
var Namespaces = resource.All[corev1.NamespaceList](resource.About{
	Name: "namespaces", File: "namespaces", Kind: "Namespace", Resource: "namespaces", Versions: v1,
}, TrimNamespace)

// Services are all of the cluster's.
var Services = resource.All[corev1.ServiceList](resource.About{
	Name: "services", File: "services", Kind: "Service", Resource: "services", Versions: v1,
}, trimService)

// EndpointSlices are all of the cluster's.
var EndpointSlices = SliceRow(
	resource.About{Name: "endpointslices", File: "endpointslices"}, resource.Belonging[*discoveryv1.EndpointSlice]{},
)

// SliceRow is a row of EndpointSlices.
func SliceRow(about resource.About, b resource.Belonging[*discoveryv1.EndpointSlice]) *resource.Row[[]discoveryv1.EndpointSlice] {
	about.Kind, about.Group, about.Resource, about.Versions = "EndpointSlice", discoveryv1.GroupName, "endpointslices", v1
	return resource.List[discoveryv1.EndpointSliceList](about, b, TrimEndpointSlice)
}

// Nodes are all of the cluster's.
var Nodes = resource.All[corev1.NodeList](resource.About{
	Name: "nodes", File: "nodes", Kind: "Node", Resource: "nodes", Versions: v1,
}, trimNode)

// NetworkPolicies are all of the cluster's.
var NetworkPolicies = resource.All[networkingv1.NetworkPolicyList](resource.About{
	Name: "networkpolicies", File: "networkpolicies", Kind: "NetworkPolicy",
	Group: networkingv1.GroupName, Resource: "networkpolicies", Versions: v1,
}, trimNetworkPolicy)

// TrimNamespace keeps a namespace's labels, its phase, and the UID that tells clusters apart.
func TrimNamespace(n *corev1.Namespace) *corev1.Namespace {
	out := &corev1.Namespace{ObjectMeta: resource.OwnedMeta(&n.ObjectMeta), Status: corev1.NamespaceStatus{Phase: n.Status.Phase}}
	out.UID = n.UID
	annotate(&out.ObjectMeta, only((*Wanted).namespaceAnnotation, n.Annotations))
	return out
}

// trimService keeps what a Service is.
func trimService(s *corev1.Service) *corev1.Service {
	out := &corev1.Service{ObjectMeta: resource.OwnedMeta(&s.ObjectMeta)}
	if wantsWriters(s.Labels) {
		out.ObjectMeta = resource.Meta(&s.ObjectMeta)
	}
	annotate(&out.ObjectMeta, only((*Wanted).serviceAnnotation, s.Annotations))
	out.Spec = corev1.ServiceSpec{
		Type: s.Spec.Type, Selector: s.Spec.Selector, ClusterIP: s.Spec.ClusterIP, ClusterIPs: s.Spec.ClusterIPs,
		ExternalIPs: s.Spec.ExternalIPs, ExternalName: s.Spec.ExternalName, ExternalTrafficPolicy: s.Spec.ExternalTrafficPolicy,
		InternalTrafficPolicy: s.Spec.InternalTrafficPolicy, TrafficDistribution: s.Spec.TrafficDistribution,
		PublishNotReadyAddresses: s.Spec.PublishNotReadyAddresses,
		LoadBalancerClass:        s.Spec.LoadBalancerClass, LoadBalancerSourceRanges: s.Spec.LoadBalancerSourceRanges,
	}
	for _, p := range s.Spec.Ports {
		out.Spec.Ports = append(out.Spec.Ports, corev1.ServicePort{
			Name: p.Name, Port: p.Port, TargetPort: p.TargetPort, NodePort: p.NodePort, Protocol: p.Protocol, AppProtocol: p.AppProtocol,
		})
	}
	for _, c := range s.Status.Conditions {
		if wants((*Wanted).serviceCondition, c.Type) {
			out.Status.Conditions = append(out.Status.Conditions, metav1.Condition{
				Type: c.Type, Status: c.Status, Reason: c.Reason, Message: c.Message, LastTransitionTime: c.LastTransitionTime,
			})
		}
	}
	for _, i := range s.Status.LoadBalancer.Ingress {
		out.Status.LoadBalancer.Ingress = append(out.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{IP: i.IP, Hostname: i.Hostname})
	}
	return out
}

// annotate adds annotations to those that there are.
func annotate(m *metav1.ObjectMeta, more map[string]string) {
	for k, v := range more {
		metav1.SetMetaDataAnnotation(m, k, v)
	}
}

// TrimEndpointSlice keeps the addresses, whether they are ready, and the pods
// that they are of.
func TrimEndpointSlice(s *discoveryv1.EndpointSlice) *discoveryv1.EndpointSlice {
	out := &discoveryv1.EndpointSlice{ObjectMeta: resource.BareMeta(&s.ObjectMeta), AddressType: s.AddressType}
	out.Namespace, out.Labels = resource.Once(s.Namespace), nil
	for k, v := range s.Labels {
		if k == discoveryv1.LabelServiceName || k == discoveryv1.LabelManagedBy || wants((*Wanted).sliceLabel, k) {
			if out.Labels == nil {
				out.Labels = map[string]string{}
			}
			out.Labels[resource.Once(k)] = resource.Once(v)
		}
	}
	for _, p := range s.Ports {
		out.Ports = append(out.Ports, discoveryv1.EndpointPort{Name: p.Name, Port: p.Port, Protocol: p.Protocol})
	}
	for _, e := range s.Endpoints {
		trimmed := discoveryv1.Endpoint{Addresses: e.Addresses, Conditions: e.Conditions, NodeName: e.NodeName}
		if e.TargetRef != nil {
			trimmed.TargetRef = &corev1.ObjectReference{
				Kind: resource.Once(e.TargetRef.Kind), Namespace: resource.Once(e.TargetRef.Namespace), Name: e.TargetRef.Name,
			}
		}
		out.Endpoints = append(out.Endpoints, trimmed)
	}
	return out
}

// trimNode keeps where a node is, how it is reached, whether it takes pods, and what its kubelet is.
func trimNode(n *corev1.Node) *corev1.Node {
	out := &corev1.Node{ObjectMeta: resource.BareMeta(&n.ObjectMeta)}
	out.Labels = resource.Shared(n.Labels)
	out.Spec.PodCIDR, out.Spec.PodCIDRs, out.Spec.ProviderID = n.Spec.PodCIDR, n.Spec.PodCIDRs, n.Spec.ProviderID
	out.Spec.Unschedulable = n.Spec.Unschedulable
	out.Status.Addresses = n.Status.Addresses
	out.Status.NodeInfo.KubeletVersion = resource.Once(n.Status.NodeInfo.KubeletVersion)
	out.Status.NodeInfo.OperatingSystem = resource.Once(n.Status.NodeInfo.OperatingSystem)
	out.Status.NodeInfo.Architecture = resource.Once(n.Status.NodeInfo.Architecture)
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			out.Status.Conditions = []corev1.NodeCondition{{Type: c.Type, Status: c.Status, LastTransitionTime: c.LastTransitionTime}}
		}
	}
	return out
}

// trimNetworkPolicy keeps what comes in: which ports of which pods, and from where.
func trimNetworkPolicy(p *networkingv1.NetworkPolicy) *networkingv1.NetworkPolicy {
	out := &networkingv1.NetworkPolicy{ObjectMeta: resource.BareMeta(&p.ObjectMeta)}
	out.Spec = networkingv1.NetworkPolicySpec{PodSelector: p.Spec.PodSelector, PolicyTypes: p.Spec.PolicyTypes, Ingress: p.Spec.Ingress}
	return out
}
