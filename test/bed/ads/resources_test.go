package ads

import (
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"
)

// parse reads a message from YAML.
func parse[M proto.Message](t *testing.T, text string, message M) M {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(strings.ReplaceAll(text, "\t", "  ")))
	if err != nil {
		t.Fatal(err)
	}
	if err := protojson.Unmarshal(data, message); err != nil {
		t.Fatal(err)
	}
	return message
}

func parseCluster(t *testing.T, text string) *clusterv3.Cluster {
	t.Helper()
	return parse(t, text, &clusterv3.Cluster{})
}

func parseAssignment(t *testing.T, text string) *endpointv3.ClusterLoadAssignment {
	t.Helper()
	return parse(t, text, &endpointv3.ClusterLoadAssignment{})
}

// edsCluster is the least that a cluster with endpoints of its own needs.
func edsCluster(t *testing.T, name string) *clusterv3.Cluster {
	t.Helper()
	return parseCluster(t, `
name: `+name+`
type: EDS
eds_cluster_config: {service_name: "`+name+`", eds_config: {ads: {}, resource_api_version: V3}}
`)
}

// oneEndpoint is an assignment of one address.
func oneEndpoint(t *testing.T, name, address string) *endpointv3.ClusterLoadAssignment {
	t.Helper()
	return parseAssignment(t, `
cluster_name: `+name+`
endpoints:
- lb_endpoints:
  - endpoint: {address: {socket_address: {address: `+address+`, port_value: 5000}}}
`)
}

// clustersOnly is what a control plane without listeners has.
func clustersOnly(clusters []types.Resource, endpoints []types.Resource) map[resourcev3.Type][]types.Resource {
	return map[resourcev3.Type][]types.Resource{
		resourcev3.ClusterType:  clusters,
		resourcev3.EndpointType: endpoints,
	}
}

// configOf is a configuration as if it had been received.
func configOf(clusters []*clusterv3.Cluster, assignments []*endpointv3.ClusterLoadAssignment) *Config {
	config := &Config{Proxy: testProxy, versions: map[string]string{}}
	for _, cluster := range clusters {
		config.clusters = append(config.clusters, resource{name: cluster.GetName(), message: cluster})
	}
	for _, assignment := range assignments {
		config.assignments = append(config.assignments, resource{name: assignment.GetClusterName(), message: assignment})
	}
	return config
}

// testProxy is the proxy of most tests.
var testProxy = Proxy{
	Pod:       "sleep-0",
	Namespace: "default",
	IP:        "10.0.0.5",
	Cluster:   "east",
	Network:   "network-east",
	Labels:    map[string]string{"app": "sleep"},
	Locality:  "us-east/a",
}

// httpListener is a listener that asks for a route.
func httpListener(t *testing.T, name, route string) *listenerv3.Listener {
	t.Helper()
	return parse(t, `
name: `+name+`
address: {socket_address: {address: 0.0.0.0, port_value: 80}}
filter_chains:
- filters:
  - name: envoy.filters.network.http_connection_manager
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: http
      rds: {route_config_name: "`+route+`", config_source: {ads: {}, resource_api_version: V3}}
default_filter_chain:
  filters:
  - name: envoy.filters.network.http_connection_manager
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: inline
      route_config: {name: inline-of-`+name+`}
`, &listenerv3.Listener{})
}

func routeConfiguration(t *testing.T, name string) *routev3.RouteConfiguration {
	t.Helper()
	return parse(t, `
name: "`+name+`"
virtual_hosts:
- name: shop
  domains: [shop]
  routes: [{match: {prefix: /}, route: {cluster: "`+shop+`"}}]
`, &routev3.RouteConfiguration{})
}
