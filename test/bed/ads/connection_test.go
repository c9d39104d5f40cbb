package ads

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"
)

const shop = "outbound|80||shop.default.svc.cluster.local"

func TestFetch(t *testing.T) {
	s := serve(t)
	s.set(t, testProxy, map[resourcev3.Type][]types.Resource{
		resourcev3.ClusterType: {
			edsCluster(t, shop),
			parseCluster(t, "{name: PassthroughCluster, type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED}"),
		},
		resourcev3.EndpointType: {oneEndpoint(t, shop, "10.0.0.11")},
		resourcev3.ListenerType: {httpListener(t, "0.0.0.0_80", "80")},
		resourcev3.RouteType:    {routeConfiguration(t, "80")},
	})
	config, err := Fetch(within(t, 10*time.Second), s.address, testProxy)
	if err != nil {
		t.Fatal(err)
	}

	wantEndpoints := []Endpoint{{
		Address: "10.0.0.11", Port: 5000, Weight: 1, Health: "UNKNOWN", Transport: "raw_buffer",
	}}
	if diff := cmp.Diff(wantEndpoints, config.Endpoints("shop.default.svc.cluster.local", 80, "")); diff != "" {
		t.Errorf("endpoints (-want +got):\n%s", diff)
	}
	wantServices := []Service{{Host: "shop.default.svc.cluster.local", Port: 80}}
	if diff := cmp.Diff(wantServices, config.Services()); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	if len(config.Clusters()) != 2 || len(config.Listeners()) != 1 || len(config.Routes()) != 1 {
		t.Errorf("got %d clusters, %d listeners, %d routes",
			len(config.Clusters()), len(config.Listeners()), len(config.Routes()))
	}

	wantAsked := []string{"cluster", "ack cluster", "endpoint +" + shop, "ack endpoint",
		"listener", "ack listener", "route +80", "ack route"}
	// The last acknowledgement may still be on its way.
	if diff := cmp.Diff(wantAsked[:7], describe(s.asked())[:7]); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if node := s.asked()[0].GetNode(); node.GetId() != testProxy.ID() {
		t.Errorf("the first request is of node %q", node.GetId())
	}
}

func TestFetchWithoutListeners(t *testing.T) {
	s := serve(t)
	s.set(t, testProxy, clustersOnly([]types.Resource{edsCluster(t, shop)}, []types.Resource{oneEndpoint(t, shop, "10.0.0.11")}))
	config, err := Fetch(within(t, 10*time.Second), s.address, testProxy, WithoutListeners())
	if err != nil {
		t.Fatal(err)
	}
	if got := config.Endpoints("shop.default.svc.cluster.local", 80, ""); len(got) != 1 {
		t.Errorf("endpoints are %v, want one", got)
	}
}

func TestConnectionFollowsChanges(t *testing.T) {
	const cart = "outbound|80||cart.default.svc.cluster.local"
	s := serve(t)
	s.set(t, testProxy, clustersOnly([]types.Resource{edsCluster(t, shop)}, []types.Resource{oneEndpoint(t, shop, "10.0.0.11")}))
	c, err := Connect(within(t, 10*time.Second), s.address, testProxy, WithoutListeners())
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, c)

	steps := []struct {
		name      string
		clusters  []types.Resource
		endpoints []types.Resource
		want      map[string]string
	}{
		{
			"an endpoint moves",
			[]types.Resource{edsCluster(t, shop)},
			[]types.Resource{oneEndpoint(t, shop, "10.0.0.12")},
			map[string]string{shop: "10.0.0.12"},
		},
		{
			"a service is added",
			[]types.Resource{edsCluster(t, shop), edsCluster(t, cart)},
			[]types.Resource{oneEndpoint(t, shop, "10.0.0.12"), oneEndpoint(t, cart, "10.0.0.20")},
			map[string]string{shop: "10.0.0.12", cart: "10.0.0.20"},
		},
		{
			"a service is removed",
			[]types.Resource{edsCluster(t, cart)},
			[]types.Resource{oneEndpoint(t, cart, "10.0.0.20")},
			map[string]string{cart: "10.0.0.20"},
		},
	}
	for _, step := range steps {
		s.set(t, testProxy, clustersOnly(step.clusters, step.endpoints))
		_, err := c.Wait(within(t, 10*time.Second), func(config *Config) bool {
			return cmp.Equal(step.want, addresses(config))
		})
		if err != nil {
			t.Fatalf("%s: %v: has %v, want %v", step.name, err, addresses(c.Config()), step.want)
		}
	}
	if strings.Contains(strings.Join(describe(s.asked()), "\n"), "nack") {
		t.Errorf("something was rejected: %v", describe(s.asked()))
	}
}

func TestConnectionComesBack(t *testing.T) {
	listener := listenLocal(t, "127.0.0.1:0")
	address := listener.Addr().String()
	resources := func(ip string) map[resourcev3.Type][]types.Resource {
		return clustersOnly([]types.Resource{edsCluster(t, shop)}, []types.Resource{oneEndpoint(t, shop, ip)})
	}
	var c *Connection
	t.Run("first server", func(t *testing.T) {
		s := serveOn(t, listener)
		s.set(t, testProxy, resources("10.0.0.11"))
		var err error
		if c, err = Connect(within(t, 10*time.Second), address, testProxy, WithoutListeners()); err != nil {
			t.Fatal(err)
		}
	})
	if c == nil {
		t.FailNow()
	}
	defer closeIt(t, c)
	if got := addresses(c.Config())[shop]; got != "10.0.0.11" {
		t.Errorf("without a server it has %q", got)
	}

	s := serveOn(t, listenLocal(t, address))
	s.set(t, testProxy, resources("10.0.0.12"))
	_, err := c.Wait(within(t, 20*time.Second), func(config *Config) bool {
		return addresses(config)[shop] == "10.0.0.12"
	})
	if err != nil {
		t.Error(err)
	}
}

func TestConnectFails(t *testing.T) {
	t.Run("nobody listens", func(t *testing.T) {
		listener := listenLocal(t, "127.0.0.1:0")
		_ = listener.Close()
		_, err := Connect(within(t, 300*time.Millisecond), listener.Addr().String(), testProxy)
		wantError(t, err, context.DeadlineExceeded.Error(), "connection refused", testProxy.ID())
	})
	t.Run("endpoints never come", func(t *testing.T) {
		s := serve(t)
		s.set(t, testProxy, clustersOnly([]types.Resource{edsCluster(t, shop)}, nil))
		_, err := Connect(within(t, 300*time.Millisecond), s.address, testProxy)
		wantError(t, err, context.DeadlineExceeded.Error())
	})
	t.Run("an incomplete proxy", func(t *testing.T) {
		_, err := Connect(within(t, time.Second), "127.0.0.1:1", Proxy{})
		wantError(t, err, "needs a pod")
	})
}

func TestConnectionRejects(t *testing.T) {
	s := serve(t)
	endpoints := []types.Resource{oneEndpoint(t, shop, "10.0.0.11")}
	invalid := edsCluster(t, shop)
	invalid.LbPolicy = 99
	s.set(t, testProxy, clustersOnly([]types.Resource{invalid}, endpoints))

	_, err := Connect(within(t, 10*time.Second), s.address, testProxy, WithoutListeners())
	wantError(t, err, "reject "+clusterType, shop, "LbPolicy")

	c, err := open(s.address, testProxy, options{withoutListeners: true})
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, c)
	eventually(t, func() bool { return slices.Contains(describe(s.asked()), "nack cluster") })
	if c.Config() != nil {
		t.Error("it took what is of no use")
	}
	s.set(t, testProxy, clustersOnly([]types.Resource{edsCluster(t, shop)}, endpoints))
	eventually(t, func() bool { return c.Config() != nil })
}

func TestClosedConnection(t *testing.T) {
	s := serve(t)
	s.set(t, testProxy, clustersOnly([]types.Resource{edsCluster(t, shop)}, []types.Resource{oneEndpoint(t, shop, "10.0.0.11")}))
	c, err := Connect(within(t, 10*time.Second), s.address, testProxy, WithoutListeners())
	if err != nil {
		t.Fatal(err)
	}
	closeIt(t, c)
	closeIt(t, c)
	if _, err := c.Wait(within(t, time.Second), func(*Config) bool { return false }); !errors.Is(err, ErrClosed) {
		t.Errorf("error is %v, want %v", err, ErrClosed)
	}
	if c.Config() == nil {
		t.Error("what it was told is gone")
	}
}

// describe says in a word or two what requests are.
func describe(requests []*discoveryv3.DeltaDiscoveryRequest) []string {
	names := map[string]string{
		clusterType: "cluster", endpointType: "endpoint", listenerType: "listener", routeType: "route",
	}
	var all []string
	for _, request := range requests {
		text := names[request.GetTypeUrl()]
		switch {
		case request.GetErrorDetail() != nil:
			text = "nack " + text
		case request.GetResponseNonce() != "":
			text = "ack " + text
		}
		for _, name := range request.GetResourceNamesSubscribe() {
			text += " +" + name
		}
		for _, name := range request.GetResourceNamesUnsubscribe() {
			text += " -" + name
		}
		all = append(all, text)
	}
	return all
}

// addresses are those of the endpoints by cluster.
func addresses(config *Config) map[string]string {
	all := map[string]string{}
	for _, cluster := range config.Clusters() {
		for _, endpoint := range config.ClusterEndpoints(cluster.GetName()) {
			all[cluster.GetName()] += endpoint.Address
		}
	}
	return all
}

func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits for a condition, though not long.
func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it never came")
		}
	}
}

func listenLocal(t *testing.T, address string) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

func closeIt(t *testing.T, closer interface{ Close() error }) {
	t.Helper()
	if err := closer.Close(); err != nil {
		t.Error(err)
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("there is no error")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error is %q, want %q in it", err, part)
		}
	}
}
