package istio

// CrossesNetworks reports whether the control plane tells ambient workloads of other
// networks (pilot/pkg/features/ambient.go).
func (i Istiod) CrossesNetworks() bool { return i.On(EnvAmbientMultiNetwork) && i.On(EnvAmbient) }

// isLocalScope reports whether proxies, sidecars too, are only given endpoints of their own
// cluster for a service, because ambient mode across networks is turned on and the service is
// not global: from 1.28.1 on (pilot/pkg/xds/endpoints/endpoint_builder.go, filterIstioEndpoint).
// What counts is the Service of the control plane's own cluster; of one that is only elsewhere
// it knows no scope (pilot/pkg/serviceregistry/ambient/multicluster.go).
func (v *View) isLocalScope(s *service) bool {
	return v.Istiod.CrossesNetworks() && !v.Istiod.Before("1.28.1") && s.cluster.local && s.definition.Spec.Type != "ExternalName" &&
		!v.isGlobal(s)
}

// isGlobal reports whether the mesh config makes a service global. A namespace that istiod does
// not see has no labels.
func (v *View) isGlobal(s *service) bool {
	ns := s.cluster.namespaces[s.namespace]
	return ns != nil && s.cluster.selects(s.namespace) && v.Mesh.IsGlobal(ns.Labels, s.definition.Labels)
}

// usesHBONE reports whether the source is given gateways of other networks as ambient proxies
// are: with ambient mode across networks turned on, from 1.29 on, every proxy that is not a
// sidecar (pilot/pkg/xds/endpoints/ep_filters.go).
func (b *builder) usesHBONE() bool {
	return b.source.Gateway && b.v.Istiod.CrossesNetworks() && !b.v.Istiod.Before("1.29.0")
}

// keptToNetwork is why a source is not given an endpoint of another network, with ambient
// mode across networks turned on: ingress gateways are given none unless a variable says so, waypoints
// unless one forbids it, and others, sidecars too, none without a gateway that suits them. "" for one that it is given.
func (b *builder) keptToNetwork(network string, gateways []Gateway) DropReason {
	if !b.v.Istiod.CrossesNetworks() || b.v.Istiod.Before("1.29.0") || b.source.inNetwork(network) {
		return ""
	}
	if b.source.IsIngress() && !b.v.Istiod.On(EnvAmbientIngress) || b.source.isWaypoint() && !b.v.Istiod.Setting(EnvAmbientWaypoint, true) {
		return StaysOnNetwork
	}
	if !b.v.Istiod.Before("1.30.0") {
		gateways = without(gateways, func(g Gateway) bool { return !b.source.reaches(g.Address) })
	}
	switch {
	case len(gateways) > 0:
		return ""
	case b.usesHBONE():
		return NoHBONEGate
	default:
		return NoSidecarGate
	}
}
