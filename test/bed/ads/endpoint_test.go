package ads

import (
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"github.com/google/go-cmp/cmp"
)

// autoTLS is a cluster that speaks TLS to the endpoints that can.
const autoTLS = `
name: "outbound|80||shop.default.svc.cluster.local"
type: EDS
eds_cluster_config: {eds_config: {ads: {}}}
transport_socket_matches:
- {name: tlsMode-istio, match: {tlsMode: istio}, transport_socket: {name: envoy.transport_sockets.tls}}
- {name: tlsMode-disabled, match: {}, transport_socket: {name: envoy.transport_sockets.raw_buffer}}
`

func TestEndpoints(t *testing.T) {
	tests := []struct {
		name       string
		cluster    string
		assignment string
		want       []Endpoint
	}{
		{
			name:    "pods with and without a sidecar, and a gateway",
			cluster: autoTLS,
			assignment: `
cluster_name: "outbound|80||shop.default.svc.cluster.local"
endpoints:
- locality: {region: europe, zone: b}
  priority: 1
  load_balancing_weight: 2
  lb_endpoints:
  - endpoint: {address: {socket_address: {address: 127.0.2.1, port_value: 15443}}}
    load_balancing_weight: 2
    metadata: {filter_metadata: {envoy.transport_socket_match: {tlsMode: istio}, istio: {workload: ";;;;west"}}}
- locality: {region: europe, zone: a, sub_zone: rack}
  load_balancing_weight: 3
  lb_endpoints:
  - endpoint: {address: {socket_address: {address: 10.0.0.12, port_value: 5000}}}
    health_status: UNHEALTHY
    load_balancing_weight: 1
    metadata: {filter_metadata: {istio: {workload: "plain;default;shop;;east"}}}
  - endpoint: {address: {socket_address: {address: 10.0.0.11, port_value: 5000}}, hostname: shop-0}
    health_status: HEALTHY
    metadata: {filter_metadata: {envoy.transport_socket_match: {tlsMode: istio}, istio: {workload: "shop;default;shop;v1;east"}}}
`,
			want: []Endpoint{
				{
					Address: "10.0.0.11", Port: 5000, Hostname: "shop-0", Cluster: "east", Namespace: "default",
					Workload: "shop", Locality: "europe/a/rack", Weight: 1, LocalityWeight: 3, Health: "HEALTHY",
					TLSMode: "istio", Transport: "tls",
				},
				{
					Address: "10.0.0.12", Port: 5000, Cluster: "east", Namespace: "default",
					Workload: "plain", Locality: "europe/a/rack", Weight: 1, LocalityWeight: 3, Health: "UNHEALTHY",
					Transport: "raw_buffer",
				},
				{
					Address: "127.0.2.1", Port: 15443, Cluster: "west", Gateway: true, Locality: "europe/b",
					Priority: 1, Weight: 2, LocalityWeight: 2, Health: "UNKNOWN", TLSMode: "istio", Transport: "tls",
				},
			},
		},
		{
			name:    "a tunnel, and one to a waypoint",
			cluster: autoTLS,
			assignment: `
cluster_name: "outbound|80||shop.default.svc.cluster.local"
endpoints:
- lb_endpoints:
  - endpoint: {address: {envoy_internal_address: {server_listener_name: connect_originate, endpoint_id: "10.0.0.11:5000"}}}
    metadata: {filter_metadata: {envoy.filters.listener.original_dst: {local: "10.0.0.11:5000"}}}
  - endpoint: {address: {envoy_internal_address: {server_listener_name: connect_originate, endpoint_id: "10.0.0.30:15008"}}}
    metadata: {filter_metadata: {envoy.filters.listener.original_dst: {local: "10.96.0.1:80", waypoint: "10.0.0.30:15008"}}}
`,
			want: []Endpoint{
				{Address: "10.0.0.11", Port: 5000, Weight: 1, Health: "UNKNOWN", Transport: "raw_buffer", HBONE: true},
				{
					Address: "10.96.0.1", Port: 80, Weight: 1, Health: "UNKNOWN", Transport: "raw_buffer",
					HBONE: true, Waypoint: "10.0.0.30:15008",
				},
			},
		},
		{
			name: "TLS whatever the endpoint, in two families",
			cluster: `
name: "outbound|80||shop.default.svc.cluster.local"
type: EDS
eds_cluster_config: {service_name: "outbound|80||shop.default.svc.cluster.local", eds_config: {ads: {}}}
transport_socket: {name: envoy.transport_sockets.tls}
`,
			assignment: `
cluster_name: "outbound|80||shop.default.svc.cluster.local"
endpoints:
- lb_endpoints:
  - endpoint:
      address: {socket_address: {address: 10.0.0.11, port_value: 5000}}
      additional_addresses: [{address: {socket_address: {address: "fd00::11", port_value: 5000}}}]
`,
			want: []Endpoint{{
				Address: "10.0.0.11", Port: 5000, More: []string{"[fd00::11]:5000"}, Weight: 1,
				Health: "UNKNOWN", Transport: "tls",
			}},
		},
		{
			name: "endpoints within the cluster, one of them a name",
			cluster: `
name: "outbound|80||shop.default.svc.cluster.local"
type: STRICT_DNS
load_assignment:
  cluster_name: x
  endpoints:
  - lb_endpoints:
    - endpoint: {address: {socket_address: {address: shop.example.org, port_value: 80}}}
    - endpoint: {address: {pipe: {path: /run/shop}}}
`,
			assignment: "{cluster_name: other}",
			want: []Endpoint{
				{Address: "/run/shop", Weight: 1, Health: "UNKNOWN", Transport: "raw_buffer"},
				{Address: "shop.example.org", Port: 80, Weight: 1, Health: "UNKNOWN", Transport: "raw_buffer"},
			},
		},
		{
			name:       "no endpoints",
			cluster:    autoTLS,
			assignment: `{cluster_name: "outbound|80||shop.default.svc.cluster.local"}`,
		},
		{
			name:       "another subset",
			cluster:    `{name: "outbound|80|v1|shop.default.svc.cluster.local", type: EDS}`,
			assignment: `{cluster_name: "outbound|80|v1|shop.default.svc.cluster.local"}`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			config := configOf(
				[]*clusterv3.Cluster{parseCluster(t, test.cluster)},
				[]*endpointv3.ClusterLoadAssignment{parseAssignment(t, test.assignment)})
			got := config.Endpoints("shop.default.svc.cluster.local", 80, "")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("endpoints (-want +got):\n%s", diff)
			}
		})
	}
}

func TestServices(t *testing.T) {
	var clusters []*clusterv3.Cluster
	for _, name := range []string{
		"outbound|80|v1|b.default.svc.cluster.local", "outbound|80||b.default.svc.cluster.local",
		"outbound|443||a.default.svc.cluster.local", "outbound|80||a.default.svc.cluster.local",
		"inbound|8080||", "BlackHoleCluster", "outbound_.80_._.a.default.svc.cluster.local", "outbound|x||a",
	} {
		clusters = append(clusters, &clusterv3.Cluster{Name: name})
	}
	want := []Service{
		{Host: "a.default.svc.cluster.local", Port: 80},
		{Host: "a.default.svc.cluster.local", Port: 443},
		{Host: "b.default.svc.cluster.local", Port: 80},
		{Host: "b.default.svc.cluster.local", Port: 80, Subset: "v1"},
	}
	if diff := cmp.Diff(want, configOf(clusters, nil).Services()); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
}
