package istio_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// twoNetworks is a healthy mesh of east and west, each on a network of its own, with
// a gateway and a pod of Service shop/cart.
func twoNetworks() *facts.Fleet {
	f := &facts.Fleet{}
	for i, name := range []string{"east", "west"} {
		c := facts.Cluster{Context: name, Server: fmt.Sprintf("https://10.9.0.%d", i), SystemNamespace: istio.SystemNamespace}
		resources.Namespaces.Set(&c, read(
			corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: istio.SystemNamespace, Labels: map[string]string{istio.LabelNetwork: "net-" + name}}},
			corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}},
		))
		resources.Istiods.Set(&c, read(istiod(name, "1.31.0")))
		resources.MeshConfigs.Set(&c, read(corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "istio", Namespace: istio.SystemNamespace}, Data: map[string]string{"mesh": "{}"}}))
		resources.Nodes.Set(&c, read(corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node", Labels: map[string]string{"topology.kubernetes.io/region": name}}}))
		resources.Services.Set(&c, read(gateway(fmt.Sprintf("203.0.113.%d", i+1), "net-"+name), service()))
		resources.Pods.Set(&c, read(facts.PodOf(pod(fmt.Sprintf("10.%d.0.1", i), name))))
		resources.EndpointSlices.Set(&c, read(slice(fmt.Sprintf("10.%d.0.1", i))))
		resources.PeerAuthentications.Set(&c, read[api.PeerAuthentication]())
		resources.DestinationRules.Set(&c, read[api.DestinationRule]())
		resources.Gateways.Set(&c, read[api.Gateway]())
		resources.KubernetesGateways.Set(&c, read[api.KubernetesGateway]())
		f.Clusters = append(f.Clusters, c)
	}
	for i := range f.Clusters {
		other := f.Clusters[1-i]
		resources.RemoteSecrets.Set(&f.Clusters[i], read(facts.RemoteSecret{Name: "remote-" + other.Context, Namespace: istio.SystemNamespace, ClusterID: other.Context, Server: other.Server}))
	}
	return f
}

func read[T any](values ...T) facts.Read[[]T] { return facts.Read[[]T]{State: facts.OK, Value: values} }

func istiod(id, version string) appsv1.Deployment {
	d := appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "istiod", Namespace: istio.SystemNamespace, Labels: map[string]string{"app": "istiod"}}}
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "discovery", Image: "pilot:" + version, Env: []corev1.EnvVar{{Name: istio.EnvClusterID, Value: id}}}}
	return d
}

func gateway(ip, network string) corev1.Service {
	s := corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "gateway", Namespace: istio.SystemNamespace, Labels: map[string]string{istio.LabelNetwork: network}}}
	s.Spec.Type, s.Spec.Ports = corev1.ServiceTypeLoadBalancer, []corev1.ServicePort{{Name: "tls", Port: 15443}}
	s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: ip}}
	return s
}

func service() corev1.Service {
	s := corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "cart", Namespace: "shop"}}
	s.Spec.ClusterIP, s.Spec.Ports = "10.96.0.1", []corev1.ServicePort{{Name: "http", Port: 80}}
	return s
}

func pod(ip, cluster string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "cart-0", Namespace: "shop", Labels: map[string]string{
		"app": "cart", istio.LabelTLSMode: "istio", istio.LabelNetwork: "net-" + cluster,
	}}}
	p.Spec.NodeName = "node"
	p.Spec.Containers = []corev1.Container{{Name: istio.ProxyContainer, Env: []corev1.EnvVar{
		{Name: istio.EnvProxyClusterID, Value: cluster}, {Name: istio.EnvProxyNetwork, Value: "net-" + cluster},
	}}}
	p.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}}, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}
	return p
}

func slice(ip string) discoveryv1.EndpointSlice {
	name, port := "http", int32(8080)
	return discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: "cart-x", Namespace: "shop", Labels: map[string]string{discoveryv1.LabelServiceName: "cart"}},
		AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Name: &name, Port: &port}},
		Endpoints: []discoveryv1.Endpoint{{Addresses: []string{ip}, TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: "cart-0"}}},
	}
}

func TestNetworks(t *testing.T) {
	const networks = `
networks:
  by-registry: {endpoints: [{fromRegistry: west}]}
  by-range: {endpoints: [{fromCidr: 10.1.0.0/16}]}
  by-wide-range: {endpoints: [{fromCidr: 10.0.0.0/8}]}
`
	for name, c := range map[string]struct {
		change func(west *facts.Cluster, mesh *corev1.ConfigMap)
		want   istio.Network
	}{
		"the pod's label comes first": {func(*facts.Cluster, *corev1.ConfigMap) {}, istio.Network{Name: "net-west", From: istio.FromLabel}},
		"then the label of the system namespace": {func(c *facts.Cluster, _ *corev1.ConfigMap) {
			delete(resources.Pods.Of(c).Value[0].Labels, istio.LabelNetwork)
		}, istio.Network{Name: "net-west", From: istio.FromNamespace}},
		"then fromRegistry, by the secret's key": {func(c *facts.Cluster, mesh *corev1.ConfigMap) {
			delete(resources.Pods.Of(c).Value[0].Labels, istio.LabelNetwork)
			resources.Namespaces.Of(c).Value[0].Labels = nil
			mesh.Data["meshNetworks"] = networks
		}, istio.Network{Name: "by-registry", From: istio.FromRegistry}},
		"then the widest range": {func(c *facts.Cluster, mesh *corev1.ConfigMap) {
			delete(resources.Pods.Of(c).Value[0].Labels, istio.LabelNetwork)
			resources.Namespaces.Of(c).Value[0].Labels = nil
			mesh.Data["meshNetworks"] = strings.Replace(networks, "fromRegistry: west", "fromRegistry: other", 1)
		}, istio.Network{Name: "by-wide-range", From: istio.FromCIDR, Detail: "10.0.0.0/8"}},
		"and one that is not valid spoils all": {func(c *facts.Cluster, mesh *corev1.ConfigMap) {
			delete(resources.Pods.Of(c).Value[0].Labels, istio.LabelNetwork)
			resources.Namespaces.Of(c).Value[0].Labels = nil
			mesh.Data["meshNetworks"] = networks + "  wrong: {endpoints: [{fromCidr: 10.0.0.0/99}]}"
		}, istio.Network{}},
	} {
		t.Run(name, func(t *testing.T) {
			f := twoNetworks()
			c.change(&f.Clusters[1], &resources.MeshConfigs.Of(&f.Clusters[0]).Value[0])
			got := istio.ViewOf(f, "east").PodNetworks()
			if diff := cmp.Diff(c.want, got[1].Network); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCandidates(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(west *facts.Cluster, s *corev1.Service)
		problem string
		want    []string // address:port/hbone
	}{
		"load balancer": {func(*facts.Cluster, *corev1.Service) {}, "", []string{"203.0.113.2:15443/0"}},
		"pending":       {func(_ *facts.Cluster, s *corev1.Service) { s.Status = corev1.ServiceStatus{} }, "no address yet", nil},
		"cluster IP":    {func(_ *facts.Cluster, s *corev1.Service) { s.Spec.Type, s.Status = "", corev1.ServiceStatus{} }, "of type ClusterIP", nil},
		"another port":  {func(_ *facts.Cluster, s *corev1.Service) { s.Spec.Ports[0].Port = 443 }, "neither port 15443 nor port 15008", nil},
		"another port, by label": {func(_ *facts.Cluster, s *corev1.Service) {
			s.Spec.Ports[0].Port, s.Labels[istio.LabelGatewayPort] = 443, "443"
		}, "", []string{"203.0.113.2:443/0"}},
		"a port that is a word": {func(_ *facts.Cluster, s *corev1.Service) { s.Labels[istio.LabelGatewayPort] = "https" }, "", []string{"203.0.113.2:15443/0"}},
		"hbone only":            {func(_ *facts.Cluster, s *corev1.Service) { s.Spec.Ports[0].Port = 15008 }, "", []string{"203.0.113.2:0/15008"}},
		"host name": {func(_ *facts.Cluster, s *corev1.Service) {
			s.Status.LoadBalancer.Ingress[0] = corev1.LoadBalancerIngress{Hostname: "lb.example"}
		}, "", []string{"198.51.100.1:15443/0", "198.51.100.2:15443/0"}},
		"host name without any": {func(_ *facts.Cluster, s *corev1.Service) {
			s.Status.LoadBalancer.Ingress[0] = corev1.LoadBalancerIngress{Hostname: "no.example"}
		}, "", nil},
		"node port":               {func(_ *facts.Cluster, s *corev1.Service) { s.Spec.Type, s.Status = "NodePort", corev1.ServiceStatus{} }, "needs annotation", nil},
		"node port, no such node": {nodePort(`{"role":"gateway"}`, ""), "no node has the labels", nil},
		"node port, inside only":  {nodePort("{}", ""), "has an ExternalIP", nil},
		"node port, outside":      {nodePort("{}", "192.0.2.1"), "", []string{"192.0.2.1:31443/0"}},
		"node port, no JSON":      {nodePort("role=gateway", "192.0.2.1"), "", []string{"192.0.2.1:31443/0"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := twoNetworks()
			c.change(&f.Clusters[1], &resources.Services.Of(&f.Clusters[1]).Value[0])
			v := istio.ViewOf(f, "east")
			v.Hosts = map[string][]string{"lb.example": {"198.51.100.1", "198.51.100.2"}}
			problem := ""
			for _, candidate := range v.Candidates() {
				if candidate.Cluster == "west" {
					problem = candidate.Problem
				}
			}
			if (problem == "") != (c.problem == "") || !strings.Contains(problem, c.problem) {
				t.Errorf("problem: %q, want %q", problem, c.problem)
			}
			var got []string
			for _, g := range v.Gateways() {
				if g.Cluster == "west" {
					got = append(got, fmt.Sprintf("%s:%d/%d", g.Address, g.Port, g.HBONEPort))
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func nodePort(selector, external string) func(*facts.Cluster, *corev1.Service) {
	return func(c *facts.Cluster, s *corev1.Service) {
		s.Spec.Type, s.Status, s.Spec.Ports[0].NodePort = corev1.ServiceTypeNodePort, corev1.ServiceStatus{}, 31443
		s.Annotations = map[string]string{istio.AnnotationNodeSelector: selector}
		if external != "" {
			resources.Nodes.Of(c).Value[0].Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "172.16.0.1"}, {Type: corev1.NodeExternalIP, Address: external}}
		}
	}
}

func TestEndpoints(t *testing.T) {
	type given struct {
		Address string
		Port    uint32
		Route   istio.Route
	}
	local := given{"10.0.0.1", 8080, istio.SameNetwork}
	remote := given{"203.0.113.2", 15443, istio.ThroughGateway}
	for name, c := range map[string]struct {
		change  func(east, west *facts.Cluster)
		want    []given
		dropped istio.DropReason
	}{
		"healthy": {func(_, _ *facts.Cluster) {}, []given{local, remote}, ""},
		"no gateway at all": {func(e, w *facts.Cluster) {
			resources.Services.Edit(e).Value = resources.Services.Of(e).Value[1:]
			resources.Services.Edit(w).Value = resources.Services.Of(w).Value[1:]
		},
			[]given{local, {"10.1.0.1", 8080, istio.NoGateways}}, ""},
		"no gateway there": {func(_, w *facts.Cluster) { resources.Services.Edit(w).Value = resources.Services.Of(w).Value[1:] },
			[]given{local, {"10.1.0.1", 8080, istio.NoGatewayOfNetwork}}, ""},
		"the endpoint's network is not known": {func(_, w *facts.Cluster) {
			resources.Namespaces.Of(w).Value[0].Labels = nil
			delete(resources.Pods.Of(w).Value[0].Labels, istio.LabelNetwork)
		}, []given{local, {"10.1.0.1", 8080, istio.NetworkUnknown}}, ""},
		"the client's network is not known, before 1.30": {func(e, _ *facts.Cluster) {
			resources.Istiods.Set(e, read(istiod("east", "1.29.1")))
			resources.Pods.Of(e).Value[0].Containers[0].Env = nil
		}, []given{{"10.0.0.1", 8080, istio.SourceUnknown}, {"10.1.0.1", 8080, istio.SourceUnknown}}, ""},
		"the client's network is not known, since 1.30": {func(e, _ *facts.Cluster) { resources.Pods.Of(e).Value[0].Containers[0].Env = nil },
			[]given{{"203.0.113.1", 15443, istio.ThroughGateway}, remote}, ""},
		"no sidecar": {func(_, w *facts.Cluster) { delete(resources.Pods.Of(w).Value[0].Labels, istio.LabelTLSMode) }, []given{local}, istio.NoMTLS},
		"PeerAuthentication of the client's side": {func(e, _ *facts.Cluster) {
			resources.PeerAuthentications.Set(e, read(api.PeerAuthentication{
				ObjectMeta: metav1.ObjectMeta{Name: "off", Namespace: "shop"}, Spec: api.PeerAuthenticationSpec{MTLS: &api.MutualTLS{Mode: api.MTLSDisable}},
			}))
		}, []given{local}, istio.NoMTLS},
		"PeerAuthentication of the other side": {func(_, w *facts.Cluster) {
			resources.PeerAuthentications.Set(w, read(api.PeerAuthentication{
				ObjectMeta: metav1.ObjectMeta{Name: "off", Namespace: "shop"}, Spec: api.PeerAuthenticationSpec{MTLS: &api.MutualTLS{Mode: api.MTLSDisable}},
			}))
		}, []given{local, remote}, ""},
		"DestinationRule": {func(e, _ *facts.Cluster) {
			resources.DestinationRules.Set(e, read(api.DestinationRule{
				ObjectMeta: metav1.ObjectMeta{Name: "plain", Namespace: "shop"},
				Spec:       api.DestinationRuleSpec{Host: "cart", TrafficPolicy: &api.TrafficPolicy{TLS: &api.ClientTLS{Mode: "SIMPLE"}}},
			}))
		}, []given{local}, istio.NoMTLS},
		"another port name": {func(_, w *facts.Cluster) { *resources.EndpointSlices.Of(w).Value[0].Ports[0].Name = "web" }, []given{local}, istio.OtherPort},
		"local to each cluster": {func(e, _ *facts.Cluster) {
			resources.MeshConfigs.Of(e).Value[0].Data["mesh"] = "serviceSettings: [{settings: {clusterLocal: true}, hosts: ['*.shop.svc.cluster.local']}]"
		}, []given{local}, istio.OtherCluster},
		"namespace not selected": {func(e, _ *facts.Cluster) {
			resources.MeshConfigs.Of(e).Value[0].Data["mesh"] = "discoverySelectors: [{matchLabels: {a: b}}]"
			resources.Namespaces.Of(e).Value[1].Labels = map[string]string{"a": "b"}
		}, []given{local}, ""},
		"no remote secret": {func(e, _ *facts.Cluster) { resources.RemoteSecrets.Edit(e).Value = nil }, []given{local}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := twoNetworks()
			c.change(&f.Clusters[0], &f.Clusters[1])
			v := istio.ViewOf(f, "east")
			source, ok := v.SourceOf("east", "shop", "cart-0")
			if !ok {
				t.Fatal("there is no such source")
			}
			out := v.Endpoints(source, istio.Destination{Namespace: "shop", Service: "cart", Port: 80})
			var got []given
			for _, e := range out.Endpoints {
				got = append(got, given{e.Address, e.Port, e.Route})
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			reasons := map[istio.DropReason]bool{}
			for _, d := range out.Dropped {
				reasons[d.Reason] = true
			}
			var want []istio.DropReason
			if c.dropped != "" {
				want = append(want, c.dropped)
			}
			if diff := cmp.Diff(want, slices.Collect(maps.Keys(reasons)), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("dropped: %s", diff)
			}
		})
	}
}

func TestClusters(t *testing.T) {
	f := twoNetworks()
	own := &resources.RemoteSecrets.Edit(&f.Clusters[0]).Value
	west := (*own)[0]
	for _, change := range []func(*facts.RemoteSecret){
		func(s *facts.RemoteSecret) { s.Name = "z-again" },
		func(s *facts.RemoteSecret) { s.ClusterID = "east" },
		func(s *facts.RemoteSecret) { s.ClusterID, s.Insecure = "plugin", []string{"exec"} },
		func(s *facts.RemoteSecret) { s.ClusterID, s.Invalid = "broken", "the kubeconfig is empty" },
		func(s *facts.RemoteSecret) { s.ClusterID, s.Server = "far", "https://far.example" },
	} {
		s := west
		change(&s)
		*own = append(*own, s)
	}
	watched, ignored := istio.ViewOf(f, "east").Clusters()
	wantWatched := []istio.Watched{
		{ID: "east", Context: "east", State: istio.Synced},
		{ID: "far", Secret: "istio-system/remote-west", State: istio.Unknown, Reason: "no cluster that was read is the one to which its kubeconfig leads"},
		{ID: "west", Secret: "istio-system/remote-west", Context: "west", State: istio.Synced},
	}
	wantIgnored := []istio.Ignored{
		{ID: "broken", Secret: "istio-system/remote-west", Cause: istio.InvalidKubeconfig, Reason: "the kubeconfig is empty"},
		{ID: "east", Secret: "istio-system/remote-west", Cause: istio.OwnClusterID, Reason: "its key is the ID of the control plane's own cluster"},
		{ID: "plugin", Secret: "istio-system/remote-west", Cause: istio.ForbiddenAuthentication, Reason: "exec is not allowed in the kubeconfig"},
		{
			ID: "west", Secret: "istio-system/z-again", Cause: istio.DuplicateClusterID,
			Reason: "secret istio-system/remote-west already has this cluster ID",
		},
	}
	if diff := cmp.Diff(wantWatched, watched, cmpopts.IgnoreUnexported(istio.Watched{})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(wantIgnored, ignored); diff != "" {
		t.Error(diff)
	}
}

// What was not read is said, for a prediction without it means nothing.
func TestUnread(t *testing.T) {
	f := twoNetworks()
	resources.Pods.Set(&f.Clusters[1], facts.Read[[]facts.Pod]{State: facts.Forbidden, Reason: "forbidden"})
	want := []istio.Unread{{Cluster: "west", Part: istio.PartPods, What: "pods", State: facts.Forbidden, Why: "forbidden"}}
	if diff := cmp.Diff(want, istio.ViewOf(f, "east").Unread()); diff != "" {
		t.Error(diff)
	}
}
