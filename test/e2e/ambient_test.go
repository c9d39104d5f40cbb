package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/views"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/ads"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// ambientFleet is the bed's ambient scenario, with real istiods.
type ambientFleet struct {
	*bed.Fleet
	t *testing.T
}

const eastWest = "istio-eastwestgateway"

// What ambient workloads of east are told of west in the healthy scenario, and the
// other way round.
var (
	eastKnows = []string{"shop/cart via 127.0.2.1:15008 to 2", "shop/stock via 127.0.2.1:15008 to 1"}
	westKnows = []string{"shop/cart via 127.0.1.1:15008 to 2"}
)

// With real istiods in ambient mode nothing is found where all is well, and each
// fault alone gives its findings, as what istiod then tells ambient workloads shows.
func TestAmbientNetworks(t *testing.T) {
	t.Parallel() // it waits most of the time, and has a fleet of its own
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	f := startAmbient(t, ctx)
	all := []string{"cart", "stock"}
	gateway := func(key, value string) func(ambientFleet) {
		return func(f ambientFleet) { f.label(apiGateways, topology.SystemNamespace, eastWest, key, value) }
	}
	listener := func(port int, mode string) func(ambientFleet) {
		return func(f ambientFleet) {
			f.patch(apiGateways, topology.SystemNamespace, eastWest, listenerAt(port, mode))
		}
	}
	global := func(value string) func(ambientFleet) {
		return func(f ambientFleet) { f.label(serviceKind, "shop", "cart", "istio.io/global", value) }
	}
	config := func(text string) func(ambientFleet) {
		return func(f ambientFleet) {
			f.patch(configMaps, topology.SystemNamespace, "istio", `{"data":{"mesh":`+f.text(text)+`}}`)
		}
	}
	system := func(value string) func(ambientFleet) {
		return func(f ambientFleet) {
			f.label(namespaces, "", topology.SystemNamespace, topology.NetworkLabel, value)
		}
	}
	for _, c := range []struct {
		name        string
		plant, mend func(ambientFleet)
		want        []string
		east, west  []string
		// passes is what the gateway of west takes in.
		passes []string
	}{
		{name: "all is well", east: eastKnows, west: westKnows, passes: all},
		{
			name: "a service that is global in one cluster alone", want: []string{"AMB002 warning east,west"},
			plant: global(""), mend: global("true"),
			east: eastKnows[1:], passes: []string{"stock"},
		},
		{
			// The config of the clients' control plane decides what they see, that of the
			// other one what its gateway takes in.
			name: "a mesh config that makes no service global", want: []string{"AMB002 error west"},
			plant: config("{}"), mend: config(f.Mesh().Topology().MeshConfig),
			east: eastKnows,
		},
		{
			name: "a gateway without a network", want: []string{"AMB003 error west", "AMB010 error east < AMB003"},
			plant: gateway(topology.NetworkLabel, ""), mend: gateway(topology.NetworkLabel, "network-west"),
			west: westKnows, passes: all,
		},
		{
			name: "a listener that does not terminate", want: []string{"AMB003 error west", "AMB010 error east < AMB003"},
			plant: listener(15008, "Passthrough"), mend: listener(15008, "Terminate"),
			west: westKnows, passes: all,
		},
		{
			name: "a listener on another port", want: []string{"AMB030 error west < GW007", "GW001 error west < GW007", "GW007 error west"},
			plant: listener(15009, "Terminate"), mend: listener(15008, "Terminate"),
			east: eastKnows, west: westKnows, passes: all,
		},
		{
			name: "a system namespace without a network", want: []string{"NET001 error west"},
			plant: system(""), mend: system("network-west"),
			west: westKnows, passes: all,
		},
		{
			name: "a second gateway without pods", want: []string{"AMB003 warning west < GW002", "GW002 warning west", "GW012 warning west"},
			plant: func(f ambientFleet) { f.apply(ctx, f.gatewayOf("third")) }, mend: func(f ambientFleet) { f.removeGateway(ctx, "third") },
			east: eastKnows, west: westKnows, passes: all,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := ambientFleet{f.Fleet, t}
			if c.plant != nil {
				c.plant(f)
				defer func() {
					c.mend(f)
					f.expect(ctx, "east", eastKnows)
					f.expect(ctx, "west", westKnows)
				}()
			}
			f.find(c.want)
			f.passes(ctx, c.passes)
			f.expect(ctx, "east", c.east)
			f.expect(ctx, "west", c.west)
			if c.plant == nil {
				f.healthy()
			}
		})
	}
	t.Run("two gateways", func(t *testing.T) {
		f := ambientFleet{f.Fleet, t}
		f.addGateway(ctx, "second", "127.0.2.2")
		defer f.removeGateway(ctx, "second")
		f.find([]string{"AMB007 note west"})
		// Of each service one of them, and not always the same one.
		told, err := f.elsewhere(ctx, "east")
		if err != nil || len(told) != len(eastKnows) {
			t.Errorf("ambient workloads of east are told %v, %v", told, err)
		}
		for i, got := range told {
			if got != eastKnows[i] && got != strings.Replace(eastKnows[i], "127.0.2.1", "127.0.2.2", 1) {
				t.Errorf("ambient workloads of east are told %s", got)
			}
		}
	})
	t.Run("a mesh config that makes a service global for clients alone", func(t *testing.T) {
		f := ambientFleet{f.Fleet, t}
		configOfEast := func(text string) {
			if _, err := admin(t, f.Fleet, "east").CoreV1().ConfigMaps(topology.SystemNamespace).Patch(ctx, "istio", types.MergePatchType, []byte(`{"data":{"mesh":`+f.text(text)+`}}`), metav1.PatchOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		configOfEast("serviceScopeConfigs: [{scope: GLOBAL, namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}}]")
		defer configOfEast(f.Mesh().Topology().MeshConfig)
		f.expect(ctx, "east", []string{eastKnows[0], "shop/local via 127.0.2.1:15008 to 1", eastKnows[1]})
		f.expect(ctx, "west", westKnows)
		f.passes(ctx, all)
		f.find([]string{"AMB002 error east,west"})
	})
	t.Run("sidecars beside gateways for ambient proxies", func(t *testing.T) {
		f := ambientFleet{f.Fleet, t}
		east := f.Cluster("east")
		objects := objectsOf(t, `
- {apiVersion: v1, kind: Namespace, metadata: {name: side, labels: {istio-injection: enabled}}}
- {apiVersion: v1, kind: Pod, metadata: {name: client-0, namespace: side, labels: {app: client}}, spec: {nodeName: east-1, containers: [{name: app, image: "example.com/app:1"}]}}`)
		if err := east.Apply(ctx, objects...); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := east.Delete(ctx, objects[0]); err != nil {
				t.Error(err)
			}
		}()
		if err := east.AwaitEndpoints(ctx); err != nil {
			t.Fatal(err)
		}
		f.find([]string{"AMB008 error east"})
		pod, err := admin(t, f.Fleet, "east").CoreV1().Pods("side").Get(ctx, "client-0", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		proxy, err := ads.FromPod(pod)
		if err != nil {
			t.Fatal(err)
		}
		config, err := ads.Fetch(ctx, f.Mesh().Istiod("east").GRPC(), proxy)
		if err != nil {
			t.Fatal(err)
		}
		for service, want := range map[string]int{"cart": 2, "stock": 0} {
			given := config.Endpoints(service+".shop.svc.cluster.local", 80, "")
			if len(given) != want || slices.ContainsFunc(given, func(e ads.Endpoint) bool { return e.Cluster != "east" }) {
				t.Errorf("a sidecar of east is given of %s: %v", service, given)
			}
		}
	})
	t.Run("an istiod that may not read the gateways of a cluster", func(t *testing.T) {
		f := ambientFleet{f.Fleet, t}
		const role = "istio-reader-clusterrole-" + topology.SystemNamespace
		roles := admin(t, f.Fleet, "west").RbacV1().ClusterRoles()
		full, err := roles.Get(ctx, role, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		less := full.DeepCopy()
		less.Rules = slices.DeleteFunc(less.Rules, func(r rbacv1.PolicyRule) bool { return slices.Contains(r.Resources, "gateways") })
		if _, err := roles.Update(ctx, less, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		f.reread(ctx, "")
		f.within("state of west", func() (string, error) {
			states, err := f.Mesh().Istiod("east").Clusters(ctx)
			var got []string
			for _, s := range states {
				got = append(got, s.ID+" "+s.Status)
			}
			return cmp.Diff([]string{"east synced", "west timeout"}, got), err
		})
		f.expect(ctx, "east", nil)
		doc := document(t, mesh(t, options{program: endpointsBinary, kubeconfig: f.Kubeconfig()}, "verify", "--context", "east", "-o", "json"))
		if got := summary(doc); !slices.Contains(got, "SEC014 error east,west") {
			t.Errorf("findings: %v", got)
		}
		full.ResourceVersion = ""
		if _, err := roles.Update(ctx, full, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		f.expect(ctx, "east", eastKnows)
	})
	t.Run("an istiod that does not follow a cluster any more", func(t *testing.T) {
		f := ambientFleet{f.Fleet, t}
		proxy, err := bed.DelayProxy(f.Cluster("west").URL(), 0)
		if err != nil {
			t.Fatal(err)
		}
		f.reread(ctx, proxy.URL())
		f.expect(ctx, "east", eastKnows)
		f.findRemotes(nil)
		if err := proxy.Close(); err != nil {
			t.Fatal(err)
		}
		f.balance(ctx, eastWest, "127.0.2.7")
		// What istiod says of networks is as old, but the gateway has its address for a minute only.
		f.findRemotes([]string{"AMB014 error east,west"}, "GW044")
		f.expect(ctx, "east", eastKnows)
		f.balance(ctx, eastWest, "127.0.2.1")
		f.reread(ctx, f.Cluster("west").URL())
		f.expect(ctx, "east", eastKnows)
		f.findRemotes(nil)
	})
	t.Run("a gateway for sidecars alone", func(t *testing.T) {
		f := ambientFleet{f.Fleet, t}
		f.removeGateway(ctx, eastWest)
		for _, o := range objectsOf(t, `
- apiVersion: v1
  kind: Service
  metadata: {name: classic, namespace: istio-system, labels: {topology.istio.io/network: network-west, istio: eastwestgateway}}
  spec: {type: LoadBalancer, selector: {gateway.networking.k8s.io/gateway-name: istio-eastwestgateway}, ports: [{name: tls, port: 15443}]}
  status: {loadBalancer: {ingress: [{ip: 127.0.2.9}]}}
- apiVersion: networking.istio.io/v1
  kind: Gateway
  metadata: {name: cross-network-gateway, namespace: istio-system}
  spec: {selector: {gateway.networking.k8s.io/gateway-name: istio-eastwestgateway}, servers: [{port: {number: 15443, name: tls, protocol: TLS}, tls: {mode: AUTO_PASSTHROUGH}, hosts: ["*.local"]}]}`) {
			if err := f.Cluster("west").Apply(ctx, o); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := f.Cluster("west").Delete(ctx, o); err != nil {
					t.Error(err)
				}
			}()
		}
		f.expect(ctx, "east", nil)
		f.expect(ctx, "west", westKnows)
		f.find([]string{"AMB010 error east"})
	})
	t.Run("a load balancer that is pending", func(t *testing.T) {
		f := ambientFleet{f.Fleet, t}
		f.apply(ctx, f.gatewayOf(eastWest))
		inside := f.clusterIP(ctx, eastWest)
		f.expect(ctx, "east", []string{"shop/cart via " + inside + ":15008 to 2", "shop/stock via " + inside + ":15008 to 1"})
		f.find([]string{"AMB030 error west < GW002", "GW001 error west < GW002", "GW002 error west"})
		f.balance(ctx, eastWest, "127.0.2.1")
		f.expect(ctx, "east", eastKnows)
		f.find(nil)
	})
}

func startAmbient(t *testing.T, ctx context.Context) ambientFleet {
	t.Helper()
	dir, err := bed.ScenarioDir(ctx, "ambient-multi-network")
	if err != nil {
		t.Fatal(err)
	}
	top, _, err := topology.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	fleet := startTopology(t, ctx, top)
	return ambientFleet{fleet, t}
}

// healthy: all plugins print nothing, and what mesh-network lists as gateways is
// what the istiods have.
func (f ambientFleet) healthy() {
	f.t.Helper()
	for _, program := range []string{network, binary} {
		out := mesh(f.t, options{program: program, kubeconfig: f.Kubeconfig()}, "verify", "--context", "east")
		if out.code != 0 || out.stdout != "" || !strings.Contains(out.stderr, "every rule checked") {
			f.t.Errorf("exit code %d\n%s%s", out.code, out.stdout, out.stderr)
		}
	}
	f.findRemotes(nil)
	out := mesh(f.t, options{program: network, kubeconfig: f.Kubeconfig()}, "gateways", "--context", "east", "-o", "json")
	var listing views.GatewayList
	if err := json.Unmarshal([]byte(out.stdout), &listing); err != nil {
		f.t.Fatalf("%v\n%s%s", err, out.stdout, out.stderr)
	}
	var listed []string
	for _, g := range listing.Gateways {
		if slices.Equal(g.VisibleTo, []string{"east", "west"}) {
			listed = append(listed, fmt.Sprintf("%s of %s at %s:%d and %d", g.Network, g.Cluster, g.Addresses[0].Address, g.Port, g.HBONEPort))
		}
	}
	for _, istiod := range f.Mesh().Istiods() {
		known, err := istiod.Gateways(f.t.Context())
		var got []string
		for _, g := range known {
			got = append(got, fmt.Sprintf("%s of %s at %s:%d and %d", g.Network, g.Cluster, g.Addr, g.Port, g.HBONE))
		}
		slices.Sort(got)
		if diff := cmp.Diff(listed, got); diff != "" || err != nil || len(got) != 2 {
			f.t.Errorf("gateways of istiod of %s (-listed +istiod): %v\n%s", istiod.Cluster().Name(), err, diff)
		}
	}
}

// expect waits until the istiod of a cluster tells its ambient workloads this of
// services elsewhere.
func (f ambientFleet) expect(ctx context.Context, cluster string, want []string) {
	f.t.Helper()
	f.within("what ambient workloads of "+cluster+" are told", func() (string, error) {
		got, err := f.elsewhere(ctx, cluster)
		return cmp.Diff(want, got), err
	})
}

// within tries until there is no difference.
func (f ambientFleet) within(what string, try func() (string, error)) {
	f.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		diff, err := try()
		if diff == "" && err == nil {
			return
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("%s (-want +got): %v\n%s", what, err, diff)
		}
	}
}

// find waits until mesh-network finds this.
func (f ambientFleet) find(want []string) {
	f.t.Helper()
	f.within("findings", func() (string, error) {
		doc := document(f.t, mesh(f.t, options{program: network, kubeconfig: f.Kubeconfig()}, "verify", "--context", "east", "-o", "json"))
		if doc.Summary.Unchecked > 0 {
			return "", fmt.Errorf("not checked: %+v", doc.Unknowns)
		}
		return cmp.Diff(want, summary(doc)), nil
	})
}

// findRemotes waits until mesh-endpoints finds this, of which rules about sidecars are
// not checked, and some others.
func (f ambientFleet) findRemotes(want []string, unchecked ...finding.Code) {
	f.t.Helper()
	f.within("findings of mesh-endpoints", func() (string, error) {
		doc := document(f.t, mesh(f.t, options{program: endpointsBinary, kubeconfig: f.Kubeconfig()}, "verify", "--contexts", "east,west", "-o", "json"))
		for _, u := range doc.Unknowns {
			for _, code := range u.Codes {
				if !strings.HasPrefix(string(code), "EP") && !slices.Contains(unchecked, code) {
					return "", fmt.Errorf("not checked: %+v", u)
				}
			}
		}
		return cmp.Diff(want, summary(doc)), nil
	})
}

// reread has istiod of east read west anew, at another address if one is given.
func (f ambientFleet) reread(ctx context.Context, server string) {
	f.t.Helper()
	secrets := admin(f.t, f.Fleet, "east").CoreV1().Secrets(topology.SystemNamespace)
	secret, err := secrets.Get(ctx, "istio-remote-secret-west", metav1.GetOptions{})
	if err != nil {
		f.t.Fatal(err)
	}
	if err := secrets.Delete(ctx, secret.Name, metav1.DeleteOptions{}); err != nil {
		f.t.Fatal(err)
	}
	f.expect(ctx, "east", nil)
	secret.ResourceVersion = ""
	if server != "" {
		secret.Data["west"] = regexp.MustCompile(`server: \S+`).ReplaceAll(secret.Data["west"], []byte("server: "+server))
	}
	if _, err := secrets.Create(ctx, secret, metav1.CreateOptions{}); err != nil {
		f.t.Fatal(err)
	}
}

// elsewhere are the services of which an istiod tells ambient workloads that a
// gateway leads to them, and to how many workloads.
func (f ambientFleet) elsewhere(ctx context.Context, cluster string) ([]string, error) {
	body, err := f.Mesh().Istiod(cluster).Debug(ctx, "/debug/ambientz")
	if err != nil {
		return nil, err
	}
	var told struct {
		Workloads []struct {
			UID            string         `json:"uid"`
			Capacity       int            `json:"capacity"`
			Services       map[string]any `json:"services"`
			NetworkGateway *struct {
				Address struct {
					Address []byte `json:"address"`
				} `json:"address"`
				Port int `json:"hboneMtlsPort"`
			} `json:"networkGateway"`
		} `json:"workloads"`
	}
	if err := json.Unmarshal(body, &told); err != nil {
		return nil, err
	}
	var out []string
	for _, w := range told.Workloads {
		if w.NetworkGateway == nil || !strings.Contains(w.UID, "/SplitHorizonWorkload/") {
			continue
		}
		for service := range w.Services {
			name, _, _ := strings.Cut(service, ".")
			if !strings.HasPrefix(name, "shop/") {
				continue
			}
			out = append(out, fmt.Sprintf("%s via %s:%d to %d", name, w.NetworkGateway.Address.Address, w.NetworkGateway.Port, w.Capacity))
		}
	}
	slices.Sort(out)
	return out, nil
}

// passes waits until the gateway of west takes in requests to these services of
// namespace shop: as its proxy, it asks the real istiod.
func (f ambientFleet) passes(ctx context.Context, want []string) {
	f.t.Helper()
	pod := f.read(podObjects, topology.SystemNamespace, eastWest+"-0")
	ip, _, _ := unstructured.NestedString(pod.Object, "status", "podIP")
	f.within("services that the gateway of west takes in", func() (string, error) {
		config, err := ads.Fetch(ctx, f.Mesh().Istiod("west").GRPC(), ads.Proxy{
			Type: "waypoint", Pod: eastWest + "-0", Namespace: topology.SystemNamespace, IP: ip, Cluster: "west",
			Network: "network-west", Labels: pod.GetLabels(), ServiceAccount: eastWest, Workload: eastWest,
		})
		if err != nil {
			return "", err
		}
		var got []string
		for _, c := range config.Clusters() {
			if _, service, ok := strings.Cut(c.GetName(), "|tcp|"); ok && strings.HasPrefix(c.GetName(), "inbound-vip|") {
				if name, ok := strings.CutSuffix(service, ".shop.svc.cluster.local"); ok {
					got = append(got, name)
				}
			}
		}
		slices.Sort(got)
		return cmp.Diff(want, slices.Compact(got)), nil
	})
}

// client is one of west, in which all faults are.
func (f ambientFleet) client() dynamic.Interface {
	f.t.Helper()
	client, err := dynamic.NewForConfig(f.Cluster("west").RESTConfig(bed.Admin))
	if err != nil {
		f.t.Fatal(err)
	}
	return client
}

func (f ambientFleet) read(kind schema.GroupVersionResource, namespace, name string) *unstructured.Unstructured {
	f.t.Helper()
	object, err := f.client().Resource(kind).Namespace(namespace).Get(f.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		f.t.Fatal(err)
	}
	return object
}

// patch merges into an object of west.
func (f ambientFleet) patch(kind schema.GroupVersionResource, namespace, name, change string, subresources ...string) {
	f.t.Helper()
	_, err := f.client().Resource(kind).Namespace(namespace).Patch(f.t.Context(), name, types.MergePatchType, []byte(change), metav1.PatchOptions{}, subresources...)
	if err != nil {
		f.t.Fatal(err)
	}
}

// label labels an object of west, or takes a label away.
func (f ambientFleet) label(kind schema.GroupVersionResource, namespace, name, key, value string) {
	f.t.Helper()
	text := "null"
	if value != "" {
		text = f.text(value)
	}
	f.patch(kind, namespace, name, `{"metadata":{"labels":{`+f.text(key)+`:`+text+`}}}`)
}

// text is a string in JSON.
func (f ambientFleet) text(s string) string {
	out, err := json.Marshal(s)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(out)
}

func listenerAt(port int, mode string) string {
	return fmt.Sprintf(`{"spec":{"listeners":[{"name":"mesh","port":%d,"protocol":"HBONE","allowedRoutes":{"namespaces":{"from":"Same"}},
		"tls":{"mode":%q,"options":{"gateway.istio.io/tls-terminate-mode":"ISTIO_MUTUAL"}}}]}}`, port, mode)
}

// gatewayOf is another Gateway of west like the one of the scenario.
func (f ambientFleet) gatewayOf(name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
		"metadata": map[string]any{"namespace": topology.SystemNamespace, "name": name, "labels": map[string]any{topology.NetworkLabel: "network-west"}},
		"spec": map[string]any{"gatewayClassName": "istio-east-west", "listeners": []any{map[string]any{
			"name": "mesh", "port": int64(15008), "protocol": "HBONE",
			"tls": map[string]any{"mode": "Terminate", "options": map[string]any{"gateway.istio.io/tls-terminate-mode": "ISTIO_MUTUAL"}},
		}}},
	}}
}

func (f ambientFleet) apply(ctx context.Context, object *unstructured.Unstructured) {
	f.t.Helper()
	if err := f.Cluster("west").Apply(ctx, object); err != nil {
		f.t.Fatal(err)
	}
}

// addGateway makes a Gateway of west with a pod and an address.
func (f ambientFleet) addGateway(ctx context.Context, name, ip string) {
	f.t.Helper()
	pod := f.read(podObjects, topology.SystemNamespace, eastWest+"-0")
	labels := pod.GetLabels()
	labels["gateway.networking.k8s.io/gateway-name"] = name
	spec, _, _ := unstructured.NestedMap(pod.Object, "spec")
	f.apply(ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Pod", "spec": spec,
		"metadata": map[string]any{"namespace": topology.SystemNamespace, "name": name + "-0", "labels": toAny(labels)},
	}})
	f.apply(ctx, f.gatewayOf(name))
	f.balance(ctx, name, ip)
}

func toAny(labels map[string]string) map[string]any {
	out := map[string]any{}
	for key, value := range labels {
		out[key] = value
	}
	return out
}

// removeGateway removes a Gateway of west, and what istiod has made of it: nothing in
// the bed collects it, and istiod makes it again until it has noticed.
func (f ambientFleet) removeGateway(ctx context.Context, name string) {
	f.t.Helper()
	now := int64(0)
	options := metav1.DeleteOptions{GracePeriodSeconds: &now}
	kinds := []schema.GroupVersionResource{apiGateways, serviceKind, {Group: "apps", Version: "v1", Resource: "deployments"}}
	gone := 0
	f.within("removal of Gateway "+name, func() (string, error) {
		gone++
		for _, kind := range kinds {
			err := f.client().Resource(kind).Namespace(topology.SystemNamespace).Delete(ctx, name, options)
			if err == nil {
				gone = 0
			} else if !apierrors.IsNotFound(err) {
				return "", err
			}
		}
		if gone < 3 {
			return "it is still there", nil
		}
		return "", nil
	})
	if name != eastWest {
		err := f.client().Resource(podObjects).Namespace(topology.SystemNamespace).Delete(ctx, name+"-0", options)
		if err != nil && !apierrors.IsNotFound(err) {
			f.t.Fatal(err)
		}
	}
}

// service waits for the Service that istiod makes of a Gateway of west.
func (f ambientFleet) service(ctx context.Context, name string) *unstructured.Unstructured {
	f.t.Helper()
	var made *unstructured.Unstructured
	f.within("Service of Gateway "+name, func() (_ string, err error) {
		made, err = f.client().Resource(serviceKind).Namespace(topology.SystemNamespace).Get(ctx, name, metav1.GetOptions{})
		return "", err
	})
	return made
}

func (f ambientFleet) clusterIP(ctx context.Context, name string) string {
	f.t.Helper()
	ip, _, _ := unstructured.NestedString(f.service(ctx, name).Object, "spec", "clusterIP")
	return ip
}

// balance gives the Service of a Gateway of west an address.
func (f ambientFleet) balance(ctx context.Context, name, ip string) {
	f.t.Helper()
	f.service(ctx, name)
	f.patch(serviceKind, topology.SystemNamespace, name, `{"status":{"loadBalancer":{"ingress":[{"ip":"`+ip+`"}]}}}`, "status")
}
