package ads_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed/ads"
)

// manyKinds is a cluster with an endpoint of each kind that one network has.
const manyKinds = `
clusters:
- name: one
  env: {PILOT_ENABLE_AMBIENT: "true"}
  nodes:
  - {name: a, region: europe, zone: a}
  - {name: b, region: europe, zone: b}
  namespaces:
  - {name: shop, labels: {istio-injection: enabled}}
  services:
  - {namespace: shop, name: cart}
  - {namespace: shop, name: headless, headless: true, selector: {app: cart}}
  workloads:
  - {namespace: shop, name: cart, node: a}
  - {namespace: shop, name: unready, node: b, labels: {app: cart}, notReady: true}
  - namespace: shop
    name: ambient
    node: b
    labels: {app: cart}
    uninjected: true
    annotations: {ambient.istio.io/redirection: enabled}
  manifests: |
    apiVersion: networking.istio.io/v1
    kind: DestinationRule
    metadata: {namespace: shop, name: cart}
    spec:
      host: cart.shop.svc.cluster.local
      trafficPolicy: {outlierDetection: {consecutive5xxErrors: 3}}
    ---
    apiVersion: networking.istio.io/v1
    kind: ServiceEntry
    metadata: {namespace: shop, name: dns}
    spec:
      hosts: [dns.example.org]
      resolution: DNS
      ports: [{number: 80, name: http, protocol: HTTP}]
`

func TestIstiodOfManyKinds(t *testing.T) {
	ctx, fleet := start(t, manyKinds)
	pod := podOf(ctx, t, fleet.Cluster("one"), "cart-0")
	proxy, err := ads.FromPod(pod)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ads.Connect(ctx, fleet.Mesh().Istiod("one").GRPC(), proxy, ads.WithoutListeners())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	wantDiscovery := map[ads.Service]string{
		{Host: cart, Port: 80}:                              "EDS",
		{Host: "headless.shop.svc.cluster.local", Port: 80}: "ORIGINAL_DST",
		{Host: "dns.example.org", Port: 80}:                 "STRICT_DNS",
		{Host: "nobody.shop.svc.cluster.local", Port: 80}:   "",
		{Host: cart, Port: 81}:                              "",
		{Host: cart, Port: 80, Subset: "nobody"}:            "",
	}
	// Istiod passes on what it has read when nothing new has come for a while.
	soon, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	config, err := c.Wait(soon, func(config *ads.Config) bool {
		return len(config.Endpoints(cart, 80, "")) == 3 && cmp.Equal(wantDiscovery, discovery(config, wantDiscovery))
	})
	if err != nil {
		t.Fatalf("%v; there are %v, %v", err, discovery(c.Config(), wantDiscovery), c.Config().Endpoints(cart, 80, ""))
	}

	// Outlier detection brings priorities by locality, and endpoints that are
	// not ready.
	compare(t, config, "", ads.Endpoint{
		Address: pod.Status.PodIP, Port: 8080, Cluster: "one", Namespace: "shop", Workload: "cart-0",
		Locality: "europe/a", Weight: 1, LocalityWeight: 1, Health: "HEALTHY", TLSMode: "istio", Transport: "tls",
	}, ads.Endpoint{
		Address: podOf(ctx, t, fleet.Cluster("one"), "unready-0").Status.PodIP,
		Port:    8080, Cluster: "one", Namespace: "shop", Workload: "unready-0", Locality: "europe/b",
		Priority: 1, Weight: 1, LocalityWeight: 2, Health: "UNHEALTHY", TLSMode: "istio", Transport: "tls",
	}, ads.Endpoint{
		Address: podOf(ctx, t, fleet.Cluster("one"), "ambient-0").Status.PodIP,
		Port:    8080, Cluster: "one", Namespace: "shop", Workload: "ambient-0", Locality: "europe/b",
		Priority: 1, Weight: 1, LocalityWeight: 2, Health: "HEALTHY", Transport: "internal_upstream", HBONE: true,
	})
}

// discovery is how the proxy finds the endpoints of services.
func discovery(config *ads.Config, services map[ads.Service]string) map[ads.Service]string {
	found := map[ads.Service]string{}
	for service := range services {
		found[service] = config.Discovery(service)
	}
	return found
}
