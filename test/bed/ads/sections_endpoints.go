package ads

import (
	"cmp"
	"fmt"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// overprovisioning is how much more capacity Envoy takes a priority to have than
// it needs, in percent, unless told otherwise.
const overprovisioning = 140

// endpointsSection shows the hosts of each cluster in the shape in which they
// were sent. It is not what was sent: health is what the proxy makes of it.
func endpointsSection(config *Config, marks marks, named func(string) bool) (*adminv3.EndpointsConfigDump, error) {
	dump := &adminv3.EndpointsConfigDump{}
	for _, cluster := range config.Clusters() {
		if !named(serviceName(cluster)) {
			continue
		}
		packed, err := anypb.New(assignmentOf(config, cluster, marks))
		if err != nil {
			return nil, fmt.Errorf("pack the endpoints of %s: %w", cluster.GetName(), err)
		}
		dump.DynamicEndpointConfigs = append(dump.DynamicEndpointConfigs,
			&adminv3.EndpointsConfigDump_DynamicEndpointConfig{EndpointConfig: packed})
	}
	return dump, nil
}

// assignmentOf shows the hosts of a cluster by priority and locality.
func assignmentOf(config *Config, cluster *clusterv3.Cluster, marks marks) *endpointv3.ClusterLoadAssignment {
	factor := config.assignment(cluster).GetPolicy().GetOverprovisioningFactor().GetValue()
	assignment := &endpointv3.ClusterLoadAssignment{
		ClusterName: serviceName(cluster),
		Policy: &endpointv3.ClusterLoadAssignment_Policy{
			OverprovisioningFactor: wrapperspb.UInt32(cmp.Or(factor, overprovisioning)),
		},
	}
	weighted := cluster.GetCommonLbConfig().GetLocalityWeightedLbConfig() != nil
	groups := map[*endpointv3.LocalityLbEndpoints]*endpointv3.LocalityLbEndpoints{}
	for _, host := range config.hosts(cluster, marks) {
		group := groups[host.group]
		if group == nil {
			group = &endpointv3.LocalityLbEndpoints{
				Locality: proto.CloneOf(cmp.Or(host.group.GetLocality(), &corev3.Locality{})),
				Priority: host.group.GetPriority(),
			}
			if weighted {
				group.LoadBalancingWeight = host.group.GetLoadBalancingWeight()
			}
			groups[host.group] = group
			assignment.Endpoints = append(assignment.Endpoints, group)
		}
		group.LbEndpoints = append(group.LbEndpoints, lbEndpoint(host))
	}
	return assignment
}

func lbEndpoint(host host) *endpointv3.LbEndpoint {
	return &endpointv3.LbEndpoint{
		HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{
			Address:           host.endpoint.GetEndpoint().GetAddress(),
			Hostname:          host.endpoint.GetEndpoint().GetHostname(),
			HealthCheckConfig: &endpointv3.Endpoint_HealthCheckConfig{},
		}},
		HealthStatus:        host.coarse(),
		Metadata:            host.endpoint.GetMetadata(),
		LoadBalancingWeight: wrapperspb.UInt32(weight(host.endpoint)),
	}
}
