package ads

import (
	"cmp"
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
)

// Endpoint is one address that a proxy sends the requests for a service to.
type Endpoint struct {
	// Address and Port are where the proxy connects to. Behind an HBONE tunnel
	// they are the destination in it.
	Address string
	Port    int
	// More are further addresses of the same endpoint, such as that of the
	// other IP family.
	More []string
	// Hostname is the endpoint's own, which istiod gives to none at present.
	Hostname string

	// Cluster is the ID of the cluster that the endpoint is in, or that the
	// gateway leads to. Istiod does not tell proxies about networks.
	Cluster   string
	Namespace string
	Workload  string
	// Gateway means that the address is that of a gateway to another network:
	// istiod names the cluster behind it, but no workload and no namespace.
	Gateway bool

	// Locality is region/zone/subzone.
	Locality string
	// Priority is 0 for the endpoints to use first.
	Priority int
	// Weight is that among the endpoints of the locality, and LocalityWeight
	// that among the localities.
	Weight         int
	LocalityWeight int
	// Health is what istiod thinks of it: HEALTHY, UNHEALTHY (which it tells
	// only if outlier detection is on), DRAINING, or UNKNOWN, as of gateways,
	// which counts as healthy.
	Health string

	// TLSMode is the endpoint's own: istio, or empty if it takes plaintext.
	TLSMode string
	// Transport is what follows from that and from the settings of the cluster:
	// raw_buffer is plaintext; others are tls, internal_upstream and so on.
	Transport string
	// HBONE means that the proxy goes through a tunnel.
	HBONE bool
	// Waypoint is the address of the waypoint that the tunnel leads to, if any.
	Waypoint string
}

// Endpoints are where the proxy sends the requests for a port of a service, in
// the order of priority, locality and address. There are none if the proxy does
// not know the service, or finds them otherwise; Discovery tells the difference.
func (c *Config) Endpoints(host string, port int, subset string) []Endpoint {
	return c.ClusterEndpoints(Service{Host: host, Port: port, Subset: subset}.ClusterName())
}

// ClusterEndpoints are those of an Envoy cluster, by its name.
func (c *Config) ClusterEndpoints(name string) []Endpoint {
	cluster := c.cluster(name)
	if cluster == nil {
		return nil
	}
	var endpoints []Endpoint
	for _, group := range c.assignment(cluster).GetEndpoints() {
		for _, endpoint := range group.GetLbEndpoints() {
			endpoints = append(endpoints, newEndpoint(cluster, group, endpoint))
		}
	}
	slices.SortStableFunc(endpoints, compareEndpoints)
	return endpoints
}

// newEndpoint says in plain words what an endpoint of a cluster is.
func newEndpoint(
	cluster *clusterv3.Cluster, group *endpointv3.LocalityLbEndpoints, lb *endpointv3.LbEndpoint,
) Endpoint {
	e := Endpoint{
		Hostname:       lb.GetEndpoint().GetHostname(),
		Locality:       formatLocality(group.GetLocality()),
		Priority:       int(group.GetPriority()),
		Weight:         int(weight(lb)),
		LocalityWeight: int(group.GetLoadBalancingWeight().GetValue()),
		Health:         lb.GetHealthStatus().String(),
		TLSMode:        metadataString(lb, transportMatchMetadata, "tlsMode"),
		Transport:      transport(cluster, lb),
	}
	e.setAddress(lb)
	e.setWorkload(lb)
	return e
}

// weight is that of an endpoint, 1 unless it has one.
func weight(lb *endpointv3.LbEndpoint) uint32 {
	return cmp.Or(lb.GetLoadBalancingWeight().GetValue(), 1)
}

func compareEndpoints(a, b Endpoint) int {
	return cmp.Or(
		cmp.Compare(a.Priority, b.Priority),
		cmp.Compare(a.Locality, b.Locality),
		cmp.Compare(a.Address, b.Address),
		cmp.Compare(a.Port, b.Port),
		cmp.Compare(a.Cluster, b.Cluster),
		cmp.Compare(a.Namespace, b.Namespace),
		cmp.Compare(a.Workload, b.Workload),
		cmp.Compare(a.Weight, b.Weight),
	)
}
