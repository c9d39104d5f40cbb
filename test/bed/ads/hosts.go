package ads

import (
	"cmp"
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
)

// host is an endpoint as Envoy keeps it.
type host struct {
	// address is how Envoy spells it.
	address  string
	group    *endpointv3.LocalityLbEndpoints
	endpoint *endpointv3.LbEndpoint
	flags    []HealthFlag
}

// hosts are the endpoints of a cluster that Envoy keeps, by priority, in the
// order in which they were sent. Of several with the same address it keeps the
// first: two localities behind one gateway are one host. Names are resolved by
// Envoy, and not here, so those of DNS clusters are missing.
func (c *Config) hosts(cluster *clusterv3.Cluster, marks marks) []host {
	var hosts []host
	seen := map[string]bool{}
	for _, group := range c.assignment(cluster).GetEndpoints() {
		for _, endpoint := range group.GetLbEndpoints() {
			address := formatAddress(endpoint.GetEndpoint().GetAddress())
			if seen[address] || !hasHosts(cluster) {
				continue
			}
			seen[address] = true
			hosts = append(hosts, host{
				address:  address,
				group:    group,
				endpoint: endpoint,
				flags:    marks.of(cluster.GetName(), address),
			})
		}
	}
	slices.SortStableFunc(hosts, func(a, b host) int {
		return cmp.Compare(a.group.GetPriority(), b.group.GetPriority())
	})
	return hosts
}

// hasHosts reports whether the hosts of a cluster are known from its definition
// and its endpoints.
func hasHosts(cluster *clusterv3.Cluster) bool {
	return isEDS(cluster) || cluster.GetType() == clusterv3.Cluster_STATIC
}

// told is the health that the control plane has told. There are but four that
// Envoy knows of.
func (h host) told() corev3.HealthStatus {
	switch status := h.endpoint.GetHealthStatus(); status {
	case corev3.HealthStatus_UNHEALTHY, corev3.HealthStatus_TIMEOUT:
		return corev3.HealthStatus_UNHEALTHY
	case corev3.HealthStatus_DRAINING, corev3.HealthStatus_DEGRADED:
		return status
	default:
		return corev3.HealthStatus_HEALTHY
	}
}

// coarse is whether Envoy uses the host, all told.
func (h host) coarse() corev3.HealthStatus {
	switch told := h.told(); {
	case told == corev3.HealthStatus_UNHEALTHY, told == corev3.HealthStatus_DRAINING,
		slices.Contains(h.flags, FailedOutlierCheck), slices.Contains(h.flags, FailedActiveHealthCheck):
		return corev3.HealthStatus_UNHEALTHY
	case told == corev3.HealthStatus_DEGRADED, slices.Contains(h.flags, DegradedActiveHealthCheck):
		return corev3.HealthStatus_DEGRADED
	default:
		return corev3.HealthStatus_HEALTHY
	}
}
