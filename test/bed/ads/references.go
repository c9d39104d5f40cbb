package ads

import (
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
)

// serviceNames are the names by which the clusters ask for their endpoints.
func serviceNames(clusters *subscription) []string {
	var names []string
	for _, r := range clusters.resources() {
		if cluster := r.message.(*clusterv3.Cluster); isEDS(cluster) {
			names = append(names, serviceName(cluster))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// isEDS reports whether the endpoints of a cluster are a resource of their own.
func isEDS(cluster *clusterv3.Cluster) bool {
	return cluster.GetType() == clusterv3.Cluster_EDS
}

// serviceName is the name by which a cluster asks for its endpoints.
func serviceName(cluster *clusterv3.Cluster) string {
	if name := cluster.GetEdsClusterConfig().GetServiceName(); name != "" {
		return name
	}
	return cluster.GetName()
}

// routeNames are the names by which the listeners ask for their routes.
func routeNames(listeners *subscription) []string {
	var names []string
	for _, r := range listeners.resources() {
		for _, manager := range connectionManagers(r.message.(*listenerv3.Listener)) {
			if name := manager.GetRds().GetRouteConfigName(); name != "" {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// connectionManagers are the HTTP filters of a listener, one for each of its
// filter chains that speaks HTTP.
func connectionManagers(listener *listenerv3.Listener) []*hcmv3.HttpConnectionManager {
	var managers []*hcmv3.HttpConnectionManager
	chains := listener.GetFilterChains()
	if chain := listener.GetDefaultFilterChain(); chain != nil {
		chains = append(slices.Clone(chains), chain)
	}
	for _, chain := range chains {
		for _, filter := range chain.GetFilters() {
			manager := &hcmv3.HttpConnectionManager{}
			if packed := filter.GetTypedConfig(); packed.MessageIs(manager) && packed.UnmarshalTo(manager) == nil {
				managers = append(managers, manager)
			}
		}
	}
	return managers
}
