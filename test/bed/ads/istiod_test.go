package ads_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/ads"
)

// twoNetworks are two clusters on two networks, with a service of which a pod
// has no sidecar.
const twoNetworks = `
everywhere:
  nodes:
  - {name: node, region: europe, zone: a}
  namespaces:
  - {name: shop, labels: {istio-injection: enabled}}
  services:
  - {namespace: shop, name: cart}
  workloads:
  - {namespace: shop, name: cart, labels: {version: v1}}
  manifests: |
    apiVersion: networking.istio.io/v1
    kind: DestinationRule
    metadata: {namespace: shop, name: cart}
    spec:
      host: cart.shop.svc.cluster.local
      subsets: [{name: v1, labels: {version: v1}}]
clusters:
- name: one
  network: net-one
  gateways: [{ips: [127.0.1.1]}]
  workloads:
  - {namespace: shop, name: plain, labels: {app: cart}, uninjected: true}
- name: two
  network: net-two
  gateways: [{ips: [127.0.2.1]}]
`

// cart is the service of twoNetworks.
const cart = "cart.shop.svc.cluster.local"

// plaintext makes the sidecars of a namespace take plaintext alone.
const plaintext = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {namespace: shop, name: default}
spec: {mtls: {mode: DISABLE}}
`

func TestIstiodOfTwoNetworks(t *testing.T) {
	ctx, fleet := start(t, twoNetworks)
	address := fleet.Mesh().Istiod("one").GRPC()
	pod := podOf(ctx, t, fleet.Cluster("one"), "cart-0")
	plain := podOf(ctx, t, fleet.Cluster("one"), "plain-0")
	proxy, err := ads.FromPod(pod)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ads.Connect(ctx, address, proxy)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()

	// What istiod has read of the other cluster it may not have passed on yet.
	soon, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	_, err = c.Wait(soon, func(config *ads.Config) bool {
		return len(config.Endpoints(cart, 80, "")) == 3 && len(config.Endpoints(cart, 80, "v1")) == 2
	})
	if err != nil {
		t.Fatalf("%v; there are %v", err, c.Config().Endpoints(cart, 80, ""))
	}

	injected := ads.Endpoint{
		Address: pod.Status.PodIP, Port: 8080, Cluster: "one", Namespace: "shop", Workload: "cart-0",
		Locality: "europe/a", Weight: 1, LocalityWeight: 3, Health: "HEALTHY", TLSMode: "istio", Transport: "tls",
	}
	uninjected := ads.Endpoint{
		Address: plain.Status.PodIP, Port: 8080, Cluster: "one", Namespace: "shop", Workload: "plain-0",
		Locality: "europe/a", Weight: 1, LocalityWeight: 3, Health: "HEALTHY", Transport: "raw_buffer",
	}
	gateway := ads.Endpoint{
		Address: "127.0.2.1", Port: 15443, Cluster: "two", Gateway: true,
		Locality: "europe/a", Weight: 1, LocalityWeight: 3, Health: "UNKNOWN", TLSMode: "istio", Transport: "tls",
	}

	t.Run("endpoints of all kinds", func(t *testing.T) {
		compare(t, c.Config(), "", injected, uninjected, gateway)
	})
	t.Run("a subset", func(t *testing.T) {
		compare(t, c.Config(), "v1", withLocalityWeight(2, injected, gateway)...)
	})
	t.Run("listeners and routes", func(t *testing.T) {
		config := c.Config()
		if len(config.Listeners()) == 0 || len(config.Routes()) == 0 {
			t.Errorf("there are %d listeners and %d routes", len(config.Listeners()), len(config.Routes()))
		}
	})
	t.Run("a proxy on the other network", func(t *testing.T) {
		other := proxy
		other.Network = "net-two"
		config, err := ads.Fetch(ctx, address, other, ads.WithoutListeners())
		if err != nil {
			t.Fatal(err)
		}
		// It reaches the pod of the other cluster, and through the gateway of the
		// first one what has a sidecar there.
		remote := podOf(ctx, t, fleet.Cluster("two"), "cart-0")
		there, back := injected, gateway
		there.Address, there.Cluster = remote.Status.PodIP, "two"
		back.Address, back.Cluster = "127.0.1.1", "one"
		compare(t, config, "", withLocalityWeight(2, there, back)...)
	})
	t.Run("the admin interface", func(t *testing.T) {
		admin, err := ads.ServeAdmin(c)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := admin.Close(); err != nil {
				t.Error(err)
			}
		}()
		ejected := pod.Status.PodIP + ":8080"
		if err := admin.Mark(ads.Service{Host: cart, Port: 80}, ejected, ads.FailedOutlierCheck); err != nil {
			t.Fatal(err)
		}
		want := map[string]bool{ejected: true, plain.Status.PodIP + ":8080": false, "127.0.2.1:15443": false}
		if diff := cmp.Diff(want, ejectedHosts(t, admin.Address())); diff != "" {
			t.Errorf("hosts and whether they are ejected (-want +got):\n%s", diff)
		}

		err = fleet.Cluster("one").Forward(ctx, bed.Forward{
			Name: "envoy-of-cart-0", Namespaces: []string{"shop"}, Pods: []string{"cart-0"}, Port: 15000, To: admin.Address(),
		})
		if err != nil {
			t.Fatal(err)
		}
		forwarded := portForward(ctx, t, fleet, "one", "shop", "cart-0", 15000)
		if diff := cmp.Diff(want, ejectedHosts(t, forwarded)); diff != "" {
			t.Errorf("the same through a port-forward (-want +got):\n%s", diff)
		}
	})
	t.Run("a change of policy", func(t *testing.T) {
		var policy unstructured.Unstructured
		if err := yaml.Unmarshal([]byte(plaintext), &policy.Object); err != nil {
			t.Fatal(err)
		}
		if err := fleet.Cluster("one").Apply(ctx, &policy); err != nil {
			t.Fatal(err)
		}
		soon, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		config, err := c.Wait(soon, func(config *ads.Config) bool {
			return len(config.Endpoints(cart, 80, "")) == 2
		})
		if err != nil {
			t.Fatal(err)
		}
		open := injected
		open.TLSMode, open.Transport = "", "raw_buffer"
		compare(t, config, "", withLocalityWeight(2, open, uninjected)...)
	})
}
