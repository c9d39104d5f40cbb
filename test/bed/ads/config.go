package ads

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
)

// Config is all that a proxy was told at one moment. Nobody may change what it
// returns.
type Config struct {
	// Proxy is who was told.
	Proxy Proxy

	// Version is what istiod calls the state that the clusters are from.
	Version string

	clusters    []resource
	assignments []resource
	listeners   []resource
	routes      []resource
	// versions are the versions of whole types.
	versions map[string]string
}

// Config returns itself, so that what serves the newest configuration of a
// connection can serve a fixed one as well.
func (c *Config) Config() *Config { return c }

// Clusters are the clusters as they were received, by name.
func (c *Config) Clusters() []*clusterv3.Cluster {
	return messages[*clusterv3.Cluster](c.clusters)
}

// Assignments are the endpoints of EDS clusters as they were received, by name.
func (c *Config) Assignments() []*endpointv3.ClusterLoadAssignment {
	return messages[*endpointv3.ClusterLoadAssignment](c.assignments)
}

// Listeners are the listeners as they were received, by name.
func (c *Config) Listeners() []*listenerv3.Listener {
	return messages[*listenerv3.Listener](c.listeners)
}

// Routes are the routes as they were received, by name.
func (c *Config) Routes() []*routev3.RouteConfiguration {
	return messages[*routev3.RouteConfiguration](c.routes)
}

// messages returns the content of resources of one type.
func messages[M proto.Message](resources []resource) []M {
	all := make([]M, len(resources))
	for i, r := range resources {
		all[i] = r.message.(M)
	}
	return all
}

// cluster returns the cluster of that name, or nil.
func (c *Config) cluster(name string) *clusterv3.Cluster {
	for _, cluster := range c.Clusters() {
		if cluster.GetName() == name {
			return cluster
		}
	}
	return nil
}

// assignment returns the endpoints of a cluster: those that were sent for it, or
// those within its own definition. It is nil if there are none to be found.
func (c *Config) assignment(cluster *clusterv3.Cluster) *endpointv3.ClusterLoadAssignment {
	if !isEDS(cluster) {
		return cluster.GetLoadAssignment()
	}
	name := serviceName(cluster)
	for _, assignment := range c.assignments {
		if assignment.name == name {
			return assignment.message.(*endpointv3.ClusterLoadAssignment)
		}
	}
	return nil
}
