package istiotest

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

const beta = "service.beta.kubernetes.io/"

// policy gives west's system namespace a network policy for all its pods.
func policy(ingress ...networkingv1.NetworkPolicyIngressRule) func() *Fleet {
	return networked(func(_ *Fleet, _, west *Cluster) { west.policy(ingress...) })
}

func (c *Cluster) policy(ingress ...networkingv1.NetworkPolicyIngressRule) *networkingv1.NetworkPolicy {
	p := &networkingv1.NetworkPolicy{ObjectMeta: meta(System, "default-deny", nil)}
	p.Spec = networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}, Ingress: ingress}
	c.Network.More = append(c.Network.More, p)
	return p
}

// in is a rule for one port, and a last one of a range.
func in(port intstr.IntOrString, last *int32, from ...networkingv1.NetworkPolicyPeer) networkingv1.NetworkPolicyIngressRule {
	return networkingv1.NetworkPolicyIngressRule{Ports: []networkingv1.NetworkPolicyPort{{Port: &port, EndPort: last}}, From: from}
}

var (
	fromPods   = networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{}}
	fromRanges = networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: "0.0.0.0/0"}}
)

// annotated gives west's gateway annotations of a load balancer.
func annotated(annotations map[string]string) func() *Fleet {
	return westGateway(func(s *corev1.Service) { s.Annotations = annotations })
}

// event is one of west's gateway.
func (c *Cluster) event(name, kind, reason, message string, ago time.Duration) {
	c.Network.More = append(c.Network.More, &corev1.Event{
		ObjectMeta: meta(System, name, nil), Type: kind, Reason: reason, Message: message,
		InvolvedObject: corev1.ObjectReference{Kind: "Service", Namespace: System, Name: c.Network.Gateway.Name},
		LastTimestamp:  metav1.NewTime(Now.Add(-ago)), FirstTimestamp: metav1.NewTime(Now.Add(-ago)),
	})
}

// PendingWithEvents is a fleet whose pending gateway's events say why.
func PendingWithEvents() *Fleet {
	f := Networked("east", "west")
	west := f.Get("west")
	west.Network.Gateway.Status = corev1.ServiceStatus{}
	west.event("a", corev1.EventTypeNormal, "EnsuringLoadBalancer", "Ensuring load balancer", time.Minute)
	west.event("b", corev1.EventTypeWarning, "SyncLoadBalancerFailed", "Error syncing load balancer:\n quota exceeded", 5*time.Minute)
	return f
}

// pathHealthy are healthy fleets that resemble faults between clients and gateways.
var pathHealthy = []Case{
	{Name: "load balancer with TLS on another port", Fleet: annotated(map[string]string{
		beta + "aws-load-balancer-ssl-cert": "arn:aws:acm:eu-1:1:certificate/x", beta + "aws-load-balancer-ssl-ports": "443,status-port",
	})},
	{Name: "load balancer that passes everything through", Fleet: annotated(map[string]string{
		beta + "aws-load-balancer-type": "nlb", beta + "aws-load-balancer-backend-protocol": "tcp", "load-balancer.hetzner.cloud/protocol": "tcp",
		beta + "do-loadbalancer-tls-ports": "15443", beta + "do-loadbalancer-tls-passthrough": "true",
	})},
	{Name: "gateway that takes the header of its load balancer", Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.Network.Gateway.Annotations = map[string]string{"load-balancer.hetzner.cloud/uses-proxyprotocol": "true"}
		SetEnv(west.Network.GatewayPods[0], istio.EnvProxyConfig, `{"discoveryAddress":"istiod.istio-system.svc:15012","gatewayTopology":{"proxyProtocol":{}},"tracing":{"datadog":{}}}`)
		west.control()
	})},
	{Name: "network policy that lets everything in", Fleet: policy(networkingv1.NetworkPolicyIngressRule{})},
	{Name: "network policy that lets the port in", Fleet: policy(in(intstr.FromInt32(15443), nil, fromRanges))},
	{Name: "network policy that lets a range in", Fleet: policy(in(intstr.FromInt32(15000), ptr(int32(16000))))},
	{Name: "network policy that lets a name in", Fleet: policy(in(intstr.FromString("tls"), nil))},
	{Name: "network policies of which one lets the port in", Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.policy()
		p := west.policy(in(intstr.FromInt32(15443), nil))
		p.Name, p.Spec.PodSelector.MatchLabels = "gateway", map[string]string{"istio": "eastwestgateway"}
	})},
	{Name: "network policy of other pods", Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.policy().Spec.PodSelector.MatchLabels = map[string]string{"app": "istiod"}
	})},
	{Name: "network policy for what goes out", Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.policy().Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}
	})},
	{Name: "network policy of a gateway on the network of its node", Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.policy()
		west.Network.GatewayPods[0].Spec.HostNetwork = true
	})},
	{Name: "target port by name", Fleet: westGateway(func(s *corev1.Service) { s.Spec.Ports[1].TargetPort = intstr.FromString("tls") })},
	{Name: "listener for the port of the Service, which is another one of the pods", Fleet: westGateway(func(s *corev1.Service) {
		s.Spec.Ports[1].TargetPort = intstr.FromInt32(8443)
	})},
	{Name: "listener on all addresses", Fleet: westListener(func(g *api.Gateway) { g.Spec.Servers[0].Bind = "0.0.0.0" })},
	{Name: "listeners for the same hosts on two addresses", Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		again := *west.Network.Listener
		again.Name, again.Spec.Servers = "again", []api.Server{again.Spec.Servers[0]}
		again.Spec.Servers[0].Hosts, again.Spec.Servers[0].Bind = []string{"*.sample.svc.cluster.local"}, "10.1.0.100"
		west.Network.More = append(west.Network.More, &again)
	})},
	{Name: "NodePort with addresses of nodes by hand", Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.Network.nodePort("{}")
		west.Network.Gateway.Spec.ExternalIPs = []string{"198.51.100.1"}
	})},
}

// control is Service istiod of a cluster with a control plane.
func (c *Cluster) control() {
	c.Network.More = append(c.Network.More, &corev1.Service{
		ObjectMeta: meta(System, "istiod", nil),
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeClusterIP, ClusterIP: "10.102.0.10", Selector: map[string]string{"app": "istiod"},
			Ports: []corev1.ServicePort{{Name: "https-dns", Port: 15012, Protocol: corev1.ProtocolTCP}, {Name: "https-webhook", Port: 443, TargetPort: intstr.FromInt32(15017), Protocol: corev1.ProtocolTCP}},
		},
	})
}

// pathFaults are those between clients and gateways.
var pathFaults = []Case{
	{Name: "load balancer that ends TLS", Want: []string{"GW014 error west"}, Fleet: annotated(map[string]string{
		beta + "aws-load-balancer-ssl-cert": "arn:aws:acm:eu-1:1:certificate/x",
	})},
	{Name: "load balancer that ends TLS on ports that have the gateway's", Want: []string{"GW014 error west"}, Fleet: annotated(map[string]string{
		beta + "aws-load-balancer-ssl-cert": "arn:aws:acm:eu-1:1:certificate/x", beta + "aws-load-balancer-ssl-ports": "443, tls",
	})},
	{Name: "load balancer that speaks HTTP", Want: []string{"GW014 error west"}, Fleet: annotated(map[string]string{
		"load-balancer.hetzner.cloud/protocol": "http", beta + "do-loadbalancer-protocol": "http2",
	})},
	{Name: "network policy that lets nothing in", Want: []string{"GW019 error west"}, Fleet: policy()},
	{Name: "network policy that lets another port in", Want: []string{"GW019 error west"}, Fleet: policy(in(intstr.FromInt32(15021), nil))},
	{Name: "network policy that lets pods in", Want: []string{"GW019 warning west"}, Fleet: policy(in(intstr.FromInt32(15443), nil, fromPods))},
	{Name: "network policy that lets the port of the Service in, which the pods do not have", Want: []string{"GW019 error west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.Network.Gateway.Spec.Ports[1].TargetPort = intstr.FromInt32(8443)
		west.policy(in(intstr.FromInt32(15443), nil))
	})},
	{Name: "Service that sends elsewhere than where its pods listen", Want: []string{"GW019 error west"}, Fleet: westListener(func(g *api.Gateway) {
		g.Spec.Servers[0].Port.Number = 15444
	})},
	{Name: "pods that listen at home", Want: []string{"GW010 error west"}, Fleet: westListener(func(g *api.Gateway) { g.Spec.Servers[0].Bind = "127.0.0.1" })},
	{Name: "listener in another namespace, for an istiod that minds", Want: []string{"GW010 error west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.Env[istio.EnvScopeGateways] = "true"
		west.Network.Listener.Namespace = "sample"
	})},
	{Name: "ports of nodes at addresses that are none of theirs", Want: []string{"GW035 warning west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.Network.nodePort("{}")
		west.Network.Gateway.Spec.ExternalIPs = []string{"203.0.113.11"}
	})},
	{Name: "pending load balancer whose events say why", Want: []string{"GW002 error west", "GW001 error west < GW002"}, Fleet: PendingWithEvents},
}
