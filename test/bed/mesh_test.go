package bed

import (
	"context"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// meshFleet is a fleet for meshes, started by the first test that needs it: the
// other tests' clusters have no controllers.
var meshFleet = sync.OnceValues(func() (*Fleet, error) {
	return Start(context.Background(), Config{Clusters: []string{"east", "west"}})
})

// stopMeshFleet ends the fleet for meshes if there is one.
func stopMeshFleet() error {
	if !meshFleetUsed {
		return nil
	}
	f, err := meshFleet()
	if err != nil {
		return nil
	}
	return f.Stop()
}

// meshFleetUsed is whether a test has asked for a mesh.
var meshFleetUsed bool

// startMesh starts a mesh and stops it at the end of the test.
func startMesh(t *testing.T, manifest string) *Mesh {
	t.Helper()
	meshFleetUsed = true
	f, err := meshFleet()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := topology.Parse([]byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	mesh, err := f.StartMesh(t.Context(), parsed)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the mesh started in %s", time.Since(started).Round(10*time.Millisecond))
	t.Cleanup(func() {
		if err := mesh.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return mesh
}

// twoNetworks is a mesh of two clusters on two networks.
const twoNetworks = `
everywhere:
  namespaces:
  - name: shop
    labels: {istio-injection: enabled}
  services:
  - {namespace: shop, name: cart}
  - {namespace: shop, name: stock, headless: true}
  workloads:
  - {namespace: shop, name: cart, replicas: 2}
  - {namespace: shop, name: stock, notReady: true}
  - {namespace: shop, name: bare, uninjected: true}
  - {namespace: shop, name: moved, relabel: {topology.istio.io/network: "", was: moved}}
clusters:
- name: east
  id: east-id
  network: network-east
  nodes: [{name: east-1, region: eu, zone: eu-1}]
  gateways: [{ips: [127.0.1.1]}]
- name: west
  network: network-west
  gateways: [{ips: [127.0.2.1]}]
  manifests: |
    apiVersion: security.istio.io/v1
    kind: PeerAuthentication
    metadata: {name: default, namespace: shop}
    spec: {mtls: {mode: STRICT}}
`

func TestMesh(t *testing.T) {
	mesh := startMesh(t, twoNetworks)
	east, west := mesh.fleet.Cluster("east"), mesh.fleet.Cluster("west")

	t.Run("the control planes read both clusters", func(t *testing.T) {
		got, err := mesh.Istiod("east").Clusters(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := []ClusterState{
			{ID: "east-id", Status: "synced"},
			{ID: "west", Secret: "istio-system/istio-remote-secret-west", Status: "synced"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if got, err := mesh.Istiod("west").Clusters(t.Context()); err != nil || len(got) != 2 || got[1].ID != "east-id" {
			t.Errorf("west: %v, %v", got, err)
		}
	})
	t.Run("they know the gateways of both networks", func(t *testing.T) {
		want := []string{"network-east east-id 127.0.1.1:15443", "network-west west 127.0.2.1:15443"}
		for _, istiod := range mesh.Istiods() {
			awaitGateways(t, istiod, want)
		}
	})
	t.Run("pods", func(t *testing.T) { testMeshPods(t, east) })
	t.Run("endpoints", func(t *testing.T) { testMeshEndpoints(t, west) })
	t.Run("the root is everywhere", func(t *testing.T) {
		roots := map[string]bool{}
		for _, cluster := range []*Cluster{east, west} {
			err := poll(t.Context(), func(ctx context.Context) (bool, error) {
				root, err := clientOf(t, cluster, Viewer).CoreV1().ConfigMaps("shop").Get(ctx, "istio-ca-root-cert", metav1.GetOptions{})
				roots[root.Data["root-cert.pem"]] = err == nil
				return err == nil, ignoreNotFound(err)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if delete(roots, ""); len(roots) != 1 {
			t.Errorf("there are %d roots", len(roots))
		}
	})
	t.Run("policies", func(t *testing.T) {
		policies, err := list[metav1.PartialObjectMetadata](t.Context(), west, peerAuthentications)
		if err != nil || len(policies) != 1 {
			t.Errorf("got %v, %v", policies, err)
		}
	})
	t.Run("reset leaves the mesh alone", func(t *testing.T) {
		if err := east.Apply(t.Context(), &corev1.ConfigMap{ObjectMeta: named("shop", "of-a-test")}); err != nil {
			t.Fatal(err)
		}
		if err := east.Reset(t.Context()); err != nil {
			t.Fatal(err)
		}
		client := clientOf(t, east, Admin).CoreV1()
		if _, err := client.ConfigMaps("shop").Get(t.Context(), "of-a-test", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("the test's object: %v", err)
		}
		if _, err := client.Pods("shop").Get(t.Context(), "cart-0", metav1.GetOptions{}); err != nil {
			t.Errorf("the mesh's object: %v", err)
		}
	})
	t.Run("port-forward and exec", func(t *testing.T) { testStreams(t, mesh, east) })
	t.Run("one mesh at a time", func(t *testing.T) {
		if _, err := mesh.fleet.StartMesh(t.Context(), mesh.topology); err == nil {
			t.Error("there are two meshes")
		}
	})
}

// testMeshPods checks what the real injector and kwok have made of pods.
func testMeshPods(t *testing.T, cluster *Cluster) {
	all, err := list[corev1.Pod](t.Context(), cluster, pods)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]any{}
	addresses := map[string]bool{}
	for _, pod := range all {
		id := ""
		for _, container := range slices.Concat(pod.Spec.Containers, pod.Spec.InitContainers) {
			for _, env := range container.Env {
				if env.Name == "ISTIO_META_CLUSTER_ID" {
					id = env.Value
				}
			}
		}
		got[pod.Name] = []any{pod.Labels["topology.istio.io/network"], pod.Labels["security.istio.io/tlsMode"], id, isReady(pod)}
		addresses[pod.Status.PodIP] = true
	}
	want := map[string][]any{
		"cart-0":                  {"network-east", "istio", "east-id", true},
		"cart-1":                  {"network-east", "istio", "east-id", true},
		"stock-0":                 {"network-east", "istio", "east-id", false},
		"bare-0":                  {"", "", "", true},
		"moved-0":                 {"", "istio", "east-id", true},
		"istiod-0":                {"", "", "", true},
		"istio-eastwestgateway-0": {"network-east", "", "east-id", true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(addresses) != len(all) {
		t.Errorf("%d pods have %d addresses", len(all), len(addresses))
	}
}

// testMeshEndpoints checks what the endpoint slice controller has made of services.
func testMeshEndpoints(t *testing.T, cluster *Cluster) {
	for service, want := range map[string][]bool{"cart": {true, true}, "stock": {false}} {
		slices, err := clientOf(t, cluster, Viewer).DiscoveryV1().EndpointSlices("shop").
			List(t.Context(), metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=" + service})
		if err != nil {
			t.Fatal(err)
		}
		var got []bool
		for _, slice := range slices.Items {
			for _, endpoint := range slice.Endpoints {
				got = append(got, *endpoint.Conditions.Ready)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", service, diff)
		}
	}
}

func TestMeshLeavesNothing(t *testing.T) {
	mesh := startMesh(t, twoNetworks)
	cluster := mesh.fleet.Cluster("west")
	programs := cluster.kubelets.programs
	if err := mesh.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, istiod := range mesh.Istiods() {
		if running(t, istiod.cmd.Process.Pid) {
			t.Error("an istiod still runs")
		}
	}
	if mesh.fleet.Mesh() != nil {
		t.Error("the fleet still has a mesh")
	}
	if _, err := os.Stat(programs); err != nil {
		t.Errorf("the kubelets are gone as well: %v", err)
	}
	left, err := list[corev1.Namespace](t.Context(), cluster, namespaces)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, namespace := range left {
		names = append(names, namespace.Name)
	}
	if diff := cmp.Diff(builtinNamespaces, names); diff != "" {
		t.Error(diff)
	}
	resources, err := cluster.client.namespacedResources()
	if err != nil {
		t.Fatal(err)
	}
	for _, resource := range append(resources, nodes) {
		objects, err := list[metav1.PartialObjectMetadata](t.Context(), cluster, resource)
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range objects {
			if !slices.Contains(builtinNamespaces, object.Namespace) {
				t.Errorf("%s %s/%s is left", resource.Resource, object.Namespace, object.Name)
			}
		}
	}
}
