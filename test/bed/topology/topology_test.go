package topology

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

const small = `
meshConfig: "trustDomain: td"
everywhere:
  namespaces: [{name: shop, labels: {istio-injection: enabled}}]
  services: [{namespace: shop, name: cart}]
  workloads: [{namespace: shop, name: cart, replicas: 3}]
clusters:
- name: east
  network: n1
  nodes: [{name: a, region: r, zone: z}, {name: b}]
  gateways: [{ips: [127.0.0.9]}]
- name: west
  id: far
  network: n2
  namespaceNetwork: "-"
  injectedNetwork: other
  remoteOf: east
  meshConfig: ""
  nodes: [{name: here}, {name: there}]
  workloads: [{namespace: shop, name: cart, replicas: 1, node: there}]
`

// resolved returns a topology with its defaults.
func resolved(t *testing.T, text string) Topology {
	t.Helper()
	parsed, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	r, err := parsed.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestResolve(t *testing.T) {
	r := resolved(t, small)
	east, west := r.Clusters[0], r.Clusters[1]
	got := []string{
		east.ID, east.NamespaceNetwork, east.InjectedNetwork, east.PodCIDR, *east.MeshConfig,
		west.ID, west.NamespaceNetwork, west.InjectedNetwork, west.PodCIDR, *west.MeshConfig,
		east.Gateways[0].Network, west.InjectPath(), west.primaryID, west.Nodes[0].Name,
	}
	want := []string{
		"east", "n1", "n1", "10.1.0.0/16", "trustDomain: td",
		"far", "", "other", "10.2.0.0/16", "",
		"n1", "/inject/cluster/far/net/other", "east", "here",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	secrets := []RemoteSecret{{In: "east", Of: "west", Key: "far", Name: "istio-remote-secret-far"}}
	if diff := cmp.Diff(secrets, r.RemoteSecrets); diff != "" {
		t.Error(diff)
	}
	if len(resolved(t, small+"remoteSecrets: []\n").RemoteSecrets) != 0 {
		t.Error("an empty list of remote secrets is not empty")
	}
}

func TestPods(t *testing.T) {
	r := resolved(t, small)
	got := map[string][]string{}
	for _, c := range r.Clusters {
		for _, pod := range c.Pods() {
			got[c.Name] = append(got[c.Name], pod.Namespace+"/"+pod.Name+" on "+pod.Spec.NodeName)
		}
	}
	want := map[string][]string{
		"east": {"shop/cart-0 on a", "shop/cart-1 on b", "shop/cart-2 on a", "istio-system/istio-eastwestgateway-0 on a"},
		"west": {"shop/cart-0 on there"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestGatewayService(t *testing.T) {
	service := resolved(t, small).Clusters[0].ServiceObjects()[1].(*corev1.Service)
	if service.Labels[NetworkLabel] != "n1" || service.Status.LoadBalancer.Ingress[0].IP != "127.0.0.9" || len(service.Spec.Ports) != 4 {
		t.Errorf("got %+v", service)
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"clusters: []":                       "no clusters",
		"clusters: [{name: a, nettwork: b}]": "nettwork",
		"clusters: [{name: a, remoteOf: b}]": `no cluster "b"`,
		"clusters: [{name: a, remoteOf: a}]": "itself a remote cluster",
		"clusters: [{name: a, workloads: [{name: w, namespace: shop, node: x}]}]": `no node "x"`,
		"clusters: [{name: a, gateways: [{class: istio-east-west}]}]":             "only an ambient cluster",
		"clusters: [{name: a}, {name: b, remoteOf: a, ambient: true}]":            "an istiod of its own",
		"{clusters: [{name: a}], remoteSecrets: [{in: a, of: b}]}":                `remote secret 1: there is no cluster "b"`,
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func TestLoad(t *testing.T) {
	if _, found, err := Load(t.TempDir()); found || err != nil {
		t.Errorf("an empty folder: %v, %v", found, err)
	}
	loaded, found, err := Load("../scenarios/multi-primary-multi-network")
	if err != nil || !found || len(loaded.Clusters) != 2 {
		t.Errorf("a scenario: %+v, %v, %v", loaded, found, err)
	}
}

func TestAmbient(t *testing.T) {
	top, _, err := Load("../scenarios/ambient-multi-network")
	if err != nil {
		t.Fatal(err)
	}
	if top, err = top.Resolve(); err != nil {
		t.Fatal(err)
	}
	east := top.Clusters[0]
	env := top.IstiodEnv(east)
	if env["AMBIENT_ENABLE_MULTI_NETWORK"] != "true" || env["CA_TRUSTED_NODE_ACCOUNTS"] != "istio-system/ztunnel" {
		t.Errorf("environment of istiod: %v", env)
	}
	objects, err := top.PlaneObjects(east, env)
	if err != nil {
		t.Fatal(err)
	}
	var ztunnels []string
	for _, o := range objects {
		if p, ok := o.(*corev1.Pod); ok && p.Labels["app"] == ZtunnelName {
			ztunnels = append(ztunnels, p.Spec.NodeName+" "+p.Spec.Containers[0].Env[1].Value)
		}
	}
	if diff := cmp.Diff([]string{"east-1 network-east", "east-2 network-east"}, ztunnels); diff != "" {
		t.Errorf("ztunnels (-want +got):\n%s", diff)
	}
	for _, p := range east.Pods() {
		if redirected := p.Annotations[redirectionAnnotation] == "enabled"; redirected != (p.Namespace == "shop") {
			t.Errorf("pod %s/%s is in ambient mode: %t", p.Namespace, p.Name, redirected)
		}
	}
	// istiod makes the Service of the gateway, and its Deployment.
	if services := east.ManagedServices(); len(services) != 1 || services[0].Status.LoadBalancer.Ingress[0].IP != "127.0.1.1" {
		t.Errorf("Services that istiod makes: %+v", services)
	}
	if n := len(east.ServiceObjects()); n != 3 {
		t.Errorf("%d Services are made without istiod", n)
	}
}

func TestSystemObjectsErrors(t *testing.T) {
	c := resolved(t, small).Clusters[0]
	broken := "a: [b"
	c.MeshNetworks = &broken
	if _, err := c.SystemObjects(nil); err == nil || !strings.Contains(err.Error(), "meshNetworks") {
		t.Errorf("got %v", err)
	}
}
