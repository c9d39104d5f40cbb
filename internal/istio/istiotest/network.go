package istiotest

import (
	"fmt"
	"maps"
	"slices"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// Network is what a cluster has that networks and gateways are about.
type Network struct {
	// Name is the network on which everything is put; "" for none.
	Name string
	// Gateway is the Service of the gateway between networks, GatewayPods what it
	// selects, Listener what they are told; nil for none.
	Gateway     *corev1.Service
	GatewayPods []*corev1.Pod
	Listener    *api.Gateway
	// Pods are workloads with a sidecar.
	Pods  []*corev1.Pod
	Nodes []*corev1.Node
	// More is anything else.
	More []runtime.Object
}

func (n *Network) injected() string {
	if n == nil || n.Name == "" {
		return "n1"
	}
	return n.Name
}

func (n *Network) objects() []runtime.Object {
	if n == nil {
		return nil
	}
	var out []runtime.Object
	for _, node := range n.Nodes {
		out = append(out, node)
	}
	for _, p := range slices.Concat(n.GatewayPods, n.Pods) {
		out = append(out, p)
	}
	if n.Gateway != nil {
		out = append(out, n.Gateway)
	}
	if n.Listener != nil {
		out = append(out, n.Listener)
	}
	return append(out, n.More...)
}

// Networked makes a healthy mesh in which each cluster is a network of its own,
// network1 and so on, with a gateway to it.
func Networked(names ...string) *Fleet {
	f := Healthy(names...)
	for i, c := range f.Clusters {
		c.populate(i, fmt.Sprintf("network%d", i+1))
		c.SystemLabels = map[string]string{istio.LabelNetwork: c.Network.Name}
		c.gateway(i)
	}
	return f
}

// OneNetwork makes a healthy mesh whose clusters are one network, which has a
// name or, for "", none.
func OneNetwork(network string, names ...string) *Fleet {
	f := Healthy(names...)
	for i, c := range f.Clusters {
		c.populate(i, network)
		if network != "" {
			c.SystemLabels = map[string]string{istio.LabelNetwork: network}
		}
	}
	return f
}

// populate gives the cluster nodes and workloads, with addresses of its own.
func (c *Cluster) populate(at int, network string) {
	n := &Network{Name: network}
	c.Network = n
	for k := range 2 {
		name := fmt.Sprintf("%s-node-%d", c.Name, k)
		n.Nodes = append(n.Nodes, &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/hostname": name}},
			Spec:       corev1.NodeSpec{PodCIDR: fmt.Sprintf("10.%d.%d.0/24", at, k), PodCIDRs: []string{fmt.Sprintf("10.%d.%d.0/24", at, k)}},
			Status:     corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("172.18.%d.%d", at, k+2)}}},
		})
	}
	for k := range 4 {
		workload := []string{"helloworld", "helloworld", "curl", "httpbin"}[k]
		p := c.pod("sample", workload, k, fmt.Sprintf("10.%d.%d.%d", at, k%2, k+10), map[string]string{"app": workload, istio.LabelTLSMode: "istio"})
		inject(p, network)
		n.Pods = append(n.Pods, p)
	}
	plain := c.pod("kube-system", "coredns", 0, fmt.Sprintf("10.%d.0.200", at), map[string]string{"k8s-app": "kube-dns"})
	plain.Spec.Containers[0].Name = "coredns"
	n.More = append(n.More, plain)
}

// pod is one of a Deployment, ready, and old enough to be there for good.
func (c *Cluster) pod(namespace, workload string, n int, ip string, labels map[string]string) *corev1.Pod {
	labels = maps.Clone(labels)
	labels["pod-template-hash"] = "5d5c8b9f7"
	p := &corev1.Pod{ObjectMeta: meta(namespace, fmt.Sprintf("%s-5d5c8b9f7-%05d", workload, n), labels)}
	p.CreationTimestamp = metav1.NewTime(Now.Add(-24 * time.Hour))
	p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: workload + "-5d5c8b9f7", UID: "0", Controller: ptr(true)}}
	p.Spec.NodeName = fmt.Sprintf("%s-node-%d", c.Name, n%2)
	p.Spec.Containers = []corev1.Container{{Name: istio.ProxyContainer, Image: "registry.example/istio/proxyv2:" + c.Image, TerminationMessagePolicy: "File", ImagePullPolicy: "IfNotPresent"}}
	p.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}},
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
	}
	return p
}

// inject gives a pod the network that the injector does; "" for none.
func inject(p *corev1.Pod, network string) {
	delete(p.Labels, istio.LabelNetwork)
	SetEnv(p, istio.EnvProxyNetwork, network)
	if network != "" {
		p.Labels[istio.LabelNetwork] = network
	}
}

// SetEnv sets a variable of a pod's proxy; "" takes it away.
func SetEnv(p *corev1.Pod, name, value string) {
	env := slices.DeleteFunc(p.Spec.Containers[0].Env, func(e corev1.EnvVar) bool { return e.Name == name })
	if value != "" {
		env = append(env, corev1.EnvVar{Name: name, Value: value})
	}
	p.Spec.Containers[0].Env = env
}

// Native makes a pod's sidecar one of Kubernetes' own kind: an init container that goes on
// running, by default since 1.27. It has run for as long as the pod.
func Native(p *corev1.Pod) {
	always := corev1.ContainerRestartPolicyAlways
	proxy := p.Spec.Containers[0]
	proxy.RestartPolicy = &always
	p.Spec.InitContainers = append(p.Spec.InitContainers, proxy)
	p.Spec.Containers = []corev1.Container{{Name: "app", Image: "registry.example/app:1", TerminationMessagePolicy: "File", ImagePullPolicy: "IfNotPresent"}}
	p.Status.InitContainerStatuses = append(p.Status.InitContainerStatuses, corev1.ContainerStatus{
		Name: proxy.Name, Image: proxy.Image, Ready: true, Started: ptr(true),
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: p.CreationTimestamp}},
	})
}

// gateway gives the cluster a gateway as Istio's chart makes it.
func (c *Cluster) gateway(at int) {
	n, labels := c.Network, map[string]string{"app": "istio-eastwestgateway", "istio": "eastwestgateway"}
	s := &corev1.Service{ObjectMeta: meta(System, "istio-eastwestgateway", maps.Clone(labels))}
	s.Labels[istio.LabelNetwork] = n.Name
	s.Spec = corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Selector: labels, ClusterIP: fmt.Sprintf("10.%d.255.1", 100+at)}
	for i, port := range []int32{15021, istio.DefaultGatewayPort, 15012, 15017} {
		s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{
			Name: []string{"status-port", "tls", "tls-istiod", "tls-webhook"}[i], Port: port, TargetPort: intstr.FromInt32(port),
			NodePort: 31000 + int32(10*at+i), Protocol: corev1.ProtocolTCP,
		})
	}
	s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: fmt.Sprintf("203.0.113.%d", 10+at)}}
	n.Gateway = s
	p := c.pod(System, "istio-eastwestgateway", 0, fmt.Sprintf("10.%d.0.100", at), labels)
	inject(p, n.Name)
	SetEnv(p, istio.EnvProxyNetworkView, n.Name)
	n.GatewayPods = []*corev1.Pod{p}
	n.Listener = &api.Gateway{ObjectMeta: meta(System, "cross-network-gateway", nil)}
	n.Listener.Spec = api.GatewaySpec{Selector: map[string]string{"istio": "eastwestgateway"}, Servers: []api.Server{{
		Port:  &api.ServerPort{Number: istio.DefaultGatewayPort, Name: "tls", Protocol: "TLS"},
		Hosts: []string{"*.local"}, TLS: &api.ServerTLS{Mode: "AUTO_PASSTHROUGH"},
	}}}
}

// nodePort makes the gateway a NodePort Service.
func (n *Network) nodePort(selector string) {
	n.Gateway.Spec.Type = corev1.ServiceTypeNodePort
	n.Gateway.Status = corev1.ServiceStatus{}
	n.Gateway.Annotations = map[string]string{istio.AnnotationNodeSelector: selector}
	for i, node := range n.Nodes {
		node.Status.Addresses = append(node.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeExternalIP, Address: fmt.Sprintf("198.51.100.%d", i+1)})
	}
}

// unpublish makes a Service one of its cluster alone.
func unpublish(s *corev1.Service) {
	s.Spec.Type, s.Status = corev1.ServiceTypeClusterIP, corev1.ServiceStatus{}
	for i := range s.Spec.Ports {
		s.Spec.Ports[i].NodePort = 0
	}
}

// networked is a healthy fleet of two networks, with something done to it.
func networked(do func(f *Fleet, east, west *Cluster)) func() *Fleet {
	return func() *Fleet {
		f := Networked("east", "west")
		do(f, f.Clusters[0], f.Clusters[1])
		return f
	}
}

func eachPod(pods []*corev1.Pod, do func(*corev1.Pod)) {
	for _, p := range pods {
		do(p)
	}
}

// byMeshNetworks takes the labels away and says with mesh networks what they said.
func byMeshNetworks(f *Fleet) {
	text := "networks:\n"
	for i, c := range f.Clusters {
		c.SystemLabels = nil
		delete(c.Network.Gateway.Labels, istio.LabelNetwork)
		eachPod(slices.Concat(c.Network.Pods, c.Network.GatewayPods), func(p *corev1.Pod) { delete(p.Labels, istio.LabelNetwork) })
		text += fmt.Sprintf("  network%d:\n    endpoints: [{fromRegistry: %s}]\n", i+1, c.Name)
		if i == 0 {
			text += "    gateways: [{registryServiceName: istio-eastwestgateway.istio-system.svc.cluster.local, port: 15443}]\n"
		} else {
			text += fmt.Sprintf("    gateways: [{address: 203.0.113.%d, port: 15443}]\n", 10+i)
		}
	}
	for _, c := range f.Clusters {
		c.MeshNetworks = text
	}
}

// ambient makes a fleet one of ambient mode, with gateways that take HBONE.
func ambient(f *Fleet) {
	for _, c := range f.Clusters {
		c.Env[istio.EnvAmbient], c.Env[istio.EnvAmbientMultiNetwork] = "true", "true"
		c.Env[istio.EnvTrustedNodeAccounts] = System + "/" + istio.ZtunnelName
		c.Mesh["istio"]["serviceScopeConfigs"] = []any{map[string]any{
			"servicesSelector": map[string]any{"matchExpressions": []any{map[string]any{"key": istio.LabelGlobal, "operator": "In", "values": []string{"true"}}}}, "scope": "GLOBAL",
		}}
		c.ztunnel()
		c.Namespaces["sample"] = map[string]string{"istio.io/dataplane-mode": "ambient"}
		eachPod(c.Network.Pods, func(p *corev1.Pod) {
			inject(p, "")
			delete(p.Labels, istio.LabelTLSMode)
			p.Spec.Containers[0].Name = "app"
		})
		s := c.Network.Gateway
		s.Spec.Ports = []corev1.ServicePort{{Name: "mesh", Port: istio.HBONEPort, TargetPort: intstr.FromInt32(istio.HBONEPort), NodePort: s.Spec.Ports[1].NodePort, Protocol: corev1.ProtocolTCP}}
		s.Spec.Selector = map[string]string{"gateway.networking.k8s.io/gateway-name": "istio-eastwestgateway"}
		s.Labels = map[string]string{"gateway.networking.k8s.io/gateway-name": "istio-eastwestgateway", istio.LabelNetwork: c.Network.Name}
		c.Network.GatewayPods[0].Labels["gateway.networking.k8s.io/gateway-name"] = "istio-eastwestgateway"
		c.Network.Listener = nil
		c.Network.More = append(c.Network.More, &api.KubernetesGateway{
			ObjectMeta: meta(System, "istio-eastwestgateway", map[string]string{istio.LabelNetwork: c.Network.Name}),
			Spec: api.KubernetesGatewaySpec{GatewayClassName: api.ClassEastWest, Listeners: []api.Listener{
				{Name: "mesh", Port: istio.HBONEPort, Protocol: "HBONE", TLS: &api.ListenerTLS{Mode: "Terminate"}},
			}},
			Status: api.KubernetesGatewayStatus{
				Addresses:  []api.GatewayAddress{{Type: ptr("IPAddress"), Value: s.Status.LoadBalancer.Ingress[0].IP}},
				Conditions: []metav1.Condition{{Type: "Programmed", Status: metav1.ConditionTrue, Reason: "Programmed"}},
			},
		})
	}
}

// injectsByService makes the cluster a remote one whose webhook calls Service
// istiod, which has endpoints elsewhere.
func (c *Cluster) injectsByService(primary *Cluster) {
	c.NoControlPlane(primary)
	c.InjectsBy = func(w *admissionv1.WebhookClientConfig) {
		w.URL, w.CABundle = nil, []byte(primary.Published)
		w.Service = &admissionv1.ServiceReference{Namespace: System, Name: "istiod", Path: ptr("/inject/cluster/" + c.Name + "/net/" + c.Network.Name), Port: ptr(int32(443))}
	}
	c.Network.More = append(c.Network.More, c.bridge(primary.Network.Gateway.Status.LoadBalancer.Ingress[0].IP), &corev1.Service{
		ObjectMeta: meta(System, "istiod", nil), Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, ClusterIP: "10.101.2.1", Ports: []corev1.ServicePort{
			{Name: "tcp-istiod", Port: 15012, Protocol: corev1.ProtocolTCP}, {Name: "tcp-webhook", Port: 443, TargetPort: intstr.FromInt32(15017), Protocol: corev1.ProtocolTCP},
		}},
	})
	primary.expose()
}

// eastWest is the cluster's gateway of ambient networks.
func (n *Network) eastWest() *api.KubernetesGateway {
	return n.More[len(n.More)-1].(*api.KubernetesGateway)
}

// NetworkHealthy are fleets in whose networks nothing is to be found.
var NetworkHealthy = slices.Concat(networkHealthy, workloadHealthy, pathHealthy, primaryHealthy, ambientHealthy, cloudHealthy)

// networkHealthy are those that resemble faults of networks and their gateways.
var networkHealthy = []Case{
	{Name: "two rules for one host with a subset of the same name", Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		first, second := ofGateway(api.Subset{Name: "v1"}), ofGateway(api.Subset{Name: "v1"}, api.Subset{Name: "v2"})
		second.Name = "second"
		west.Network.More = append(west.Network.More, first, second)
	})},
	{Name: "two subsets of one name for a host that nobody has", Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		r := ofGateway(api.Subset{Name: "v1"}, api.Subset{Name: "v1"})
		r.Spec.Host = "api.example.com"
		west.Network.More = append(west.Network.More, r)
	})},
	{Name: "two networks", Fleet: func() *Fleet { return Networked("east", "west") }},
	{Name: "three networks", Fleet: func() *Fleet { return Networked("east", "north", "west") }},
	{Name: "one network without a name", Fleet: func() *Fleet { return OneNetwork("", "east", "west") }},
	{Name: "one network with a name", Fleet: func() *Fleet { return OneNetwork("network1", "east", "west") }},
	{Name: "one network that only the injector names", Fleet: func() *Fleet {
		f := OneNetwork("network1", "east", "west")
		for _, c := range f.Clusters {
			c.SystemLabels = nil
		}
		return f
	}},
	{Name: "a mesh without workloads", Fleet: func() *Fleet { return Healthy("east", "west") }},
	{Name: "one cluster", Fleet: func() *Fleet { return OneNetwork("network1", "east") }},
	{Name: "one network, and a gateway that leads a remote cluster to its control plane", Fleet: func() *Fleet {
		f := OneNetwork("network1", "east", "west")
		f.Clusters[0].gateway(0)
		f.Clusters[1].NoControlPlane(f.Clusters[0])
		return f
	}},
	{Name: "two networks with one gateway each of two clusters", Fleet: func() *Fleet {
		f := Networked("a1", "a2", "b1", "b2")
		for i, c := range f.Clusters {
			at := i / 2 * 2
			c.populate(i, f.Clusters[at].Network.Name)
			c.SystemLabels = map[string]string{istio.LabelNetwork: c.Network.Name}
			if at == i {
				c.gateway(i)
			}
		}
		return f
	}},
	{Name: "a primary and a remote cluster on another network", Fleet: networked(func(_ *Fleet, east, west *Cluster) { west.NoControlPlane(east) })},
	{Name: "a remote cluster whose webhook calls a Service", Fleet: networked(func(_ *Fleet, east, west *Cluster) { west.injectsByService(east) })},
	{Name: "mesh networks instead of labels", Fleet: networked(func(f *Fleet, _, _ *Cluster) { byMeshNetworks(f) })},
	{Name: "mesh networks by ranges", Fleet: networked(func(f *Fleet, east, west *Cluster) {
		byMeshNetworks(f)
		text := "networks:\n" +
			"  network1:\n    endpoints: [{fromCidr: 10.0.0.0/16}]\n    gateways: [{address: 203.0.113.10, port: 15443}]\n" +
			"  network2:\n    endpoints: [{fromCidr: 10.1.0.0/16}]\n    gateways: [{address: 203.0.113.11, port: 15443}]\n"
		east.MeshNetworks, west.MeshNetworks = text, text
	})},
	{Name: "mesh networks by the names that each control plane has", Fleet: networked(func(f *Fleet, east, _ *Cluster) {
		byMeshNetworks(f)
		east.Env[istio.EnvClusterID] = "Kubernetes"
		east.MeshNetworks = "networks:\n" +
			"  network1:\n    endpoints: [{fromRegistry: Kubernetes}]\n    gateways: [{registryServiceName: istio-eastwestgateway.istio-system.svc.cluster.local, port: 15443}]\n" +
			"  network2:\n    endpoints: [{fromRegistry: west}]\n    gateways: [{address: 203.0.113.11, port: 15443}]\n"
	})},
	{Name: "NodePort gateways", Fleet: networked(func(_ *Fleet, east, west *Cluster) {
		east.Network.nodePort("{}")
		west.Network.nodePort(`{"kubernetes.io/hostname":"west-node-0"}`)
		west.Network.Nodes[0].Status.Addresses[1].Address = "198.51.100.9"
		west.Network.Gateway.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
	})},
	{Name: "two networks, and a gateway with two private addresses", Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.Network.Gateway.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "10.200.0.5"}, {IP: "192.168.7.5"}}
	})},
	{Name: "external addresses by hand", Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		unpublish(west.Network.Gateway)
		west.Network.Gateway.Spec.ExternalIPs = []string{"203.0.113.11"}
	})},
	{Name: "another port", Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.Network.Gateway.Labels[istio.LabelGatewayPort] = "443"
		west.Network.Gateway.Spec.Ports[1].Port = 443
	})},
	{Name: "another port for the listener", Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.Network.Gateway.Spec.Ports[1].TargetPort = intstr.FromInt32(8443)
		west.Network.Listener.Spec.Servers[0].Port.Number = 8443
	})},
	{Name: "hosts of one namespace", Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.Network.Listener.Spec.Servers[0].Hosts = []string{"*.sample.svc.cluster.local"}
	})},
	{Name: "the same listener twice", Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		again := *west.Network.Listener
		again.Name = "again"
		west.Network.More = append(west.Network.More, &again)
	})},
	{Name: "ambient gateways", Fleet: networked(func(f *Fleet, _, _ *Cluster) { ambient(f) })},
	{Name: "a gateway elsewhere, by the Gateway API", Fleet: networked(func(_ *Fleet, east, west *Cluster) {
		west.Network.Gateway, west.Network.GatewayPods, west.Network.Listener = nil, nil, nil
		for _, c := range []*Cluster{east, west} {
			c.Network.More = append(c.Network.More, remoteGateway("network2", "203.0.113.11"))
		}
	})},
	{Name: "discovery selectors that select the gateways' namespace", Fleet: networked(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			c.Mesh["istio"]["discoverySelectors"] = []any{map[string]any{"matchLabels": map[string]string{"mesh": "yes"}}}
			c.SystemLabels["mesh"], c.Namespaces["sample"]["mesh"] = "yes", "yes"
		}
	})},
	{Name: "pods that have ended", Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		p := west.pod("sample", "job", 9, "10.1.0.9", map[string]string{"app": "job"})
		p.Status.Phase = corev1.PodSucceeded
		west.Network.More = append(west.Network.More, p)
	})},
	{Name: "pods with both families", Fleet: networked(func(f *Fleet, _, _ *Cluster) {
		for i, c := range f.Clusters {
			for k, p := range c.Network.Pods {
				p.Status.PodIPs = append(p.Status.PodIPs, corev1.PodIP{IP: fmt.Sprintf("fd00:%d::%d", i+1, k+1)})
			}
		}
	})},
	{Name: "a cluster that has nothing to do with the others", Fleet: func() *Fleet {
		f := Networked("east", "west")
		other := OneNetwork("", "other").Clusters[0]
		other.Server, other.UID = "https://127.0.0.1:7443", "uid-other"
		f.Clusters = append(f.Clusters, other)
		return f
	}},
	{Name: "equal ranges on different networks", Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		network := west.Network.Name
		gateway := *west.Network
		west.populate(0, network)
		west.Network.Gateway, west.Network.GatewayPods, west.Network.Listener = gateway.Gateway, gateway.GatewayPods, gateway.Listener
	})},
	{Name: "one network with equal ranges of nodes that nobody uses", Fleet: func() *Fleet {
		f := OneNetwork("", "east", "west")
		for _, c := range f.Clusters {
			for _, n := range c.Network.Nodes {
				n.Spec.PodCIDR, n.Spec.PodCIDRs = "10.244.0.0/24", []string{"10.244.0.0/24"}
			}
		}
		return f
	}},
}

// remoteGateway stands for a gateway that is no Service of a cluster.
func remoteGateway(network, address string) *api.KubernetesGateway {
	return &api.KubernetesGateway{
		ObjectMeta: meta(System, "to-"+network, map[string]string{istio.LabelNetwork: network}),
		Spec: api.KubernetesGatewaySpec{
			GatewayClassName: api.ClassRemote,
			Addresses:        []api.GatewayAddress{{Type: ptr("IPAddress"), Value: address}},
			Listeners:        []api.Listener{{Name: "tls", Port: istio.DefaultGatewayPort, Protocol: "TLS", TLS: &api.ListenerTLS{Mode: "Passthrough"}}},
		},
	}
}

// HostnameGateways is a healthy fleet whose gateways have host names, which only
// the control planes can resolve.
func HostnameGateways() *Fleet {
	f := Networked("east", "west")
	for _, c := range f.Clusters {
		c.Network.Gateway.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{Hostname: c.Name + "-1234.elb.example.com"}}
	}
	return f
}
