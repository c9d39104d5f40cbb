package bed

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// peerAuthentications are policies of a mesh.
var peerAuthentications = schema.GroupVersionResource{Group: "security.istio.io", Version: "v1", Resource: "peerauthentications"}

// awaitGateways waits until a control plane knows exactly these gateways.
func awaitGateways(t *testing.T, istiod *Istiod, want []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var diff string
	err := poll(ctx, func(ctx context.Context) (bool, error) {
		gateways, err := istiod.Gateways(ctx)
		got := []string{}
		for _, g := range gateways {
			got = append(got, fmt.Sprintf("%s %s %s:%d", g.Network, g.Cluster, g.Addr, g.Port))
		}
		slices.Sort(got)
		diff = cmp.Diff(want, got)
		return diff == "", err
	})
	if err != nil {
		t.Errorf("istiod of %s: %v: %s", istiod.Cluster().Name(), err, diff)
	}
}

func TestMeshGateways(t *testing.T) {
	mesh := startMesh(t, `
hosts:
  gateway.example: [127.0.3.1, 127.0.3.2]
meshNetworks: |
  networks:
    by-config:
      endpoints: [{fromCidr: 10.77.0.0/16}]
      gateways: [{address: 127.0.9.9, port: 443}]
clusters:
- name: east
  network: net
  nodes: [{name: node, externalIP: 127.0.4.1}, {name: other}]
  gateways:
  - {name: a-pending}
  - {name: b-hostname, hostnames: [gateway.example]}
  - {name: c-unknown, hostnames: [nobody.example]}
  - name: d-nodeport
    type: NodePort
    annotations: {traffic.istio.io/nodeSelector: "{}"}
    ports: [{name: tls, port: 15443, nodePort: 31443}]
  - {name: e-unlabelled, network: "-", ips: [127.0.5.1]}
  - name: f-port
    network: m
    labels: {networking.istio.io/gatewayPort: "443"}
    ips: [127.0.6.1, 127.0.6.2]
    ports: [{name: tls, port: 443}]
`)
	awaitGateways(t, mesh.Istiod("east"), []string{
		"by-config  127.0.9.9:443",
		"m east 127.0.6.1:443",
		"m east 127.0.6.2:443",
		"net east 127.0.3.1:15443",
		"net east 127.0.3.2:15443",
		"net east 127.0.4.1:31443",
	})
}

func TestMeshRemoteSecrets(t *testing.T) {
	mesh := startMesh(t, `
clusters:
- name: east
  env: {PILOT_REMOTE_CLUSTER_TIMEOUT: 1s}
- name: west
  env: {PILOT_REMOTE_CLUSTER_TIMEOUT: 1s}
remoteSecrets:
- {in: east, of: west, key: elsewhere}
- {in: east, of: west, key: refused, server: "https://127.0.0.1:1"}
- {in: east, of: west, key: stranger, token: not-a-token}
- {in: west, of: east, name: first}
- {in: west, of: east, name: second}
`)
	got := map[string]map[string]string{}
	for _, istiod := range mesh.Istiods() {
		states, err := istiod.Clusters(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		name := istiod.Cluster().Name()
		got[name] = map[string]string{}
		for _, state := range states {
			got[name][state.ID] += state.Status
		}
	}
	want := map[string]map[string]string{
		"east": {"east": "synced", "elsewhere": "synced", "refused": "timeout", "stranger": "timeout"},
		"west": {"west": "synced", "east": "synced"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMeshWithoutRemoteSecrets(t *testing.T) {
	mesh := startMesh(t, "clusters: [{name: east}, {name: west, ownRoot: true}]\nremoteSecrets: []\n")
	states, err := mesh.Istiod("east").Clusters(t.Context())
	if err != nil || len(states) != 1 {
		t.Errorf("got %v, %v", states, err)
	}
	roots := map[string]bool{}
	for _, name := range []string{"east", "west"} {
		var secret corev1.Secret
		err := mesh.fleet.Cluster(name).get(t.Context(), secrets, topology.SystemNamespace, "cacerts", &secret)
		if err != nil {
			t.Fatal(err)
		}
		roots[string(secret.Data["root-cert.pem"])] = true
	}
	if len(roots) != 2 {
		t.Errorf("there are %d roots", len(roots))
	}
}

func TestMeshPrimaryRemote(t *testing.T) {
	mesh := startMesh(t, `
everywhere:
  namespaces: [{name: shop, labels: {istio.io/rev: default}}]
  workloads: [{namespace: shop, name: cart}]
clusters:
- {name: east, network: net, gateways: [{ips: [192.0.2.1]}]}
- {name: west, id: far, network: m, remoteOf: east}
`)
	if mesh.Istiod("west") != nil || len(mesh.Istiods()) != 1 {
		t.Error("the remote cluster has a control plane")
	}
	client := clientOf(t, mesh.fleet.Cluster("west"), Admin)
	pod, err := client.CoreV1().Pods("shop").Get(t.Context(), "cart-0", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := pod.Labels[topology.NetworkLabel]; got != "m" {
		t.Errorf("the pod is on network %q", got)
	}
	slice, err := client.DiscoveryV1().EndpointSlices(topology.SystemNamespace).Get(t.Context(), "istiod", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"192.0.2.1"}, slice.Endpoints[0].Addresses); diff != "" {
		t.Error(diff)
	}
}

func TestMeshErrors(t *testing.T) {
	meshFleetUsed = true
	f, err := meshFleet()
	if err != nil {
		t.Fatal(err)
	}
	for _, broken := range []topology.Topology{
		{},
		{Clusters: []topology.Cluster{{Name: "north"}}},
		{Clusters: []topology.Cluster{{Name: "east", Contents: topology.Contents{Manifests: "kind: Nothing"}}}},
	} {
		if _, err := f.StartMesh(t.Context(), broken); err == nil {
			t.Errorf("a mesh of %+v started", broken)
		}
		if f.Mesh() != nil {
			t.Error("there is a mesh left")
		}
	}
}
