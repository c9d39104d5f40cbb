package ads

import (
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/anypb"
)

var update = flag.Bool("update", false, "write the golden files")

// shopService is the service of adminConfig.
var shopService = Service{Host: "shop.default.svc.cluster.local", Port: 80}

// adminConfig is a configuration with one of everything.
func adminConfig(t *testing.T) *Config {
	t.Helper()
	limited := parseCluster(t, autoTLS+`
alt_stat_name: "outbound|80||shop.default.svc.cluster.local;"
circuit_breakers: {thresholds: [{max_connections: 4294967295, max_retries: 4294967295}]}
common_lb_config: {locality_weighted_lb_config: {}}
`)
	external := parseCluster(t, `
name: "outbound|443||example.org"
type: STRICT_DNS
load_assignment:
  cluster_name: "outbound|443||example.org"
  endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: example.org, port_value: 443}}}}]}]
filters: [{name: x, typed_config: {}}]
`)
	external.Filters[0].TypedConfig = &anypb.Any{TypeUrl: "type.googleapis.com/example.Unknown", Value: []byte{8, 1}}
	config := configOf(
		[]*clusterv3.Cluster{parseCluster(t, "{name: BlackHoleCluster, type: STATIC}"), external, limited},
		[]*endpointv3.ClusterLoadAssignment{parseAssignment(t, `
cluster_name: "outbound|80||shop.default.svc.cluster.local"
endpoints:
- locality: {region: europe, zone: a}
  load_balancing_weight: 3
  lb_endpoints:
  - endpoint: {address: {socket_address: {address: 10.0.0.11, port_value: 5000}}}
    health_status: HEALTHY
    load_balancing_weight: 1
    metadata: {filter_metadata: {envoy.transport_socket_match: {tlsMode: istio}, istio: {workload: "shop;default;shop;v1;east"}}}
  - endpoint: {address: {socket_address: {address: 10.0.0.12, port_value: 5000}}}
    health_status: UNHEALTHY
  - endpoint: {address: {socket_address: {address: 127.0.2.1, port_value: 15443}}}
    load_balancing_weight: 2
- priority: 1
  lb_endpoints:
  - endpoint: {address: {socket_address: {address: 127.0.2.1, port_value: 15443}}}
  - endpoint: {address: {envoy_internal_address: {server_listener_name: connect_originate, endpoint_id: "10.0.0.13:5000"}}}
    health_status: DRAINING
`)})
	listener, route := httpListener(t, "0.0.0.0_80", "80"), routeConfiguration(t, "80")
	config.listeners = []resource{{name: listener.GetName(), message: listener}}
	config.routes = []resource{{name: route.GetName(), message: route}}
	config.versions = map[string]string{clusterType: "v7", listenerType: "v7"}
	for _, resources := range [][]resource{config.clusters, config.assignments, config.listeners, config.routes} {
		for i := range resources {
			resources[i].updated = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		}
	}
	return config
}

func TestAdminGolden(t *testing.T) {
	tests := []struct {
		golden string
		path   string
		mark   []HealthFlag
	}{
		{golden: "clusters.json", path: "/clusters?format=json"},
		{golden: "clusters-ejected.json", path: "/clusters?format=json", mark: []HealthFlag{FailedOutlierCheck}},
		{golden: "config_dump.json", path: "/config_dump"},
		{golden: "config_dump-eds.json", path: "/config_dump?include_eds&resource=dynamic_endpoint_configs"},
		{
			golden: "config_dump-eds-failed.json",
			path:   "/config_dump?include_eds&resource=dynamic_endpoint_configs&name_regex=outbound%5C%7C80.*",
			mark:   []HealthFlag{FailedActiveHealthCheck, ActiveHealthCheckTimeout},
		},
		{
			golden: "config_dump-mask.json",
			path:   "/config_dump?resource=dynamic_active_clusters&mask=cluster.name,cluster.type",
		},
		{golden: "config_dump-bootstrap.json", path: "/config_dump?mask=bootstrap"},
		{golden: "server_info.json", path: "/server_info"},
		{golden: "ready.txt", path: "/ready"},
	}
	for _, test := range tests {
		t.Run(test.golden, func(t *testing.T) {
			admin := serveAdmin(t, adminConfig(t))
			if err := admin.Mark(shopService, "10.0.0.11:5000", test.mark...); err != nil {
				t.Fatal(err)
			}
			status, got := get(t, admin, test.path)
			if status != http.StatusOK {
				t.Fatalf("status is %d: %s", status, got)
			}
			golden(t, test.golden, steady(got))
		})
	}
}

func TestAdminErrors(t *testing.T) {
	tests := []struct {
		path   string
		status int
		want   string
	}{
		{"/clusters", http.StatusNotImplemented, "only format=json"},
		{"/config_dump?resource=dynamic_secrets", http.StatusNotFound, "dynamic_secrets not found in config dump"},
		{"/config_dump?resource=dynamic_endpoint_configs", http.StatusNotFound, "not found in config dump"},
		{"/config_dump?resource=version_info", http.StatusBadRequest, "Use ?mask=version_info"},
		{"/config_dump?resource=dynamic_listeners&mask=x", http.StatusBadRequest, "could not be successfully used"},
		{"/config_dump?mask=x", http.StatusBadRequest, "to any configs"},
		{"/config_dump?name_regex=(", http.StatusBadRequest, "name_regex"},
		{"/stats", http.StatusNotFound, "not found"},
	}
	admin := serveAdmin(t, adminConfig(t))
	for _, test := range tests {
		status, body := get(t, admin, test.path)
		if status != test.status || !strings.Contains(body, test.want) {
			t.Errorf("%s: %d %q, want %d and %q", test.path, status, body, test.status, test.want)
		}
	}
}

func TestMarkUnknownHost(t *testing.T) {
	admin := serveAdmin(t, adminConfig(t))
	wantError(t, admin.Mark(Service{Host: "cart", Port: 80}, "10.0.0.11:5000"), "has no cluster outbound|80||cart")
	wantError(t, admin.Mark(shopService, "10.0.0.99:5000"), "10.0.0.99:5000", "10.0.0.11:5000 10.0.0.12:5000")
}

func TestAdminCloses(t *testing.T) {
	admin := serveAdmin(t, adminConfig(t))
	closeIt(t, admin)
	closeIt(t, admin)
	if conn, err := net.Dial("tcp", admin.Address()); err == nil {
		closeIt(t, conn)
		t.Error("it still listens")
	}
}

func serveAdmin(t *testing.T, source Source) *Admin {
	t.Helper()
	admin, err := ServeAdmin(source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeIt(t, admin) })
	return admin
}

func get(t *testing.T, admin *Admin, path string) (int, string) {
	t.Helper()
	response, err := http.Get("http://" + admin.Address() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// steady replaces what differs from run to run.
func steady(text string) string {
	text = regexp.MustCompile(`"(uptime_\w+)": "\d+s"`).ReplaceAllString(text, `"$1": "0s"`)
	return regexp.MustCompile(`("bootstrap": (?s:.*?)"last_updated": ")[^"]+`).ReplaceAllString(text, "${1}STARTED")
}

// golden compares a text with a file, or writes the file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
