package istiotest

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// ztunnel gives the cluster the pods that speak for ambient workloads.
func (c *Cluster) ztunnel() {
	for i := range c.Network.Nodes {
		p := c.pod(System, istio.ZtunnelName, i, ip(c.Network.Pods[i].Status.PodIP), map[string]string{"app": istio.ZtunnelName})
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "DaemonSet", Name: istio.ZtunnelName, UID: "0", Controller: ptr(true)}}
		p.Spec.ServiceAccountName = istio.ZtunnelName
		SetEnv(p, istio.EnvZtunnelNetwork, c.Network.Name)
		SetEnv(p, istio.EnvProxyClusterID, c.Env[istio.EnvClusterID])
		c.Network.More = append(c.Network.More, p)
	}
}

// ip is an address beside the one of a pod.
func ip(podIP string) string { return podIP[:strings.LastIndex(podIP, ".")] + ".250" }

// global gives the cluster a Service of its ambient workloads.
func (c *Cluster) global(labels map[string]string) *corev1.Service {
	s := &corev1.Service{ObjectMeta: meta("sample", "helloworld", labels)}
	s.Spec = corev1.ServiceSpec{
		Type: corev1.ServiceTypeClusterIP, Selector: map[string]string{"app": "helloworld"}, ClusterIP: "10.101.1.1",
		Ports: []corev1.ServicePort{{Name: "http", Port: 5000, Protocol: corev1.ProtocolTCP}},
	}
	// The gateway stays the last.
	at := len(c.Network.More) - 1
	c.Network.More = append(c.Network.More[:at:at], s, c.sliceOf("helloworld"), c.Network.More[at])
	return s
}

// ambientNetworked is a healthy ambient fleet of two networks, with a global Service in
// both clusters, and something done to it.
func ambientNetworked(do func(east, west *Cluster, inEast, inWest *corev1.Service)) func() *Fleet {
	return networked(func(f *Fleet, east, west *Cluster) {
		ambient(f)
		label := func() map[string]string { return map[string]string{istio.LabelGlobal: "true"} }
		do(east, west, east.global(label()), west.global(label()))
	})
}

func (c *Cluster) eachZtunnel(do func(*corev1.Pod)) {
	for _, o := range c.Network.More {
		if p, ok := o.(*corev1.Pod); ok && p.Labels["app"] == istio.ZtunnelName {
			do(p)
		}
	}
}

// pending takes the address of the load balancer away from the gateway of an ambient
// network: istiod puts the one within the cluster into the status of the Gateway.
func (c *Cluster) pending() {
	c.Network.Gateway.Status.LoadBalancer.Ingress = nil
	c.Network.Gateway.Spec.ClusterIP = "10.101.0.8"
	k := c.Network.eastWest()
	k.Status.Addresses[0].Value = "10.101.0.8"
	k.Status.Conditions[0].Status, k.Status.Conditions[0].Reason = metav1.ConditionFalse, "AddressNotAssigned"
	k.Status.Conditions[0].Message = `address pending for hostname "istio-eastwestgateway.istio-system.svc.cluster.local"`
}

// waypoint gives the Service of ambient workloads a waypoint, the Service of which has labels.
func (c *Cluster) waypoint(labels map[string]string) {
	s := &corev1.Service{ObjectMeta: meta("sample", "waypoint", labels)}
	s.Spec = corev1.ServiceSpec{
		Type: corev1.ServiceTypeClusterIP, Selector: map[string]string{istio.LabelGatewayName: "waypoint"}, ClusterIP: "10.101.1.2",
		Ports: []corev1.ServicePort{{Name: "mesh", Port: istio.HBONEPort, Protocol: corev1.ProtocolTCP}},
	}
	if c.Service("helloworld").Labels == nil {
		c.Service("helloworld").Labels = map[string]string{}
	}
	c.Service("helloworld").Labels[istio.LabelWaypoint] = "waypoint"
	// The gateway stays the last.
	at := len(c.Network.More) - 1
	c.Network.More = append(c.Network.More[:at:at], s, c.Network.More[at])
}

// another gives the network a second Gateway.
func (c *Cluster) another(name, address string) *api.KubernetesGateway {
	k := c.Network.eastWest()
	second := k.DeepCopyObject().(*api.KubernetesGateway)
	second.Name, second.Status.Addresses[0].Value = name, address
	// That of the Service stays the last.
	at := len(c.Network.More) - 1
	c.Network.More = append(c.Network.More[:at:at], second, k)
	return second
}

// entry gives the cluster a ServiceEntry for its pods.
func (c *Cluster) entry(labels map[string]string) {
	e := &api.ServiceEntry{ObjectMeta: meta("sample", "hello-mesh", labels), Spec: api.ServiceEntrySpec{
		Hosts: []string{"hello.mesh.internal"}, Location: api.MeshInternal,
		WorkloadSelector: &api.WorkloadEntrySelection{Labels: map[string]string{"app": "helloworld"}},
	}}
	at := len(c.Network.More) - 1 // the gateway stays the last
	c.Network.More = append(c.Network.More[:at:at], e, c.Network.More[at])
}

// ambientHealthy are healthy fleets that resemble faults of ambient mode.
var ambientHealthy = []Case{
	{Name: "ambient services that are global", Fleet: ambientNetworked(func(_, _ *Cluster, _, _ *corev1.Service) {})},
	{Name: "ambient services that are local", Fleet: ambientNetworked(func(_, _ *Cluster, east, west *corev1.Service) {
		east.Labels, west.Labels = nil, map[string]string{istio.LabelGlobal: "false"}
	})},
	{Name: "ambient service that is meant to be local in one cluster", Fleet: ambientNetworked(func(_, _ *Cluster, _, west *corev1.Service) {
		west.Labels = map[string]string{istio.LabelGlobal: "false"}
	})},
	{Name: "all services global", Fleet: ambientNetworked(func(east, west *Cluster, inEast, inWest *corev1.Service) {
		for _, c := range []*Cluster{east, west} {
			c.Mesh["istio"]["serviceScopeConfigs"] = []any{map[string]any{"scope": "GLOBAL"}}
		}
		inEast.Labels, inWest.Labels = nil, nil
	})},
	{Name: "ambient gateway with another listener", Fleet: ambientNetworked(func(_, west *Cluster, _, _ *corev1.Service) {
		k := west.Network.eastWest()
		k.Spec.Listeners = append([]api.Listener{{Name: "other", Port: 15009, Protocol: "HBONE", TLS: &api.ListenerTLS{Mode: "Passthrough"}}}, k.Spec.Listeners...)
	})},
	{Name: "ServiceEntry that is not labeled as global", Fleet: ambientNetworked(func(_, west *Cluster, _, _ *corev1.Service) {
		west.entry(map[string]string{istio.LabelGlobal: "false"})
	})},
	{Name: "waypoints in both clusters", Fleet: ambientNetworked(func(east, west *Cluster, inEast, _ *corev1.Service) {
		inEast.Labels[istio.LabelWaypoint] = "waypoint"
		west.Namespaces["sample"][istio.LabelWaypoint] = "wp"
		for name, c := range map[string]*Cluster{"waypoint": east, "wp": west} {
			k := waypointGateway(metav1.ConditionTrue, "Programmed")
			k.Name = name
			c.Network.add(k)
		}
	})},
	{Name: "namespace that is kept out of ambient mode", Fleet: ambientNetworked(func(_, west *Cluster, _, inWest *corev1.Service) {
		west.Namespaces["sample"] = map[string]string{"istio.io/dataplane-mode": "none"}
		inWest.Labels[istio.LabelGlobal] = "false"
	})},
	{Name: "ambient clusters that sign for several accounts", Fleet: ambientNetworked(func(_, west *Cluster, _, _ *corev1.Service) {
		west.Env[istio.EnvTrustedNodeAccounts] = "kube-system/ztunnel, istio-system/ztunnel"
	})},
}

// ambientFaults are those of ambient mode.
var ambientFaults = []Case{
	{Name: "global services without a config that makes them so", Want: []string{"AMB002 error west"}, Fleet: ambientNetworked(func(_, west *Cluster, _, _ *corev1.Service) {
		delete(west.Mesh["istio"], "serviceScopeConfigs")
	})},
	{Name: "service that is global in one cluster alone", Want: []string{"AMB002 warning east,west"}, Fleet: ambientNetworked(func(_, _ *Cluster, _, west *corev1.Service) { west.Labels = nil })},
	{Name: "ztunnel without a network", Want: []string{"AMB005 error west"}, Fleet: ambientNetworked(func(_, west *Cluster, _, _ *corev1.Service) {
		west.eachZtunnel(func(p *corev1.Pod) { SetEnv(p, istio.EnvZtunnelNetwork, "") })
	})},
	{Name: "ztunnel of the default cluster", Want: []string{"AMB005 error west"}, Fleet: ambientNetworked(func(_, west *Cluster, _, _ *corev1.Service) {
		west.eachZtunnel(func(p *corev1.Pod) { SetEnv(p, istio.EnvProxyClusterID, "Kubernetes") })
	})},
	{Name: "ambient clusters with different trust domains", Want: []string{"AMB006 error east,west"}, Fleet: ambientNetworked(func(_, west *Cluster, _, _ *corev1.Service) {
		west.Mesh["istio"]["trustDomain"] = "west.example.com"
		west.Mesh["istio"]["trustDomainAliases"] = []string{"cluster.local"}
	})},
	{Name: "two ambient gateways of one network", Want: []string{"AMB007 note west"}, Fleet: ambientNetworked(func(_, west *Cluster, _, _ *corev1.Service) {
		west.another("second", "203.0.113.44")
	})},
	{Name: "second ambient gateway without an address", Want: []string{"AMB003 warning west"}, Fleet: ambientNetworked(func(_, west *Cluster, _, _ *corev1.Service) {
		west.another("second", "").Status.Addresses = nil
	})},
	{Name: "ambient gateway that is pending", Want: []string{"AMB030 error west < GW002", "GW001 error west < GW002", "GW002 error west"}, Fleet: ambientNetworked(func(_, west *Cluster, _, _ *corev1.Service) {
		west.pending()
	})},
	{Name: "ambient gateway on another port", Want: []string{"AMB030 error west < GW007", "GW001 error west < GW007", "GW007 error west"}, Fleet: ambientNetworked(func(_, west *Cluster, _, _ *corev1.Service) {
		west.Network.Gateway.Spec.Ports[0].Port = 15009
		west.Network.eastWest().Spec.Listeners[0].Port = 15009
	})},
	{Name: "ambient gateway that is known by its name within the cluster", Want: []string{"AMB030 error west"}, Fleet: ambientNetworked(func(_, west *Cluster, _, _ *corev1.Service) {
		west.Network.eastWest().Status.Addresses = []api.GatewayAddress{{Type: ptr("Hostname"), Value: "istio-eastwestgateway.istio-system.svc.cluster.local"}}
	})},
	{Name: "services that are global by the mesh config of one cluster alone", Want: []string{"AMB002 error east,west"}, Fleet: ambientNetworked(func(east, _ *Cluster, inEast, inWest *corev1.Service) {
		east.Mesh["istio"]["serviceScopeConfigs"] = []any{map[string]any{"scope": "GLOBAL"}}
		inEast.Labels, inWest.Labels = nil, nil
	})},
	{Name: "waypoint that is not global, before 1.28", Want: []string{"AMB015 warning east", "AMB015 warning west"}, Fleet: ambientNetworked(func(east, west *Cluster, _, _ *corev1.Service) {
		for _, c := range []*Cluster{east, west} {
			c.Image = "1.27.1"
			c.waypoint(nil)
		}
	})},
	{Name: "waypoint that is not global, and clients without pods of their own", Want: []string{"AMB015 error east"}, Fleet: ambientNetworked(func(east, west *Cluster, inEast, _ *corev1.Service) {
		east.Image, east.Env[istio.EnvAmbientWaypoint] = "1.29.1", "false"
		inEast.Spec.Selector = map[string]string{"app": "none"}
		for _, c := range []*Cluster{east, west} {
			c.waypoint(nil)
		}
	})},
	{Name: "local service with a global waypoint", Want: []string{"AMB016 note east", "AMB016 note west"}, Fleet: ambientNetworked(func(east, west *Cluster, inEast, inWest *corev1.Service) {
		inEast.Labels, inWest.Labels = map[string]string{}, map[string]string{}
		for _, c := range []*Cluster{east, west} {
			c.waypoint(map[string]string{istio.LabelGlobal: "true"})
		}
	})},
	{Name: "ServiceEntry that is labeled as global", Want: []string{"AMB017 warning west"}, Fleet: ambientNetworked(func(_, west *Cluster, _, _ *corev1.Service) {
		west.entry(map[string]string{istio.LabelGlobal: "true"})
	})},
	{Name: "waypoint in one cluster alone", Want: []string{"AMB009 error east,west"}, Fleet: ambientNetworked(func(_, west *Cluster, _, _ *corev1.Service) {
		west.Namespaces["sample"][istio.LabelWaypoint] = "waypoint"
	})},
	{Name: "istiod that does not know ztunnel", Want: []string{"AMB011 error west"}, Fleet: ambientNetworked(func(_, west *Cluster, _, _ *corev1.Service) {
		west.Env[istio.EnvTrustedNodeAccounts] = "kube-system/ztunnel"
	})},
	{Name: "namespace in ambient mode in one cluster alone", Want: []string{"AMB013 warning east,west"}, Fleet: ambientNetworked(func(_, west *Cluster, _, inWest *corev1.Service) {
		delete(west.Namespaces["sample"], "istio.io/dataplane-mode")
		inWest.Labels[istio.LabelGlobal] = "false"
	})},
}
