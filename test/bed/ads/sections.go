package ads

import (
	"fmt"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// sections are the parts of a dump in the order of Envoy. They are made anew for
// each answer, which may change them.
func (a *Admin) sections(named func(string) bool, includeEndpoints bool) ([]proto.Message, error) {
	config := a.source.Config()
	node, err := config.Proxy.node()
	if err != nil {
		return nil, err
	}
	clusters, err := clustersSection(config, named)
	if err != nil {
		return nil, err
	}
	sections := []proto.Message{
		&adminv3.BootstrapConfigDump{
			Bootstrap:   &bootstrapv3.Bootstrap{Node: node},
			LastUpdated: timestamppb.New(a.started),
		},
		clusters,
	}
	if includeEndpoints {
		endpoints, err := endpointsSection(config, a.health.current(), named)
		if err != nil {
			return nil, err
		}
		sections = append(sections, endpoints)
	}
	listeners, err := listenersSection(config, named)
	if err != nil {
		return nil, err
	}
	routes, err := routesSection(config, named)
	if err != nil {
		return nil, err
	}
	return append(sections, listeners, routes), nil
}

func clustersSection(config *Config, named func(string) bool) (*adminv3.ClustersConfigDump, error) {
	dump := &adminv3.ClustersConfigDump{VersionInfo: config.versions[clusterType]}
	err := packEach(config.clusters, named, func(r resource, packed *anypb.Any) {
		dump.DynamicActiveClusters = append(dump.DynamicActiveClusters, &adminv3.ClustersConfigDump_DynamicCluster{
			VersionInfo: r.version,
			Cluster:     packed,
			LastUpdated: timestamppb.New(r.updated),
		})
	})
	return dump, err
}

func listenersSection(config *Config, named func(string) bool) (*adminv3.ListenersConfigDump, error) {
	dump := &adminv3.ListenersConfigDump{VersionInfo: config.versions[listenerType]}
	err := packEach(config.listeners, named, func(r resource, packed *anypb.Any) {
		dump.DynamicListeners = append(dump.DynamicListeners, &adminv3.ListenersConfigDump_DynamicListener{
			Name: r.name,
			ActiveState: &adminv3.ListenersConfigDump_DynamicListenerState{
				VersionInfo: r.version,
				Listener:    packed,
				LastUpdated: timestamppb.New(r.updated),
			},
		})
	})
	return dump, err
}

// routesSection holds the routes that were asked for, and as static ones those
// that are part of listeners.
func routesSection(config *Config, named func(string) bool) (*adminv3.RoutesConfigDump, error) {
	dump := &adminv3.RoutesConfigDump{}
	err := packEach(inlineRoutes(config), named, func(r resource, packed *anypb.Any) {
		dump.StaticRouteConfigs = append(dump.StaticRouteConfigs, &adminv3.RoutesConfigDump_StaticRouteConfig{
			RouteConfig: packed,
			LastUpdated: timestamppb.New(r.updated),
		})
	})
	if err != nil {
		return nil, err
	}
	err = packEach(config.routes, named, func(r resource, packed *anypb.Any) {
		dump.DynamicRouteConfigs = append(dump.DynamicRouteConfigs, &adminv3.RoutesConfigDump_DynamicRouteConfig{
			VersionInfo: r.version,
			RouteConfig: packed,
			LastUpdated: timestamppb.New(r.updated),
		})
	})
	return dump, err
}

// inlineRoutes are the routes that are part of listeners.
func inlineRoutes(config *Config) []resource {
	var routes []resource
	for _, r := range config.listeners {
		for _, manager := range connectionManagers(r.message.(*listenerv3.Listener)) {
			if route := manager.GetRouteConfig(); route != nil {
				routes = append(routes, resource{name: route.GetName(), updated: r.updated, message: route})
			}
		}
	}
	return routes
}

// packEach packs each resource that has such a name.
func packEach(resources []resource, named func(string) bool, add func(resource, *anypb.Any)) error {
	for _, r := range resources {
		if !named(r.name) {
			continue
		}
		packed, err := anypb.New(r.message)
		if err != nil {
			return fmt.Errorf("pack %s: %w", r.name, err)
		}
		add(r, packed)
	}
	return nil
}
