package ads

import (
	"slices"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// RouteTarget is where a proxy sends requests of a route.
type RouteTarget struct {
	Service
	// Conditional: only those that have a certain path or header, or the like.
	Conditional bool
}

// RouteTargets are where the proxy sends HTTP requests for a domain, by a route configuration of
// that name; "" is any of either. A target that is reached under a condition and without one
// counts once, without. ok is false where nothing is said of the domain.
func (c *Config) RouteTargets(configuration, domain string) (targets []RouteTarget, ok bool) {
	for _, r := range c.Routes() {
		if configuration != "" && r.GetName() != configuration {
			continue
		}
		for _, host := range r.GetVirtualHosts() {
			if domain != "" && !slices.Contains(host.GetDomains(), domain) {
				continue
			}
			ok = true
			for _, route := range host.GetRoutes() {
				targets = withTargets(targets, route)
			}
		}
	}
	return targets, ok
}

// withTargets adds the targets of a route.
func withTargets(targets []RouteTarget, route *routev3.Route) []RouteTarget {
	names := []string{route.GetRoute().GetCluster()}
	for _, w := range route.GetRoute().GetWeightedClusters().GetClusters() {
		names = append(names, w.GetName())
	}
	for _, name := range names {
		service, ok := parseClusterName(name)
		if !ok {
			continue
		}
		target := RouteTarget{Service: service, Conditional: !takesAll(route.GetMatch())}
		at := slices.IndexFunc(targets, func(t RouteTarget) bool { return t.Service == service })
		if at < 0 {
			targets = append(targets, target)
		} else {
			targets[at].Conditional = targets[at].Conditional && target.Conditional
		}
	}
	return targets
}

// takesAll reports whether every request matches.
func takesAll(m *routev3.RouteMatch) bool {
	return m.GetPrefix() == "/" && len(m.GetHeaders()) == 0 && len(m.GetQueryParameters()) == 0 && m.GetRuntimeFraction() == nil
}
