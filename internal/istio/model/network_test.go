package model

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
)

// named makes the fleet of a case of istiotest.
func named(t *testing.T, name string) *facts.Fleet {
	t.Helper()
	for _, list := range [][]istiotest.Case{istiotest.NetworkHealthy, istiotest.NetworkFaults} {
		for _, c := range list {
			if c.Name == name {
				return c.Fleet().Facts()
			}
		}
	}
	for _, c := range slices.Concat(istiotest.EndpointHealthy, istiotest.EndpointFaults) {
		if c.Name == name {
			return c.Fleet().Facts()
		}
	}
	t.Fatalf("no fleet is %q", name)
	return nil
}

func TestNetwork(t *testing.T) {
	for name, c := range map[string]struct {
		fleet func() *facts.Fleet
		want  Network
		home  string
	}{
		"by its own": {
			func() *facts.Fleet { return istiotest.Networked("east", "west").Facts() },
			Network{Namespace: "network2", Pods: "network2", Injector: "network2", InjectorKnown: true, Gateway: "network2"}, "network2",
		},
		"none": {
			func() *facts.Fleet { return istiotest.OneNetwork("", "east", "west").Facts() },
			Network{InjectorKnown: true}, "",
		},
		"a remote cluster": {
			func() *facts.Fleet { return named(t, "a primary and a remote cluster on another network") },
			Network{Namespace: "network2", Pods: "network2", InjectionPath: "network2", Gateway: "network2"}, "network2",
		},
		"by meshNetworks": {
			func() *facts.Fleet { return named(t, "mesh networks instead of labels") },
			Network{Pods: "network2", Injector: "network2", InjectorKnown: true, MeshNetworks: []string{"network2"}}, "network2",
		},
		"gateways on another network than the workloads": {func() *facts.Fleet {
			f := istiotest.Networked("east", "west")
			for range 5 { // more gateways than workloads
				p := f.Clusters[1].Network.GatewayPods[0].DeepCopy()
				p.Name += "x"
				istiotest.SetEnv(p, istio.EnvProxyNetwork, "edge")
				f.Clusters[1].Network.GatewayPods = append(f.Clusters[1].Network.GatewayPods, p)
			}
			return f.Facts()
		}, Network{Namespace: "network2", Pods: "network2", Injector: "network2", InjectorKnown: true, Gateway: "network2"}, "network2"},
		"gateways alone": {func() *facts.Fleet {
			f := istiotest.Networked("east", "west")
			west := f.Clusters[1]
			west.SystemLabels, west.InjectedNetwork, west.Network.Pods = nil, new(string), nil
			istiotest.SetEnv(west.Network.GatewayPods[0], istio.EnvProxyNetwork, "edge")
			return f.Facts()
		}, Network{Pods: "edge", InjectorKnown: true, Gateway: "network2"}, "edge"},
	} {
		t.Run(name, func(t *testing.T) {
			m := New(c.fleet(), Options{})
			got := m.Cluster("west").Network()
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.Home() != c.home || !slices.Equal(got.Homes(), distinct([]string{c.home})) {
				t.Errorf("home %q of %v", got.Home(), got.Homes())
			}
		})
	}
}

func TestNetworksOfTheFleet(t *testing.T) {
	for name, want := range map[string][]string{
		"two networks":                                     {"network1", "network2"},
		"one network without a name":                       nil,
		"one network with a name":                          {"network1"},
		"mesh networks by ranges":                          {"network1", "network2"},
		"a gateway elsewhere, by the Gateway API":          {"network1", "network2"},
		"a cluster that has nothing to do with the others": {"network1", "network2"},
		"no remote secret at all":                          {"network1", "network2"},
	} {
		m := New(named(t, name), Options{})
		if !slices.Equal(m.Networks(), want) || m.Several() != (len(want) > 1) || m.GatewaysMatter() != m.Several() {
			t.Errorf("%s: %v", name, m.Networks())
		}
		for _, cp := range m.ControlPlanes {
			if cp.Cluster.Membership.State == Member && len(cp.WatchedClusters()) > 1 && cp.SeesSeveral() != m.Several() {
				t.Errorf("%s: %s sees several networks: %v", name, cp.Context, cp.SeesSeveral())
			}
		}
	}
}

func TestGateways(t *testing.T) {
	for name, c := range map[string]struct {
		of                 string
		labeled, accident  bool
		port               int
		sidecars, eastWest bool
		addresses          []string
	}{
		"two networks":                    {"west", true, false, 15443, true, false, []string{"203.0.113.11"}},
		"another port":                    {"west", true, false, 443, true, false, []string{"203.0.113.11"}},
		"ambient gateways":                {"west", true, false, 15443, false, true, []string{"203.0.113.11"}},
		"NodePort gateways":               {"west", true, false, 15443, true, false, []string{"198.51.100.9"}},
		"mesh networks instead of labels": {"east", false, false, 15443, true, false, []string{"203.0.113.10"}},
		"load balancer pending":           {"west", true, false, 15443, true, false, nil},
		"application labelled as a gateway, with an address": {"west", true, true, 15443, true, false, []string{"203.0.113.77"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := New(named(t, name), Options{})
			list := m.Cluster(c.of).NetworkGateways()
			g := list[len(list)-1]
			var addresses []string
			for _, a := range g.Addresses() {
				addresses = append(addresses, a.Address)
			}
			if g.Labeled != c.labeled || g.Accidental != c.accident || g.Port() != c.port || g.TakesSidecars() != c.sidecars ||
				(g.EastWest() != nil) != c.eastWest || !slices.Equal(addresses, c.addresses) {
				t.Errorf("%+v: port %d, sidecars %v, east-west %v, addresses %v", g, g.Port(), g.TakesSidecars(), g.EastWest(), addresses)
			}
			if len(g.Pods) == 0 || g.Cluster.IsGatewayPod(g.Pods[0]) == c.accident {
				t.Errorf("pods %v", g.Pods)
			}
		})
	}
	m := New(named(t, "load balancer of a second gateway pending"), Options{})
	for _, g := range m.Cluster("west").NetworkGateways() {
		if g.Replaced() != (g.Service.Name == "second") || g.Ready() != 1 {
			t.Errorf("%s: replaced %v", g.Service.Name, g.Replaced())
		}
	}
}

// A host name that nobody resolved is none of the gateways, and one of the predictions.
func TestHostNames(t *testing.T) {
	hosts := map[string][]string{"east-1234.elb.example.com": {"198.51.100.1"}}
	m := New(istiotest.HostnameGateways().Facts(), Options{Hosts: hosts})
	cp := m.ControlPlanes[0]
	if len(cp.Gateways()) != 1 || len(cp.PredictedGateways()) != 2 {
		t.Fatalf("%v, %v", cp.Gateways(), cp.PredictedGateways())
	}
	var names []string
	for _, g := range cp.PredictedGateways() {
		names = append(names, m.HostOf(g.Address))
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"198.51.100.1", "west-1234.elb.example.com"}) {
		t.Errorf("%v", names)
	}
}

func TestPods(t *testing.T) {
	pod := func(do func(*corev1.Pod)) *facts.Pod {
		o := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{istio.LabelTLSMode: "istio"}}}
		o.Spec.Containers = []corev1.Container{{Name: istio.ProxyContainer}}
		o.Status.Phase = corev1.PodRunning
		do(o)
		p := facts.PodOf(o)
		return &p
	}
	for name, c := range map[string]struct {
		pod                         *facts.Pod
		runs, proxy, config, client bool
	}{
		"a sidecar":          {pod(func(*corev1.Pod) {}), true, true, true, true},
		"one that starts":    {pod(func(p *corev1.Pod) { p.Status.Phase = corev1.PodPending }), true, true, true, true},
		"one that has ended": {pod(func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }), false, false, false, false},
		"one of a lost node": {pod(func(p *corev1.Pod) { p.Status.Phase = corev1.PodUnknown }), true, true, false, false},
		"one that is being deleted": {pod(func(p *corev1.Pod) {
			p.DeletionTimestamp = &metav1.Time{Time: time.Now()}
		}), false, false, true, true},
		"without Envoy": {pod(func(p *corev1.Pod) { istiotest.SetEnv(p, istio.EnvDisableEnvoy, "true") }), true, true, false, false},
		"a gateway": {pod(func(p *corev1.Pod) {
			delete(p.Labels, istio.LabelTLSMode)
			istiotest.SetEnv(p, istio.EnvProxyNetworkView, "n1")
		}), true, true, true, false},
		"ztunnel":       {pod(func(p *corev1.Pod) { p.Labels = map[string]string{"app": istio.ZtunnelName} }), true, false, false, false},
		"without proxy": {pod(func(p *corev1.Pod) { p.Spec.Containers[0].Name = "app" }), true, false, false, false},
	} {
		p := c.pod
		if Runs(p) != c.runs || IsProxy(p) != c.proxy || NeedsConfig(p) != c.config || IsClient(p) != c.client ||
			IsZtunnel(p) != (name == "ztunnel") {
			t.Errorf("%s: runs %v, proxy %v, config %v, client %v, ztunnel %v", name, Runs(p), IsProxy(p), NeedsConfig(p), IsClient(p), IsZtunnel(p))
		}
	}
	waypoint := pod(func(p *corev1.Pod) { p.Labels = map[string]string{istio.LabelGatewayManaged: istio.ManagedWaypoint} })
	if !IsWaypoint(waypoint) || IsClient(waypoint) || IsAmbientNamespace(nil) {
		t.Errorf("waypoint")
	}
}

// Ambient workloads have ztunnel speak for them, and a Service its own waypoint or that
// of its namespace.
func TestAmbient(t *testing.T) {
	m := New(named(t, "waypoints in both clusters"), Options{})
	for context, want := range map[string]string{"east": "waypoint", "west": "wp"} {
		c := m.Cluster(context)
		var found []string
		for name, s := range c.ServicesByName() {
			if name.Namespace == "sample" {
				found = append(found, c.WaypointOf(s))
				if !c.HasAmbientPods(s) {
					t.Errorf("%s: no ambient pods", context)
				}
			}
		}
		if !slices.Equal(found, []string{want}) || len(c.Ztunnels()) == 0 || len(c.EastWest()) != 1 || len(c.ProxyPods()) != 1 {
			t.Errorf("%s: waypoints %v, ztunnels %d, proxies %d", context, found, len(c.Ztunnels()), len(c.ProxyPods()))
		}
	}
}
