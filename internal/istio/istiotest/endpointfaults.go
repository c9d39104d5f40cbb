package istiotest

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// rule is one for the Service that clients call.
func rule(policy *api.TrafficPolicy, subsets ...api.Subset) *api.DestinationRule {
	return &api.DestinationRule{
		ObjectMeta: inSample("helloworld"), Spec: api.DestinationRuleSpec{Host: "helloworld", TrafficPolicy: policy, Subsets: subsets},
	}
}

// ofGateway is a rule for the gateway's own Service, which every fleet with networks has.
func ofGateway(subsets ...api.Subset) *api.DestinationRule {
	r := rule(nil, subsets...)
	r.Namespace, r.Spec.Host = System, "istio-eastwestgateway"
	return r
}

// outlierDetection turns failover between localities on.
func outlierDetection() *api.DestinationRule {
	return rule(&api.TrafficPolicy{OutlierDetection: &api.OutlierDetection{}})
}

func peers(mode string) *api.PeerAuthentication {
	return &api.PeerAuthentication{ObjectMeta: inSample("default"), Spec: api.PeerAuthenticationSpec{MTLS: &api.MutualTLS{Mode: mode}}}
}

func strict() *api.PeerAuthentication { return peers(api.MTLSStrict) }

func settings(hosts ...string) []any {
	return []any{map[string]any{"settings": map[string]any{"clusterLocal": true}, "hosts": hosts}}
}

// EndpointFaults are healthy fleets with one thing wrong, or set so that requests stay.
var EndpointFaults = slices.Concat(endpointFaults, endpointRouteFaults)

// endpointFaults are those about Services, secrets, networks and gateways.
var endpointFaults = []EndpointCase{
	{Case: Case{Name: "no remote secret", Want: []string{"EP030 error east"}, Fleet: serving(func(_ *Fleet, east, _ *Cluster) { east.Remotes = nil })},
		Paths: []string{"east > west: broken EP030"}},
	{Case: Case{Name: "no remote secret at all", Want: []string{"EP030 error east", "EP030 error west"}, Fleet: serving(func(_ *Fleet, east, west *Cluster) {
		east.Remotes, west.Remotes = nil, nil
	})}, Paths: []string{"east > west: broken EP030", "west > east: broken EP030"}},
	{Case: Case{Name: "both clusters have the same ID", Want: []string{"EP030 error east", "EP030 error west"}, Fleet: serving(func(f *Fleet, east, west *Cluster) {
		for _, c := range f.Clusters {
			c.Env[istio.EnvClusterID] = "Kubernetes"
		}
		east.RemoteKeys, west.RemoteKeys = map[string]string{"west": "Kubernetes"}, map[string]string{"east": "Kubernetes"}
	})}, Paths: []string{"east > west: broken EP030", "west > east: broken EP030"}},
	{Case: Case{Name: "a remote cluster under another ID than its own", Want: []string{"EP030 error east"}, Fleet: serving(func(_ *Fleet, east, west *Cluster) {
		west.NoControlPlane(east)
		east.RemoteKeys = map[string]string{"west": "occident"}
	})}, Paths: []string{"west > east: broken EP030"}},
	{Case: Case{Name: "no remote secret for a remote cluster", Want: []string{"EP030 error east"}, Fleet: serving(func(_ *Fleet, east, west *Cluster) {
		west.NoControlPlane(east)
		east.Remotes = nil
	})}, Paths: []string{"east > west: broken EP030", "west > east: broken EP030"}},
	{Case: Case{Name: "another ID than its own", Fleet: serving(func(_ *Fleet, east, _ *Cluster) {
		east.RemoteKeys = map[string]string{"west": "occident"}
	})}, Paths: []string{}},
	{Asked: []string{"EP001 error east"}, Case: Case{Name: "no Service for the name", Fleet: serving(func(_ *Fleet, east, _ *Cluster) {
		east.Network.Drop(east.Service("helloworld"), east.Slice("helloworld"))
	})}, Paths: []string{"east > west: broken EP001", "west > east: nothing"}},
	{Asked: []string{"EP001 error north"}, Case: Case{Name: "two of three have the Service", Want: []string{"EP001 note north"}, Fleet: func() *Fleet {
		f := Serving(Networked("east", "north", "west"))
		f.Clusters[1].Network.Drop(f.Clusters[1].Service("helloworld"), f.Clusters[1].Slice("helloworld"))
		return f
	}}, Paths: []string{"east > north: nothing", "north > east: broken EP001", "north > west: broken EP001", "west > north: nothing"}},
	{Asked: []string{"EP002 error north"}, Case: Case{Name: "no namespace", Want: []string{"EP002 note north"}, Fleet: func() *Fleet {
		f := Serving(Networked("east", "north", "west"))
		n := f.Clusters[1]
		delete(n.Namespaces, "sample")
		n.Network.More = nil
		for _, p := range n.Network.Pods {
			p.Namespace = "other"
		}
		n.Namespaces["other"] = map[string]string{"istio-injection": "enabled"}
		return f
	}}, Paths: []string{"east > north: nothing", "north > east: broken EP002", "north > west: broken EP002", "west > north: nothing"}},
	{Case: Case{Name: "namespace not injected", Want: []string{"EP002 error west"}, Fleet: serving(func(_ *Fleet, _, west *Cluster) {
		west.Namespaces["sample"] = nil
		west.uninject("helloworld")
	})}, Paths: []string{"east > west: broken EP002"}},
	{Case: Case{Name: "another name for the port", Want: []string{"EP003 error west"}, Fleet: serving(func(_ *Fleet, _, west *Cluster) {
		west.Service("helloworld").Spec.Ports[0].Name = "http-web"
		west.Slice("helloworld").Ports[0].Name = ptr("http-web")
	})}, Paths: []string{"east > west: broken EP003", "west > east: broken EP003"}},
	{Case: Case{Name: "another number for the port", Want: []string{"EP004 error west"}, Fleet: serving(func(_ *Fleet, _, west *Cluster) {
		west.Service("helloworld").Spec.Ports[0].Port = 80
	})}, Paths: []string{"east > west: broken EP004", "west > east: broken EP004"}},
	{Case: Case{Name: "a port that only one has", Want: []string{"EP004 error west"}, Fleet: serving(func(_ *Fleet, east, _ *Cluster) {
		s := east.Service("helloworld")
		s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: "admin", Port: 9000, Protocol: corev1.ProtocolTCP})
		slice := east.Slice("helloworld")
		slice.Ports = append(slice.Ports, slice.Ports[0])
		slice.Ports[1].Name, slice.Ports[1].Port = ptr("admin"), ptr(int32(9000))
	})}, Paths: []string{"east > west: partial EP004"}},
	{Case: Case{Name: "headless in one", Want: []string{"EP005 error west"}, Fleet: serving(func(_ *Fleet, _, west *Cluster) {
		west.Service("helloworld").Spec.ClusterIP = corev1.ClusterIPNone
	})}, Paths: []string{"east > west: broken EP005", "west > east: broken EP005"}},
	{Asked: []string{"EP006 error east,west"}, Case: Case{Name: "headless", Want: []string{"EP006 note east,west"}, Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			c.Service("helloworld").Spec.ClusterIP = corev1.ClusterIPNone
		}
	})}, Paths: []string{"east > west: broken EP006", "west > east: broken EP006"}},
	{Case: Case{Name: "pods without sidecar", Want: []string{"EP007 error west"}, Fleet: serving(func(_ *Fleet, _, west *Cluster) { west.uninject("helloworld") })},
		Paths: []string{"east > west: broken EP007"}},
	{Case: Case{Name: "one pod without sidecar", Want: []string{"EP007 error west"}, Fleet: serving(func(_ *Fleet, _, west *Cluster) {
		p := west.Network.Pods[1]
		inject(p, "")
		delete(p.Labels, istio.LabelTLSMode)
		p.Spec.Containers[0].Name = "app"
	})}, Paths: []string{"east > west: partial EP007"}},
	{Case: Case{Name: "a rule that turns TLS off", Want: []string{"EP008 error east"}, Fleet: serving(func(_ *Fleet, east, _ *Cluster) {
		east.Network.More = append(east.Network.More, rule(&api.TrafficPolicy{TLS: &api.ClientTLS{Mode: "DISABLE"}}))
	})}, Paths: []string{"east > west: broken EP008", "west > east: broken EP008"}},
	{Case: Case{Name: "mutual TLS turned off", Want: []string{"EP009 error east", "EP009 error west"}, Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			c.Network.More = append(c.Network.More, peers(api.MTLSDisable))
		}
	})}, Paths: []string{"east > west: broken EP009", "west > east: broken EP009"}},
	{Case: Case{Name: "mutual TLS turned off where the pods are", Want: []string{"EP009 error west"}, Fleet: serving(func(_ *Fleet, _, west *Cluster) {
		west.Network.More = append(west.Network.More, peers(api.MTLSDisable))
	})}, Paths: []string{"east > west: broken EP009", "west > east: broken EP009"}},
	{Case: Case{Name: "a subset that one cluster defines", Want: []string{"EP010 error east,west", "EP051 note west,east"}, Fleet: serving(func(f *Fleet, east, _ *Cluster) {
		for _, c := range f.Clusters {
			for _, p := range c.Network.Pods[:2] {
				p.Labels["version"] = "v1"
			}
		}
		east.Network.More = append(east.Network.More, rule(nil, api.Subset{Name: "v1", Labels: map[string]string{"version": "v1"}}), routeTo("helloworld", "v1"))
	})}, Paths: []string{"east > west: broken EP010"}},
	{Case: Case{Name: "not exported to the gateway", Want: []string{"EP011 error west"}, Fleet: serving(func(_ *Fleet, _, west *Cluster) {
		west.Service("helloworld").Annotations = map[string]string{istio.AnnotationExportTo: "."}
	})}, Paths: []string{"east > west: broken EP011"}},
	{Asked: []string{"EP012 error east"}, Case: Case{Name: "a Sidecar that does not name the service", Want: []string{"EP012 note east"}, Fleet: serving(func(_ *Fleet, east, _ *Cluster) {
		east.Network.More = append(east.Network.More, &api.Sidecar{ObjectMeta: inSample("default"), Spec: api.SidecarSpec{Egress: []api.EgressListener{{Hosts: []string{"istio-system/*"}}}}})
	})}, Paths: []string{"east > west: broken EP012"}},
	{Asked: []string{"EP013 note east", "EP013 note west"}, Case: Case{Name: "local to each cluster", Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			c.Mesh["istio"]["serviceSettings"] = settings("*.sample.svc.cluster.local")
		}
	})}, Paths: []string{"east > west: local EP013", "west > east: local EP013"}},
	{Asked: []string{"EP014 error west"}, Case: Case{Name: "not exported by a ServiceExport", Want: []string{"EP014 note west"}, Fleet: serving(func(f *Fleet, east, _ *Cluster) {
		for _, c := range f.Clusters {
			c.Env[istio.EnvMCSDiscovery] = "true"
		}
		east.Network.More = append(east.Network.More, &api.ServiceExport{ObjectMeta: inSample("helloworld")})
	})}, Paths: []string{"east > west: broken EP014"}},
	{Case: Case{Name: "discovery selectors that hide the namespace", Want: []string{"EP015 error west"}, Fleet: serving(func(f *Fleet, _, west *Cluster) {
		for _, c := range f.Clusters {
			c.Mesh["istio"]["discoverySelectors"] = []any{map[string]any{"matchLabels": map[string]string{"mesh": "yes"}}}
			c.SystemLabels["mesh"], c.Namespaces["sample"]["mesh"] = "yes", "yes"
		}
		delete(west.Namespaces["sample"], "mesh")
	})}, Paths: []string{"east > west: broken EP015"}},
	{Asked: []string{"EP016 note east", "EP016 note west"}, Case: Case{Name: "failover between regions", Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		located(f)
		for _, c := range f.Clusters {
			c.Network.More = append(c.Network.More, outlierDetection())
		}
	})}, Paths: []string{"east > west: local EP016", "west > east: local EP016"}},
	{Asked: []string{"EP017 note east", "EP017 note west"}, Case: Case{Name: "internal traffic policy", Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			c.Service("helloworld").Spec.InternalTrafficPolicy = ptr(corev1.ServiceInternalTrafficPolicyLocal)
		}
	})}, Paths: []string{"east > west: local EP017", "west > east: local EP017"}},
	{Case: Case{Name: "rules that differ", Want: []string{"EP018 warning east,west"}, Fleet: serving(func(_ *Fleet, east, west *Cluster) {
		east.Network.More = append(east.Network.More, outlierDetection())
		west.Network.More = append(west.Network.More, rule(nil))
	})}, Paths: []string{}},
	{Case: Case{Name: "policies for the trust domain of each cluster", Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			other := map[string]string{"east": "west.local", "west": "east.local"}[c.Name]
			c.Mesh["istio"]["trustDomain"], c.Mesh["istio"]["trustDomainAliases"] = c.Name+".local", []string{other}
			c.Network.More = append(c.Network.More, allow(api.AuthorizationSource{Principals: []string{c.Name + ".local/ns/sample/sa/default"}}))
		}
	})}, Paths: []string{}},
	{Case: Case{Name: "a policy for one trust domain", Want: []string{"EP019 warning west", "EP051 note east,west"}, Fleet: serving(func(_ *Fleet, east, west *Cluster) {
		east.Mesh["istio"]["trustDomain"] = "east.local"
		west.Network.More = append(west.Network.More, allow(api.AuthorizationSource{Principals: []string{"cluster.local/ns/sample/sa/default"}}))
	})}, Paths: []string{}},
	{Case: Case{Name: "a policy for addresses of pods", Want: []string{"EP019 warning west", "EP051 note east,west"}, Fleet: serving(func(_ *Fleet, _, west *Cluster) {
		west.Network.More = append(west.Network.More, allow(api.AuthorizationSource{IPBlocks: []string{"10.0.0.0/28", "10.0.1.0/28"}}))
	})}, Paths: []string{}},
	{Case: Case{Name: "a network policy for pods of the namespace", Want: []string{"EP042 warning west"}, Fleet: serving(func(_ *Fleet, _, west *Cluster) {
		west.policyOf(fromPods)
	})}, Paths: []string{}},
	{Case: Case{Name: "ready pods without the port of the name", Want: []string{"EP033 error west"}, Fleet: serving(func(_ *Fleet, _, west *Cluster) {
		west.Service("helloworld").Spec.Ports[0].TargetPort = intstr.FromString("web")
		west.Slice("helloworld").Ports = nil
	})}, Paths: []string{"east > west: broken EP033"}},
	{Case: Case{Name: "the same addresses twice", Want: []string{"EP021 error east,west"}, Fleet: servingFlat(func(_ *Fleet, east, west *Cluster) {
		p := west.Network.Pods[0]
		p.Status.PodIP = east.Network.Pods[0].Status.PodIP
		p.Status.PodIPs[0].IP = p.Status.PodIP
		west.Slice("helloworld").Endpoints[0].Addresses[0] = p.Status.PodIP
	})}, Paths: []string{"east > west: partial EP021", "west > east: partial EP021"}},
	{Case: Case{Name: "another protocol", Want: []string{"EP022 warning west"}, Fleet: serving(func(_ *Fleet, _, west *Cluster) {
		west.Service("helloworld").Spec.Ports[0].AppProtocol = ptr("tcp")
	})}, Paths: []string{}},
	{Case: Case{Name: "endpoints that are no pods", Want: []string{"EP024 error west"}, Fleet: serving(func(_ *Fleet, _, west *Cluster) {
		west.Network.Pods = slices.Clone(west.Network.Pods[2:])
		s := west.Slice("helloworld")
		for i := range s.Endpoints {
			s.Endpoints[i].TargetRef, s.Endpoints[i].NodeName = nil, nil
		}
		west.Service("helloworld").Spec.Selector = nil
	})}, Paths: []string{"east > west: broken EP024"}},
	{Case: Case{Name: "two services at one address", Want: []string{"EP050 error east,west"}, Fleet: serving(func(_ *Fleet, east, west *Cluster) {
		east.serveAt("redis", "10.96.9.9", "tcp-redis", 6379, 10*day)
		west.serveAt("sessions", "10.96.9.9", "tcp-redis", 6379, 2*day)
	})}, Paths: []string{}, Asked: []string{}},
	{Case: Case{Name: "two services at one address, of which DNS proxying knows both", Want: []string{"EP050 warning east,west"}, Fleet: serving(func(_ *Fleet, east, west *Cluster) {
		east.serveAt("mail", "10.96.9.8", "tcp", 25, 2*day)
		west.serveAt("smtp", "10.96.9.8", "", 25, 10*day)
		eachPod(west.Network.Pods, func(p *corev1.Pod) { SetEnv(p, istio.EnvDNSCapture, "true") })
		eachPod(east.Network.Pods, func(p *corev1.Pod) { inject(p, "") })
		eachPod(east.Network.Pods, func(p *corev1.Pod) { p.Spec.Containers[0].Name = "app" })
	})}, Paths: []string{}, Asked: []string{}},
	{Case: Case{Name: "a ServiceEntry that leads to a gateway in plain text", Want: []string{"EP043 error east"}, Fleet: serving(func(_ *Fleet, east, _ *Cluster) {
		east.Network.More = append(east.Network.More, entryAtGateway(nil))
	})}, Paths: []string{}, Asked: []string{}},
	{Case: Case{Name: "a ServiceEntry outside of the mesh that leads to a gateway", Want: []string{"EP043 error east"}, Fleet: serving(func(_ *Fleet, east, _ *Cluster) {
		east.Network.More = append(east.Network.More, entryAtGateway(func(s *api.ServiceEntry) {
			s.Spec.Location, s.Spec.Endpoints[0].Labels, s.Spec.Ports[0].Protocol = "", nil, "grpc"
			s.Spec.Endpoints[0].Ports, s.Spec.Ports[0].TargetPort = nil, istio.DefaultGatewayPort
			s.Spec.Hosts = []string{"httpbin.example.com"}
		}))
	})}, Paths: []string{}, Asked: []string{}},
	{Case: Case{Name: "a ServiceEntry that leads to a gateway, and a rule that turns TLS off", Want: []string{"EP043 error east"}, Fleet: serving(func(_ *Fleet, east, _ *Cluster) {
		east.Network.More = append(east.Network.More, entryAtGateway(nil), globalRule("httpbin.west.global", "DISABLE"))
	})}, Paths: []string{}, Asked: []string{}},
	{Case: Case{Name: "routes that one cluster has", Want: []string{"EP051 note west,east"}, Fleet: serving(func(_ *Fleet, east, _ *Cluster) {
		east.Network.More = append(east.Network.More, routeTo("helloworld", ""))
	})}, Paths: []string{}},
	{Case: Case{Name: "routes that one cluster has for many services", Want: []string{"EP051 note west,east"}, Fleet: serving(func(f *Fleet, east, _ *Cluster) {
		for _, name := range []string{"one", "two", "three", "four"} {
			for _, c := range f.Clusters {
				eachPod(c.Network.Pods, func(p *corev1.Pod) { p.Labels["in"] = "all" })
				s := c.Service("helloworld").DeepCopy()
				s.Name, s.Spec.ClusterIP = name, ""
				slice := c.Slice("helloworld").DeepCopy()
				slice.Name, slice.Labels = name+"-x", map[string]string{"kubernetes.io/service-name": name}
				c.Network.More = append(c.Network.More, s, slice)
			}
			east.Network.More = append(east.Network.More, routeTo(name, ""))
		}
	})}, Paths: []string{}, Asked: []string{}},
	{Asked: []string{"EP052 warning east,west"}, Case: Case{Name: "outlier detection for pods behind one gateway", Want: []string{"EP052 note east,west"}, Fleet: serving(func(f *Fleet, east, _ *Cluster) {
		east.withoutPods()
		for _, c := range f.Clusters {
			c.Network.More = append(c.Network.More, outlierDetection())
		}
	})}, Paths: []string{"west > east: nothing"}},
	{Case: Case{Name: "stateful sets of one name", Want: []string{"EP053 note east,west"}, Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			c.statefulSet("helloworld")
		}
	})}, Paths: []string{}},
	{Case: Case{Name: "databases of one name on one network", Want: []string{"EP053 warning east,west"}, Fleet: servingFlat(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			c.listenAt("helloworld", "tcp-postgres", 5432)
			c.Network.Pods[1].Labels["app"] = "other"
			c.Slice("helloworld").Endpoints = c.Slice("helloworld").Endpoints[:1]
		}
	})}, Paths: []string{}},
	{Case: Case{Name: "failover without outlier detection", Want: []string{"EP054 note east", "EP054 note west"}, Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		located(f)
		for _, c := range f.Clusters {
			c.Network.More = append(c.Network.More, rule(&api.TrafficPolicy{LoadBalancer: failover("region1", "region2")}))
		}
	})}, Paths: []string{}},
	{Case: Case{Name: "failover between regions where no node is", Want: []string{"EP054 warning east", "EP054 warning west"}, Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			c.Network.More = append(c.Network.More, rule(&api.TrafficPolicy{
				LoadBalancer: failover("region8", "region9"), OutlierDetection: &api.OutlierDetection{},
			}))
		}
	})}, Paths: []string{}},
	{Case: Case{Name: "a subset without pods", Want: []string{"EP054 note east", "EP054 note west"}, Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			c.Network.More = append(c.Network.More, rule(nil, api.Subset{Name: "v9", Labels: map[string]string{"version": "v9"}}))
		}
	})}, Paths: []string{}},
	{Case: Case{Name: "no gateway", Want: []string{"EP031 error west"}, Fleet: serving(func(_ *Fleet, _, west *Cluster) {
		west.Network.Gateway, west.Network.GatewayPods = nil, nil
	})}, Paths: []string{"east > west: broken EP031"}},
	{Case: Case{Name: "pending gateway", Want: []string{"EP031 error west"}, Fleet: serving(func(_ *Fleet, _, west *Cluster) {
		west.Network.Gateway.Status = corev1.ServiceStatus{}
	})}, Paths: []string{"east > west: broken EP031"}},
	{Case: Case{Name: "pods of no known network", Want: []string{"EP031 error west"}, Fleet: serving(func(_ *Fleet, _, west *Cluster) {
		west.SystemLabels = nil
		eachPod(west.Network.Pods, func(p *corev1.Pod) { delete(p.Labels, istio.LabelNetwork) })
	})}, Paths: []string{"east > west: broken EP031"}},
	{Case: Case{Name: "clients of no known network", Want: []string{"EP031 error east"}, Fleet: serving(func(_ *Fleet, east, _ *Cluster) {
		eachPod(east.Network.Pods, func(p *corev1.Pod) { SetEnv(p, istio.EnvProxyNetwork, "") })
	})}, Paths: []string{"east > west: broken EP031"}},
	{Asked: []string{"EP033 error west"}, Case: Case{Name: "no pod is ready", Want: []string{"EP033 warning west"}, Fleet: serving(func(_ *Fleet, _, west *Cluster) {
		s := west.Slice("helloworld")
		for i := range s.Endpoints {
			s.Endpoints[i].Conditions.Ready, s.Endpoints[i].Conditions.Serving = ptr(false), ptr(false)
		}
		for _, p := range west.Network.Pods[:2] {
			p.Status.Conditions[0].Status = corev1.ConditionFalse
		}
	})}, Paths: []string{"east > west: broken EP033"}},
	{Case: Case{Name: "another selector", Want: []string{"EP034 error west"}, Fleet: serving(func(_ *Fleet, _, west *Cluster) {
		west.Service("helloworld").Spec.Selector = map[string]string{"app": "hello"}
		west.Slice("helloworld").Endpoints = nil
	})}, Paths: []string{"east > west: broken EP034"}},
}

// uninject takes the sidecars away from the pods of a workload.
func (c *Cluster) uninject(name string) {
	for _, p := range c.Network.Pods {
		if p.Labels["app"] == name {
			inject(p, "")
			delete(p.Labels, istio.LabelTLSMode)
			p.Spec.Containers[0].Name = "app"
		}
	}
}

func routeTo(name, subset string) *api.VirtualService {
	return &api.VirtualService{ObjectMeta: inSample(name), Spec: api.VirtualServiceSpec{
		Hosts: []string{name}, HTTP: []api.Route{{Route: []api.RouteDestination{{Destination: &api.RouteTarget{Host: name, Subset: subset}}}}},
	}}
}

func allow(from api.AuthorizationSource) *api.AuthorizationPolicy {
	return &api.AuthorizationPolicy{ObjectMeta: inSample("helloworld"), Spec: api.AuthorizationPolicySpec{
		Action: api.ActionAllow, Rules: []api.AuthorizationRule{{From: []api.AuthorizationFrom{{Source: &from}}}},
	}}
}

func failover(from, to string) *api.LoadBalancer {
	return &api.LoadBalancer{LocalityLbSetting: &api.LocalityLbSetting{Failover: []api.Failover{{From: from, To: to}}}}
}

// policyOf gives namespace sample a network policy for all its pods that lets peers in.
func (c *Cluster) policyOf(from ...networkingv1.NetworkPolicyPeer) {
	p := &networkingv1.NetworkPolicy{ObjectMeta: inSample("same-namespace")}
	p.Spec = networkingv1.NetworkPolicySpec{
		PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}, Ingress: []networkingv1.NetworkPolicyIngressRule{{From: from}},
	}
	c.Network.More = append(c.Network.More, p)
}

// serveAt gives the cluster a Service without pods, at an address, of some age.
func (c *Cluster) serveAt(name, address, port string, number int32, age time.Duration) {
	s := &corev1.Service{ObjectMeta: inSample(name)}
	s.CreationTimestamp = metav1.NewTime(Now.Add(-age))
	s.Spec = corev1.ServiceSpec{
		Type: corev1.ServiceTypeClusterIP, ClusterIP: address, Selector: map[string]string{"app": name},
		Ports: []corev1.ServicePort{{Name: port, Port: number, Protocol: corev1.ProtocolTCP}},
	}
	c.Network.More = append(c.Network.More, s)
}

// withoutPods takes the pods away from the Service that clients call.
func (c *Cluster) withoutPods() {
	for _, p := range c.Network.Pods {
		if p.Labels["app"] == "helloworld" {
			p.Labels["app"] = "other"
		}
	}
	c.Slice("helloworld").Endpoints = nil
}

// statefulSet makes the pods of a name those of a StatefulSet.
func (c *Cluster) statefulSet(name string) {
	for _, p := range c.Network.Pods {
		if p.Labels["app"] == name {
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "StatefulSet", Name: name, UID: "0", Controller: ptr(true)}}
			delete(p.Labels, "pod-template-hash")
		}
	}
}

// listenAt gives a Service another port.
func (c *Cluster) listenAt(name, port string, number int32) {
	s, slice := c.Service(name), c.Slice(name)
	s.Spec.Ports[0].Name, s.Spec.Ports[0].Port = port, number
	slice.Ports[0].Name, slice.Ports[0].Port = ptr(port), ptr(number)
}

// entryAtGateway is a ServiceEntry whose endpoint is the gateway of west.
func entryAtGateway(change func(*api.ServiceEntry)) *api.ServiceEntry {
	s := &api.ServiceEntry{ObjectMeta: inSample("httpbin-west")}
	s.Spec = api.ServiceEntrySpec{
		Hosts: []string{"httpbin.west.global"}, Addresses: []string{"240.0.0.10"}, Location: api.MeshInternal,
		Ports: []api.ServiceEntryPort{{Name: "http", Number: 8000, Protocol: "HTTP"}},
		Endpoints: []api.WorkloadEntrySpec{{
			Address: "203.0.113.11", Ports: map[string]uint32{"http": istio.DefaultGatewayPort}, Labels: map[string]string{"cluster": "west"},
		}},
	}
	if change != nil {
		change(s)
	}
	return s
}

// globalRule is a DestinationRule for a host, by which clients use TLS of a mode.
func globalRule(host, mode string) *api.DestinationRule {
	return &api.DestinationRule{ObjectMeta: inSample("global"), Spec: api.DestinationRuleSpec{
		Host: host, TrafficPolicy: &api.TrafficPolicy{TLS: &api.ClientTLS{Mode: mode}},
	}}
}
