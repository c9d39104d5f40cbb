package proxies_test

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/envoy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/proxies"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

var cart = proxies.Service{Namespace: "shop", Name: "cart"}

// recorded is a mesh of two networks, east and west, with a client, two pods of Service cart
// in each, and one without a sidecar in west.
func recorded(t *testing.T) *facts.Fleet {
	t.Helper()
	fleet, err := dump.Read(os.DirFS("../../../plugins/kubectl-mesh_endpoints/testdata/fleets/two"), "", time.Time{}, resources.All)
	if err != nil {
		t.Fatal(err)
	}
	return fleet
}

func pods(c *facts.Cluster, do func(*corev1.Pod)) {
	for i := range resources.Pods.Of(c).Value {
		p := resources.Pods.Of(c).Value[i].Object().DeepCopy() // pods of one workload share what they have in common
		do(p)
		resources.Pods.Of(c).Value[i] = facts.PodOf(p)
	}
}

func named(name string, do func(*corev1.Pod)) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		if p.Namespace+"/"+p.Name == name {
			do(p)
		}
	}
}

func network(p *corev1.Pod, network string) {
	for _, containers := range [][]corev1.Container{p.Spec.Containers, p.Spec.InitContainers} {
		for i := range containers {
			for j := range containers[i].Env {
				if containers[i].Env[j].Name == istio.EnvProxyNetwork {
					containers[i].Env[j].Value = network
				}
			}
		}
	}
}

func TestRepresentatives(t *testing.T) {
	for name, c := range map[string]struct {
		change func(f *facts.Fleet)
		to     proxies.Service
		want   []string
		gaps   []string
	}{
		"a client in the service's namespace": {func(*facts.Fleet) {}, cart, []string{"east/shop/client-0 n1 east", "west/shop/client-0 n2 west"}, nil},
		"the first of another namespace":      {func(*facts.Fleet) {}, proxies.Service{Namespace: "elsewhere", Name: "x"}, []string{"east/shop/cart-0 n1 east", "west/shop/cart-0 n2 west"}, nil},
		"a pod of the service where there is no other": {func(f *facts.Fleet) {
			pods(&f.Clusters[0], func(p *corev1.Pod) {
				if p.Name == "client-0" || p.Name == "db-0" {
					p.Status.Conditions = nil
				}
			})
		}, cart, []string{"east/shop/cart-0 n1 east", "west/shop/client-0 n2 west"}, nil},
		"one for each network": {func(f *facts.Fleet) {
			pods(&f.Clusters[0], named("shop/cart-1", func(p *corev1.Pod) { network(p, "n9") }))
			pods(&f.Clusters[0], named("shop/cart-0", func(p *corev1.Pod) { network(p, "") }))
		}, cart, []string{"east/shop/cart-0  east", "east/shop/client-0 n1 east", "east/shop/cart-1 n9 east", "west/shop/client-0 n2 west"}, nil},
		"rather no gateway": {func(f *facts.Fleet) {
			pods(&f.Clusters[0], func(p *corev1.Pod) {
				if p.Name == "client-0" {
					p.Labels["istio"] = "ingressgateway"
				}
			})
		}, cart, []string{"east/shop/db-0 n1 east", "west/shop/client-0 n2 west"}, nil},
		"no gateway on a network of its own": {func(f *facts.Fleet) {
			pods(&f.Clusters[0], func(p *corev1.Pod) {
				if p.Name == "client-0" {
					p.Labels["istio"] = "ingressgateway"
					network(p, "n9")
				}
			})
		}, cart, []string{"east/shop/db-0 n1 east", "west/shop/client-0 n2 west"}, nil},
		"a gateway where there is nothing else": {func(f *facts.Fleet) {
			pods(&f.Clusters[0], func(p *corev1.Pod) { p.Labels["istio"] = "gateway" })
		}, cart, []string{"east/shop/client-0 n1 east", "west/shop/client-0 n2 west"}, nil},
		"by the primary's control plane": {func(f *facts.Fleet) { resources.Istiods.Edit(&f.Clusters[1]).Value = nil }, cart, []string{"east/shop/client-0 n1 east", "west/shop/client-0 n2 east"}, nil},
		"by the primary that it names":   {remoteOf("east"), cart, []string{"east/shop/client-0 n1 east", "west/shop/client-0 n2 east"}, nil},
		"by a primary that does not know it": {func(f *facts.Fleet) {
			remoteOf("east")(f)
			resources.RemoteSecrets.Edit(&f.Clusters[0]).Value = nil
		}, cart, []string{"east/shop/client-0 n1 east"}, []string{"west: its control plane, that of cluster east, has no remote secret for it, and so lets none of its proxies in"}},
		"by a primary elsewhere": {remoteOf("north"), cart, []string{"east/shop/client-0 n1 east"}, []string{"west: its control plane is that of cluster north, which is not one of these clusters"}},
		"by no control plane": {func(f *facts.Fleet) {
			resources.Istiods.Edit(&f.Clusters[1]).Value = nil
			resources.RemoteSecrets.Edit(&f.Clusters[0]).Value = nil
		}, cart, []string{"east/shop/client-0 n1 east"}, []string{"west: no control plane of these clusters serves its proxies"}},
		"forbidden": {func(f *facts.Fleet) {
			resources.Pods.Set(&f.Clusters[0], facts.Read[[]facts.Pod]{State: facts.Forbidden})
		}, cart, []string{"west/shop/client-0 n2 west"}, []string{"east: pods: forbidden"}},
		"unreached":   {func(f *facts.Fleet) { f.Clusters[0].Unreached = &facts.Unreached{Reason: "no route"} }, cart, []string{"west/shop/client-0 n2 west"}, []string{"east: the cluster was not reached: no route"}},
		"no sidecars": {func(f *facts.Fleet) { resources.Pods.Edit(&f.Clusters[0]).Value = nil }, cart, []string{"west/shop/client-0 n2 west"}, []string{"east: it has no ready pod with a sidecar"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := recorded(t)
			c.change(f)
			sources, gaps := proxies.Representatives(f, istio.Views(f), c.to)
			var got, lacking []string
			for _, s := range sources {
				got = append(got, s.String()+" "+s.Network+" "+s.View.Context)
			}
			for _, g := range gaps {
				lacking = append(lacking, g.Cluster+": "+g.Reason)
			}
			if diff := gocmp.Diff(c.want, got); diff != "" {
				t.Errorf("sources (-want +got):\n%s", diff)
			}
			if diff := gocmp.Diff(c.gaps, lacking); diff != "" {
				t.Errorf("gaps (-want +got):\n%s", diff)
			}
		})
	}
}

// remoteOf makes west a remote cluster of a primary.
func remoteOf(primary string) func(*facts.Fleet) {
	return func(f *facts.Fleet) {
		resources.Istiods.Edit(&f.Clusters[1]).Value = nil
		for i := range resources.Namespaces.Of(&f.Clusters[1]).Value {
			if ns := &resources.Namespaces.Of(&f.Clusters[1]).Value[i]; ns.Name == istio.SystemNamespace {
				ns.Annotations = map[string]string{"topology.istio.io/controlPlaneClusters": primary}
			}
		}
	}
}

func TestFind(t *testing.T) {
	for name, c := range map[string]struct {
		context, namespace, pod, want string
	}{
		"a pod":           {"east", "shop", "client-0", ""},
		"another context": {"north", "shop", "client-0", `"north" is not one of the contexts of this run (east, west); name it in --contexts`},
		"no pod":          {"east", "shop", "client", "there is no such pod; see kubectl --context=east -n shop get pods"},
		"no sidecar":      {"west", "shop", "cart-bare-0", "the pod has no container istio-proxy"},
	} {
		t.Run(name, func(t *testing.T) {
			f := recorded(t)
			_, err := proxies.Find(f, istio.Views(f), c.context, c.namespace, c.pod)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// With primary and remote cluster, a revision of its own is the one that injected the pod.
func TestControlPlaneOfARevision(t *testing.T) {
	f := recorded(t)
	canary := *resources.Istiods.Of(&f.Clusters[0]).Value[0].DeepCopy()
	canary.Name = "istiod-canary"
	for i := range canary.Spec.Template.Spec.Containers[0].Env {
		if e := &canary.Spec.Template.Spec.Containers[0].Env[i]; e.Name == istio.EnvRevision {
			e.Value = "canary"
		}
	}
	resources.Istiods.Edit(&f.Clusters[0]).Value = append(resources.Istiods.Of(&f.Clusters[0]).Value, canary)
	for _, rev := range []string{"default", "canary"} {
		pods(&f.Clusters[0], named("shop/client-0", func(p *corev1.Pod) { p.Labels["istio.io/rev"] = rev }))
		s, err := proxies.Find(f, istio.Views(f), "east", "shop", "client-0")
		if err != nil || s.View.Istiod.Revision != rev {
			t.Errorf("%s: %+v, %v", rev, s.View.Istiod.Revision, err)
		}
	}
}

// istiod finds a proxy by any part of its name.
func TestMistakable(t *testing.T) {
	f := recorded(t)
	s, err := proxies.Find(f, istio.Views(f), "east", "shop", "cart-0")
	if err != nil {
		t.Fatal(err)
	}
	if other := proxies.Mistakable(f, s); other != "" { // the pods of west have their own istiod
		t.Errorf("taken for %s", other)
	}
	pods(&f.Clusters[0], named("shop/db-0", func(p *corev1.Pod) { p.Name = "big-cart-0" }))
	if other := proxies.Mistakable(f, s); other != "east/shop/big-cart-0" {
		t.Errorf("taken for %q", other)
	}
}

// given is what a proxy has that has what is expected: each address once.
func given(l proxies.Listing) []envoy.Cluster {
	var out []envoy.Cluster
	for _, d := range l.Sources[0].Destinations {
		c := envoy.Cluster{Name: envoy.Destination{Host: l.Service + "." + l.Namespace + ".svc.cluster.local", Port: d.Port}.Name()}
		for _, e := range d.Endpoints {
			x := e.Expected
			mode := ""
			if x.MTLS {
				mode = "istio"
			}
			c.Endpoints = append(c.Endpoints, envoy.Endpoint{
				Address: e.Address, Port: e.Port, Locality: x.Locality, Priority: x.Priority, Weight: x.Weight, Health: x.Health, TLSMode: mode,
				Workload: envoy.Workload{Cluster: e.Cluster},
			})
		}
		out = append(out, c)
	}
	return out
}

// listFor lists what a source of east has, after something was done to it.
func listFor(t *testing.T, f *facts.Fleet, change func([]envoy.Cluster) []envoy.Cluster, hosts map[string][]string) proxies.Destination {
	t.Helper()
	s, err := proxies.Find(f, istio.Views(f), "east", "shop", "client-0")
	if err != nil {
		t.Fatal(err)
	}
	s.View.Hosts = hosts
	options := proxies.Options{Service: cart, Port: 80}
	l := proxies.List(f, []proxies.Source{s}, options)
	if l.Sources[0].Unknown == "" || l.Sources[0].Destinations[0].Verdict != proxies.Unknown {
		t.Errorf("nobody was asked: %+v", l)
	}
	options.Actual = map[string]facts.Read[[]envoy.Cluster]{s.String(): {State: facts.OK, Value: change(given(l))}}
	return proxies.List(f, []proxies.Source{s}, options).Sources[0].Destinations[0]
}

func TestCompare(t *testing.T) {
	const pod, otherPod, gateway = 0, 1, 2 // in the order of what is expected
	first := func(do func(c *envoy.Cluster)) func([]envoy.Cluster) []envoy.Cluster {
		return func(clusters []envoy.Cluster) []envoy.Cluster {
			do(&clusters[0])
			return clusters
		}
	}
	extra := func(address string, port uint32, cluster string) func(c *envoy.Cluster) {
		return func(c *envoy.Cluster) {
			c.Endpoints = append(c.Endpoints, envoy.Endpoint{Address: address, Port: port, Weight: 1, Health: "HEALTHY", TLSMode: "istio", Workload: envoy.Workload{Cluster: cluster}})
		}
	}
	for name, c := range map[string]struct {
		fleet   func(*facts.Fleet)
		change  func([]envoy.Cluster) []envoy.Cluster
		hosts   map[string][]string
		verdict proxies.Verdict
		want    []string // those that are not the same
	}{
		"nothing":             {change: first(func(*envoy.Cluster) {}), verdict: proxies.Same},
		"in another order":    {change: first(func(c *envoy.Cluster) { slices.Reverse(c.Endpoints) }), verdict: proxies.Same},
		"health not told yet": {change: first(func(c *envoy.Cluster) { c.Endpoints[pod].Health = "UNKNOWN" }), verdict: proxies.Same},
		"ejected": {change: first(func(c *envoy.Cluster) {
			e := &c.Endpoints[gateway]
			e.Health, e.Told, e.Flags = "UNHEALTHY", "HEALTHY", []string{envoy.FailedOutlierCheck}
		}), verdict: proxies.Same},
		"not healthy, and not said why": {change: first(func(c *envoy.Cluster) { c.Endpoints[pod].Health = "UNHEALTHY" }), verdict: proxies.Same},
		"called unhealthy": {change: first(func(c *envoy.Cluster) { c.Endpoints[pod].Health, c.Endpoints[pod].Told = "UNHEALTHY", "UNHEALTHY" }), verdict: proxies.Different,
			want: []string{"different pod shop/cart-0 unhealthy, expected healthy"}},
		"a pod is missing": {change: first(func(c *envoy.Cluster) { c.Endpoints = slices.Delete(c.Endpoints, otherPod, otherPod+1) }), verdict: proxies.Different,
			want: []string{"missing pod shop/cart-1 the proxy does not have it"}},
		"used otherwise": {change: first(func(c *envoy.Cluster) {
			c.Endpoints[pod].Priority, c.Endpoints[pod].TLSMode, c.Endpoints[otherPod].Weight, c.Endpoints[gateway].Locality = 1, "", 7, "moon"
		}), verdict: proxies.Different, want: []string{
			"different pod shop/cart-1 weight 7, expected 1", "different gateway  locality moon, expected west/a",
			"different pod shop/cart-0 priority 1, expected 0; plaintext, expected mutual TLS",
		}},
		"the pod behind the gateway": {change: first(extra("10.2.0.5", 8080, "west")), verdict: proxies.Different,
			want: []string{"unexpected pod shop/cart-0 expected through 127.1.0.2, the gateway of its network n2"}},
		"one that should be withheld": {change: first(extra("10.2.0.4", 8080, "west")), verdict: proxies.Different,
			want: []string{"unexpected pod shop/cart-bare-0 should be withheld: it is behind a gateway, and does not take mutual TLS"}},
		"its own gateway": {change: first(extra("127.1.0.1", 15443, "east")), verdict: proxies.Different,
			want: []string{"unexpected gateway  no endpoint is expected behind this gateway: they are reached on the network of the proxy"}},
		"a pod of something else": {change: first(extra(clientAddress, 8080, "east")), verdict: proxies.Different,
			want: []string{"unexpected pod shop/client-0 the pod is no longer an endpoint of the service"}},
		"a stranger": {change: first(extra("192.0.2.1", 8080, "")), verdict: proxies.Different,
			want: []string{"unexpected unknown  no pod and no gateway that could be read has this address"}},
		"no such destination": {change: func([]envoy.Cluster) []envoy.Cluster { return nil }, verdict: proxies.Different,
			want: []string{"missing pod shop/cart-0 the proxy does not have it", "missing pod shop/cart-1 the proxy does not have it", "missing gateway  the proxy does not have it"}},
		"a stranger, and not everything was read": {fleet: func(f *facts.Fleet) {
			resources.Nodes.Set(&f.Clusters[1], facts.Read[[]corev1.Node]{State: facts.Forbidden})
		},
			change: first(extra("192.0.2.1", 8080, "")), verdict: proxies.Unknown, want: []string{"unexpected unknown  no pod and no gateway that could be read has this address"}},
		"a gateway with a host name": {fleet: hostName, hosts: map[string][]string{"gw.example": {"127.1.0.2"}}, change: first(func(*envoy.Cluster) {}), verdict: proxies.Same},
		"a gateway whose host name istiod resolves otherwise": {fleet: hostName, hosts: map[string][]string{"gw.example": {"127.1.0.2"}},
			change: first(func(c *envoy.Cluster) { c.Endpoints[gateway].Address = "127.1.0.9" }), verdict: proxies.Unknown, want: []string{
				"unknown gateway  it is an address of gw.example as seen from this machine; istiod may see others",
				"unknown gateway  may be an address of gw.example as istiod sees it; this machine sees others, or none",
			}},
		"a gateway whose host name is not resolved": {fleet: hostName, change: first(func(c *envoy.Cluster) {
			c.Endpoints = c.Endpoints[:2]
			extra("127.1.0.9", 15443, "west")(c)
		}), verdict: proxies.Unknown, want: []string{
			"unknown gateway  may be an address of gw.example as istiod sees it; this machine sees others, or none",
			"unknown gateway  its addresses could not be found from this machine",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f := recorded(t)
			if c.fleet != nil {
				c.fleet(f)
			}
			d := listFor(t, f, c.change, c.hosts)
			if d.Verdict != c.verdict {
				t.Errorf("the verdict is %s, want %s", d.Verdict, c.verdict)
			}
			var got []string
			for _, e := range d.Endpoints {
				if e.Verdict != proxies.Same {
					got = append(got, fmt.Sprintf("%s %s %s %s", e.Verdict, e.Kind, e.Pod, e.Reason))
				}
			}
			if diff := gocmp.Diff(c.want, got); diff != "" {
				t.Errorf("endpoints (-want +got):\n%s", diff)
			}
		})
	}
}

// clientAddress is that of the client in east.
const clientAddress = "10.1.0.6"

// hostName gives the gateway of west a host name instead of an address.
func hostName(f *facts.Fleet) {
	for i := range resources.Services.Of(&f.Clusters[1]).Value {
		if s := &resources.Services.Of(&f.Clusters[1]).Value[i]; len(s.Status.LoadBalancer.Ingress) > 0 {
			s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{Hostname: "gw.example"}}
		}
	}
}

// Two localities behind one gateway are one endpoint for a proxy: the first.
func TestOneGatewayForTwoLocalities(t *testing.T) {
	f := recorded(t)
	second := *resources.Nodes.Of(&f.Clusters[1]).Value[0].DeepCopy()
	second.Name, second.Labels["topology.kubernetes.io/zone"] = "node-2", "b"
	resources.Nodes.Edit(&f.Clusters[1]).Value = append(resources.Nodes.Of(&f.Clusters[1]).Value, second)
	pods(&f.Clusters[1], named("shop/cart-1", func(p *corev1.Pod) { p.Spec.NodeName = "node-2" }))
	d := listFor(t, f, func(c []envoy.Cluster) []envoy.Cluster { return c }, nil)
	at := slices.IndexFunc(d.Endpoints, func(e proxies.Endpoint) bool { return e.Kind == proxies.Gateway })
	if g := d.Endpoints[at]; d.Verdict != proxies.Same || len(d.Endpoints) != 3 || g.Expected.Locality != "west/a" || g.Expected.Weight != 1 || len(g.Behind) != 2 {
		t.Errorf("%s: %+v %+v", d.Verdict, g, g.Expected)
	}
	// It may as well have kept the other one.
	d = listFor(t, f, func(c []envoy.Cluster) []envoy.Cluster {
		c[0].Endpoints[2].Locality = "west/b"
		return c
	}, nil)
	if d.Verdict != proxies.Same {
		t.Errorf("%s: %+v", d.Verdict, d.Endpoints)
	}
}

// The endpoints of a Service that are not given are listed once each, and the other ports of
// pods are none of them.
func TestWithheld(t *testing.T) {
	f := recorded(t)
	d := listFor(t, f, func(c []envoy.Cluster) []envoy.Cluster { return c }, nil)
	want := []proxies.Withheld{{
		Backend: proxies.Backend{Cluster: "west", Address: "10.2.0.4", Port: 8080, Pod: "shop/cart-bare-0", Network: "n2"},
		Reason:  "it is behind a gateway, and does not take mutual TLS", Detail: "label security.istio.io/tlsMode is disabled",
	}}
	if diff := gocmp.Diff(want, d.Withheld); diff != "" {
		t.Errorf("withheld (-want +got):\n%s", diff)
	}
	// Where the port has another name in west, that is the reason.
	for i := range resources.EndpointSlices.Of(&f.Clusters[1]).Value {
		s := &resources.EndpointSlices.Of(&f.Clusters[1]).Value[i]
		for j := range s.Ports {
			if name := s.Ports[j].Name; name != nil && *name == "http" {
				other := "web"
				s.Ports[j].Name = &other
			}
		}
	}
	d = listFor(t, f, func(c []envoy.Cluster) []envoy.Cluster { return c }, nil)
	var got []string
	for _, w := range d.Withheld {
		got = append(got, w.Cluster+" "+w.Pod+" "+w.Reason)
	}
	slices.SortFunc(got, cmp.Compare[string])
	if diff := gocmp.Diff([]string{"west shop/cart-0 its port has another name", "west shop/cart-1 its port has another name", "west shop/cart-bare-0 its port has another name"}, got); diff != "" {
		t.Errorf("withheld (-want +got):\n%s", diff)
	}
}

func TestHeadless(t *testing.T) {
	f := recorded(t)
	s, err := proxies.Find(f, istio.Views(f), "east", "shop", "client-0")
	if err != nil {
		t.Fatal(err)
	}
	for _, have := range [][]envoy.Cluster{nil, {{Name: "outbound|5432||db.shop.svc.cluster.local"}}} {
		options := proxies.Options{Service: proxies.Service{Namespace: "shop", Name: "db"}, Actual: map[string]facts.Read[[]envoy.Cluster]{s.String(): {State: facts.OK, Value: have}}}
		d := proxies.List(f, []proxies.Source{s}, options).Sources[0].Destinations[0]
		if d.Verdict != proxies.Same || !strings.Contains(d.Note, "headless") || len(d.Endpoints) > 0 {
			t.Errorf("%+v", d)
		}
	}
}

// Options.Actual tells why what a source has is not known.
func TestUnknown(t *testing.T) {
	f := recorded(t)
	s, err := proxies.Find(f, istio.Views(f), "east", "shop", "client-0")
	if err != nil {
		t.Fatal(err)
	}
	for want, read := range map[string]facts.Read[[]envoy.Cluster]{
		"forbidden":       {State: facts.Forbidden},
		"the pod is gone": {State: facts.Absent},
		"it is shy":       {State: facts.Failed, Reason: "it is shy"},
	} {
		l := proxies.List(f, []proxies.Source{s}, proxies.Options{Service: cart, Actual: map[string]facts.Read[[]envoy.Cluster]{s.String(): read}})
		if l.Sources[0].Unknown != want || l.Sources[0].Destinations[0].Verdict != proxies.Unknown {
			t.Errorf("%q, want %q", l.Sources[0].Unknown, want)
		}
	}
}

func BenchmarkList(b *testing.B) {
	fleet, err := dump.Read(os.DirFS("../../../plugins/kubectl-mesh_endpoints/testdata/fleets/two"), "", time.Time{}, resources.All)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		sources, _ := proxies.Representatives(fleet, istio.Views(fleet), cart)
		proxies.List(fleet, sources, proxies.Options{Service: cart})
	}
}
