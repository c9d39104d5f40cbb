package istiotest

import (
	"fmt"
	"maps"
	"slices"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// westGateway changes the Service of west's gateway, and nothing else.
func westGateway(do func(s *corev1.Service)) func() *Fleet {
	return networked(func(_ *Fleet, _, west *Cluster) { do(west.Network.Gateway) })
}

// westListener changes what west's gateway is told, and nothing else.
func westListener(do func(g *api.Gateway)) func() *Fleet {
	return networked(func(_ *Fleet, _, west *Cluster) { do(west.Network.Listener) })
}

// meshNetworks makes a fleet of mesh networks that say something else.
func meshNetworks(text string) func() *Fleet {
	return networked(func(f *Fleet, _, _ *Cluster) {
		byMeshNetworks(f)
		for _, c := range f.Clusters {
			c.MeshNetworks = text
		}
	})
}

// NetworkFaults are fleets with a single fault each.
var NetworkFaults = slices.Concat(networkFaults, workloadFaults, pathFaults, primaryFaults, ambientFaults, cloudFaults)

// networkFaults are those of networks and their gateways.
var networkFaults = []Case{
	{Name: "system namespace without network", Want: []string{"NET001 warning west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) { west.SystemLabels = nil })},
	{Name: "system namespace without network, and pods without label", Want: []string{"NET001 error west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.SystemLabels = nil
		eachPod(west.Network.Pods, func(p *corev1.Pod) { delete(p.Labels, istio.LabelNetwork) })
	})},
	{Name: "a cluster whose network was never set", Want: []string{"NET001 error west", "NET002 error west < NET001"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.SystemLabels, west.InjectedNetwork = nil, ptr("")
		eachPod(west.Network.Pods, func(p *corev1.Pod) { inject(p, "") })
		west.Network.GatewayPods[0].Spec.Containers[0].Env = nil
		inject(west.Network.GatewayPods[0], "")
		SetEnv(west.Network.GatewayPods[0], istio.EnvProxyNetworkView, "network2")
	})},
	{Name: "sidecars without network", Want: []string{"NET002 error west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		eachPod(west.Network.Pods, func(p *corev1.Pod) { inject(p, "") })
		inject(west.Network.GatewayPods[0], "")
	})},
	{Name: "sidecars without network, and an istiod that minds less", Want: []string{"NET002 warning west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.Image = "1.30.0"
		eachPod(west.Network.Pods, func(p *corev1.Pod) { inject(p, "") })
		inject(west.Network.GatewayPods[0], "")
	})},
	{Name: "label edited on a running pod", Want: []string{"NET003 error west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) { west.Network.Pods[0].Labels[istio.LabelNetwork] = "network1" })},
	{Name: "typo in a workload's network", Want: []string{"NET004 error west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) { inject(west.Network.Pods[0], "netwrok2") })},
	{Name: "pods older than the network", Want: []string{"NET005 error west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		p := west.Network.Pods[2]
		inject(p, "")
		p.CreationTimestamp = metav1.NewTime(Now.Add(-48 * time.Hour))
	})},
	{Name: "label of the system namespace changed after pods had started", Want: []string{"NET006 error west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.SystemLabels[istio.LabelNetwork] = "network-two"
	})},
	{Name: "network changed everywhere but in the pods", Want: []string{"NET006 error west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.SystemLabels[istio.LabelNetwork], west.InjectedNetwork = "network-two", ptr("network-two")
	})},
	{Name: "injector that gives another network to new pods", Want: []string{"NET006 error west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.InjectedNetwork = ptr("network3")
	})},
	{Name: "workload on the network of another cluster", Want: []string{"NET030 error west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) { inject(west.Network.Pods[2], "network1") })},
	{Name: "one network with the same addresses twice", Want: []string{"NET007 error east,west"}, Fleet: func() *Fleet {
		f := OneNetwork("", "east", "west")
		f.Clusters[1].populate(0, "")
		return f
	}},
	{Name: "one network with overlapping ranges", Want: []string{"NET007 error east,west"}, Fleet: func() *Fleet {
		f := OneNetwork("network1", "east", "west")
		for i, n := range f.Clusters[1].Network.Nodes {
			n.Spec.PodCIDR, n.Spec.PodCIDRs = fmt.Sprintf("10.0.%d.0/24", i), nil
		}
		for i, p := range f.Clusters[1].Network.Pods {
			p.Status.PodIP = fmt.Sprintf("10.0.%d.%d", i%2, 50+i)
		}
		return f
	}},
	{
		Name: "mesh networks with an ID that is nobody's", Want: []string{"NET009 warning east", "NET009 warning west"},
		Fleet: meshNetworks("networks:\n" +
			"  network1:\n    endpoints: [{fromRegistry: east}]\n    gateways: [{address: 203.0.113.10, port: 15443}]\n" +
			"  network2:\n    endpoints: [{fromRegistry: west}, {fromRegistry: south}]\n    gateways: [{address: 203.0.113.11, port: 15443}]\n"),
	},
	{
		Name: "mesh networks with one cluster in two", Want: []string{"NET009 error east", "NET009 error west"},
		Fleet: meshNetworks("networks:\n" +
			"  network1:\n    endpoints: [{fromRegistry: east}]\n    gateways: [{address: 203.0.113.10, port: 15443}]\n" +
			"  network2:\n    endpoints: [{fromRegistry: west}]\n    gateways: [{address: 203.0.113.11, port: 15443}]\n" +
			"  network3:\n    endpoints: [{fromRegistry: west}]\n    gateways: [{address: 203.0.113.11, port: 15444}]\n"),
	},
	{Name: "mesh networks beside other labels", Want: []string{"NET009 warning east", "NET009 warning west"}, Fleet: networked(func(f *Fleet, east, west *Cluster) {
		byMeshNetworks(f)
		text := "networks:\n" +
			"  network1:\n    endpoints: [{fromRegistry: east}]\n    gateways: [{address: 203.0.113.10, port: 15443}]\n" +
			"  net2:\n    endpoints: [{fromRegistry: west}]\n    gateways: [{address: 203.0.113.11, port: 15443}]\n"
		east.MeshNetworks, west.MeshNetworks = text, text
		west.SystemLabels = map[string]string{istio.LabelNetwork: "network2"}
		west.Network.Gateway.Labels[istio.LabelNetwork] = "network2"
		west.Network.Gateway.Status.LoadBalancer.Ingress[0].IP = "203.0.113.12"
	})},
	{Name: "mesh networks in one control plane other than in the other", Want: []string{"NET010 error east,west"}, Fleet: networked(func(f *Fleet, _, west *Cluster) {
		byMeshNetworks(f)
		west.MeshNetworks = "networks:\n" +
			"  network1:\n    endpoints: [{fromRegistry: east}]\n    gateways: [{address: 203.0.113.99, port: 15443}]\n" +
			"  network2:\n    endpoints: [{fromRegistry: west}]\n    gateways: [{address: 203.0.113.11, port: 15443}]\n"
	})},
	{Name: "gateway that looks at all networks", Want: []string{"NET012 warning west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		SetEnv(west.Network.GatewayPods[0], istio.EnvProxyNetworkView, "")
	})},
	{Name: "gateway labelled with the other network", Want: []string{"NET013 error west", "GW001 error west < NET013"}, Fleet: westGateway(func(s *corev1.Service) {
		s.Labels[istio.LabelNetwork] = "network1"
	})},
	{Name: "gateway whose pods are on the other network", Want: []string{"NET013 error west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		inject(west.Network.GatewayPods[0], "network1")
	})},
	{Name: "gateway installed for the other network", Want: []string{"GW034 error west", "GW001 error west < GW034"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.Network.Gateway.Labels[istio.LabelNetwork] = "network1"
		inject(west.Network.GatewayPods[0], "network1")
		SetEnv(west.Network.GatewayPods[0], istio.EnvProxyNetworkView, "network1")
	})},
	{Name: "application labelled as a gateway, without an address", Want: []string{"NET014 note west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) { west.stray() })},
	{Name: "application labelled as a gateway, with an address", Want: []string{"NET014 error west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		s := west.stray()
		s.Spec.Type, s.Status.LoadBalancer.Ingress = corev1.ServiceTypeLoadBalancer, []corev1.LoadBalancerIngress{{IP: "203.0.113.77"}}
		s.Spec.Ports[0].Port = istio.DefaultGatewayPort
	})},
	{Name: "network without gateway", Want: []string{"GW001 error west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.Network.Gateway, west.Network.GatewayPods, west.Network.Listener = nil, nil, nil
	})},
	{Name: "load balancer pending", Want: []string{"GW002 error west", "GW001 error west < GW002"}, Fleet: westGateway(func(s *corev1.Service) { s.Status = corev1.ServiceStatus{} })},
	{Name: "load balancer of a second gateway pending", Want: []string{"GW002 warning west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		s := west.Network.Gateway.DeepCopy()
		s.Name, s.Status, s.Spec.ClusterIP = "second", corev1.ServiceStatus{}, "10.101.255.2"
		for i := range s.Spec.Ports {
			s.Spec.Ports[i].NodePort += 100
		}
		west.Network.More = append(west.Network.More, s)
	})},
	{Name: "host names that istiod is told to ignore", Want: []string{"GW003 error west", "GW001 error west < GW003"}, Fleet: networked(func(_ *Fleet, east, west *Cluster) {
		east.Env[istio.EnvResolveHostnames] = "false"
		west.Env[istio.EnvResolveHostnames] = "false"
		west.Network.Gateway.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{Hostname: "gateway.example.com"}}
	})},
	{Name: "NodePort without annotation", Want: []string{"GW004 error west", "GW001 error west < GW004"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.Network.nodePort("{}")
		west.Network.Gateway.Annotations = nil
	})},
	{Name: "nodes without ExternalIP", Want: []string{"GW005 error west", "GW001 error west < GW005"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.Network.nodePort("{}")
		for _, n := range west.Network.Nodes {
			n.Status.Addresses = n.Status.Addresses[:1]
		}
	})},
	{Name: "annotation that selects no node", Want: []string{"GW006 error west", "GW001 error west < GW006"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.Network.nodePort(`{"edge":"yes"}`)
	})},
	{Name: "annotation that is not JSON", Want: []string{"GW006 warning west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) { west.Network.nodePort(`edge: yes`) })},
	{Name: "Service without the port", Want: []string{"GW007 error west", "GW001 error west < GW007"}, Fleet: westGateway(func(s *corev1.Service) { s.Spec.Ports[1].Port = 15444 })},
	{Name: "Service without the port, and an istiod that does not look", Want: []string{"GW007 error west"}, Fleet: networked(func(_ *Fleet, east, west *Cluster) {
		east.Image, west.Image = "1.28.3", "1.28.3"
		west.Network.Gateway.Spec.Ports[1].Port = 15444
	})},
	{Name: "port as an annotation", Want: []string{"GW008 error west", "GW007 error west < GW008", "GW001 error west < GW007"}, Fleet: westGateway(func(s *corev1.Service) {
		s.Annotations = map[string]string{istio.LabelGatewayPort: "443"}
		s.Spec.Ports[1].Port = 443
	})},
	{Name: "port that is no number", Want: []string{"GW008 warning west"}, Fleet: westGateway(func(s *corev1.Service) { s.Labels[istio.LabelGatewayPort] = "tls" })},
	{Name: "HBONE through a NodePort", Want: []string{"GW009 error west"}, Fleet: networked(func(f *Fleet, _, west *Cluster) {
		ambient(f)
		west.Network.nodePort("{}")
	})},
	{Name: "no listener", Want: []string{"GW010 error west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) { west.Network.Listener = nil })},
	{Name: "listener for other pods", Want: []string{"GW010 error west"}, Fleet: westListener(func(g *api.Gateway) { g.Spec.Selector["istio"] = "gateway-eastwest" })},
	{Name: "listener that terminates", Want: []string{"GW010 error west"}, Fleet: westListener(func(g *api.Gateway) { g.Spec.Servers[0].TLS.Mode = "PASSTHROUGH" })},
	{Name: "listener for other hosts", Want: []string{"GW010 error west"}, Fleet: westListener(func(g *api.Gateway) { g.Spec.Servers[0].Hosts = []string{"*.global"} })},
	{Name: "no listener in the primary of a remote cluster", Want: []string{"GW010 error east,west"}, Fleet: networked(func(_ *Fleet, east, west *Cluster) {
		west.NoControlPlane(east)
		east.Network.Listener.Spec.Selector = maps.Clone(east.Network.Listener.Spec.Selector)
		delete(west.Network.GatewayPods[0].Labels, "istio")
		delete(west.Network.Gateway.Spec.Selector, "istio")
	})},
	{Name: "listeners for the same hosts", Want: []string{"GW011 error west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		again := *west.Network.Listener
		again.Name, again.Spec.Servers = "again", []api.Server{again.Spec.Servers[0]}
		again.Spec.Servers[0].Hosts = []string{"*.sample.svc.cluster.local"}
		west.Network.More = append(west.Network.More, &again)
	})},
	{Name: "gateway pod not ready", Want: []string{"GW012 error west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.Network.GatewayPods[0].Status.Conditions[0].Status = corev1.ConditionFalse
	})},
	{Name: "gateway without pods", Want: []string{"GW012 error west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) { west.Network.GatewayPods = nil })},
	{Name: "addresses in two ranges", Want: []string{"GW015 warning west"}, Fleet: func() *Fleet {
		f := Networked("east", "north", "west")
		f.Get("west").Network.Gateway.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "10.200.0.5"}, {IP: "192.168.7.5"}}
		return f
	}},
	{Name: "addresses of which one is private", Want: []string{"GW015 warning west"}, Fleet: westGateway(func(s *corev1.Service) {
		s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "203.0.113.11"}, {IP: "192.168.7.5"}}
	})},
	{Name: "gateway elsewhere without a type of address", Want: []string{"GW016 error west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		g := remoteGateway("network1", "203.0.113.10")
		g.Spec.Addresses[0].Type = nil
		west.Network.More = append(west.Network.More, g)
	})},
	{Name: "discovery selectors that hide the gateway", Want: []string{"GW017 error east,west", "GW001 error west < GW017"}, Fleet: networked(func(f *Fleet, _, west *Cluster) {
		for _, c := range f.Clusters {
			c.Mesh["istio"]["discoverySelectors"] = []any{map[string]any{"matchLabels": map[string]string{"mesh": "yes"}}}
			c.SystemLabels["mesh"], c.Namespaces["sample"]["mesh"] = "yes", "yes"
		}
		delete(west.SystemLabels, "mesh")
	})},
	{Name: "two subsets of one name", Want: []string{"GW043 error west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.Network.More = append(west.Network.More, ofGateway(api.Subset{Name: "v1"}, api.Subset{Name: "v2"}, api.Subset{Name: "v1"}))
	})},
	{Name: "pods with IPv6 alone", Want: []string{"GW018 error east"}, Fleet: networked(func(_ *Fleet, east, _ *Cluster) {
		for i, p := range east.Network.Pods {
			p.Status.PodIP = fmt.Sprintf("fd00::%d", i+1)
			p.Status.PodIPs = []corev1.PodIP{{IP: p.Status.PodIP}}
		}
	})},
	{Name: "address in the mesh networks that is nobody's any more", Want: []string{"GW020 warning east", "GW020 warning west"}, Fleet: networked(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			c.MeshNetworks = "networks:\n  network2:\n    endpoints: [{fromRegistry: west}]\n    gateways: [{address: 203.0.113.99, port: 15443}]\n"
		}
	})},
	{Name: "gateway without an address outside", Want: []string{"GW030 error west", "GW001 error west < GW030"}, Fleet: westGateway(unpublish)},
	{Name: "the same address twice", Want: []string{"GW031 error east,west"}, Fleet: westGateway(func(s *corev1.Service) {
		s.Status.LoadBalancer.Ingress[0].IP = "203.0.113.10"
	})},
	{Name: "node without a pod of the gateway", Want: []string{"GW032 warning west"}, Fleet: networked(func(_ *Fleet, _, west *Cluster) {
		west.Network.nodePort("{}")
		west.Network.Gateway.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
	})},
	{Name: "gateway without label", Want: []string{"GW033 error west", "GW001 error west < GW033"}, Fleet: westGateway(func(s *corev1.Service) { delete(s.Labels, istio.LabelNetwork) })},
	{Name: "ambient mode across networks turned off", Want: []string{"AMB001 error west"}, Fleet: networked(func(f *Fleet, _, west *Cluster) {
		ambient(f)
		delete(west.Env, istio.EnvAmbientMultiNetwork)
	})},
	{Name: "ambient gateway without a network", Want: []string{"AMB003 error west", "GW001 error west < AMB003"}, Fleet: networked(func(f *Fleet, _, west *Cluster) {
		ambient(f)
		delete(west.Network.eastWest().Labels, istio.LabelNetwork)
		delete(west.Network.Gateway.Labels, istio.LabelNetwork)
	})},
	{Name: "ambient gateway pending", Want: []string{"GW002 error west", "AMB003 error west < GW002", "GW001 error west < GW002"}, Fleet: networked(func(f *Fleet, _, west *Cluster) {
		ambient(f)
		west.Network.Gateway.Status = corev1.ServiceStatus{}
		west.Network.eastWest().Status = api.KubernetesGatewayStatus{Conditions: []metav1.Condition{{Type: "Programmed", Status: metav1.ConditionFalse, Reason: "AddressNotAssigned"}}}
	})},
	{Name: "ambient gateway without HBONE", Want: []string{"AMB003 error west", "AMB010 error east < AMB003"}, Fleet: networked(func(f *Fleet, _, west *Cluster) {
		ambient(f)
		west.Network.eastWest().Spec.Listeners[0].Protocol = "TLS"
	})},
	{Name: "sidecars and ambient gateways", Want: []string{"AMB008 error east"}, Fleet: networked(func(f *Fleet, east, _ *Cluster) {
		ambient(f)
		p := east.Network.Pods[0]
		p.Spec.Containers[0].Name, p.Labels[istio.LabelTLSMode] = istio.ProxyContainer, "istio"
		inject(p, "network1")
	})},
	{Name: "ambient workloads and a gateway for sidecars", Want: []string{"AMB010 error east"}, Fleet: networked(func(f *Fleet, _, west *Cluster) {
		ambient(f)
		west.Network.More = west.Network.More[:len(west.Network.More)-1]
		west.gateway(1)
	})},
	{Name: "remote cluster that calls its injector by a name", Want: []string{"PR002 error west"}, Fleet: networked(func(_ *Fleet, east, west *Cluster) {
		west.injectsByService(east)
		s := west.Network.More[len(west.Network.More)-1].(*corev1.Service)
		s.Spec = corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "istiod.example.com"}
	})},
	{Name: "remote cluster that calls an injector that is not there", Want: []string{"PR012 error west"}, Fleet: networked(func(_ *Fleet, east, west *Cluster) {
		west.injectsByService(east)
		west.Network.More = west.Network.More[:len(west.Network.More)-1]
	})},
	{Name: "remote cluster whose injector does not know it", Want: []string{"PR003 error west"}, Fleet: networked(func(_ *Fleet, east, west *Cluster) {
		west.NoControlPlane(east)
		west.InjectsBy = func(w *admissionv1.WebhookClientConfig) { w.URL = ptr("https://127.0.0.1:15017/inject") }
	})},
	{Name: "remote cluster by another name", Want: []string{"PR003 error west"}, Fleet: networked(func(_ *Fleet, east, west *Cluster) {
		west.NoControlPlane(east)
		west.InjectsBy = func(w *admissionv1.WebhookClientConfig) {
			w.URL = ptr("https://127.0.0.1:15017/inject/cluster/occident/net/network2")
		}
	})},
	{Name: "remote cluster that the primary does not look after", Want: []string{"PR005 warning west"}, Fleet: networked(func(_ *Fleet, east, west *Cluster) {
		west.NoControlPlane(east)
		west.SystemAnnotations = nil
	})},
	{Name: "remote cluster that the primary does not look after, without CA bundle", Want: []string{"PR005 error west", "PR004 error west < PR005"}, Fleet: networked(func(_ *Fleet, east, west *Cluster) {
		west.injectsByService(east)
		config := west.InjectsBy
		west.InjectsBy = func(w *admissionv1.WebhookClientConfig) {
			config(w)
			w.CABundle = nil
		}
		delete(east.Env, istio.EnvExternalIstiod)
	})},
	{Name: "remote cluster with the CA bundle of another control plane", Want: []string{"PR004 error west"}, Fleet: networked(func(_ *Fleet, east, west *Cluster) {
		west.formerBundle(east)
	})},
	{Name: "remote cluster that refuses pods for the CA bundle of another control plane", Want: []string{"PR014 error west"}, Fleet: networked(func(_ *Fleet, east, west *Cluster) {
		west.formerBundle(east)
		west.refused("sample", "web-6c9f8d6b5", `Error creating: Internal error occurred: failed calling webhook `+
			`"rev.namespace.sidecar-injector.istio.io": failed to call webhook: Post "https://istiod.istio-system.svc:443/inject?timeout=10s": `+
			`tls: failed to verify certificate: x509: certificate signed by unknown authority`)
	})},
	{Name: "remote cluster without CA bundle", Want: []string{"PR004 error west"}, Fleet: networked(func(_ *Fleet, east, west *Cluster) {
		west.injectsByService(east)
		config := west.InjectsBy
		west.InjectsBy = func(w *admissionv1.WebhookClientConfig) {
			config(w)
			w.CABundle = nil
		}
	})},
}

// formerBundle gives the webhooks of a remote cluster the CA of another control plane than its primary.
func (c *Cluster) formerBundle(primary *Cluster) {
	c.injectsByService(primary)
	config, other := c.InjectsBy, Root(Spec{Name: "Former root"})
	c.InjectsBy = func(w *admissionv1.WebhookClientConfig) {
		config(w)
		w.CABundle = []byte(other.PEM())
	}
}

// stray gives the cluster a Service of a workload that is labelled as a gateway.
func (c *Cluster) stray() *corev1.Service {
	s := &corev1.Service{ObjectMeta: meta("sample", "helloworld", map[string]string{istio.LabelNetwork: c.Network.Name})}
	s.Spec = corev1.ServiceSpec{
		Type: corev1.ServiceTypeClusterIP, Selector: map[string]string{"app": "helloworld"}, ClusterIP: "10.101.1.1",
		Ports: []corev1.ServicePort{{Name: "http", Port: 5000, Protocol: corev1.ProtocolTCP}},
	}
	c.Network.More = append(c.Network.More, s)
	return s
}
