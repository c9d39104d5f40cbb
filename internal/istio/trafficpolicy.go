package istio

import (
	"cmp"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// subset returns a subset by its name.
func (r *mergedRule) subset(name string) (api.Subset, bool) {
	if r == nil || name == "" {
		return api.Subset{}, false
	}
	i := slices.IndexFunc(r.spec.Subsets, func(s api.Subset) bool { return s.Name == name })
	if i < 0 {
		return api.Subset{}, false
	}
	return r.spec.Subsets[i], true
}

// tlsMode is the mode that a rule sets for a port of a subset; set is false where
// it sets none, and the mesh decides (pilot/pkg/xds/endpoints/mtls_checker.go,
// tlsModeForDestinationRule). A subset that the rule does not have has none.
func (r *mergedRule) tlsMode(subset string, port int) (mode string, set bool) {
	if tls := r.tls(subset, port); tls != nil {
		return cmp.Or(tls.Mode, api.MTLSDisable), true
	}
	return "", false
}

// tls is how a rule says to connect to a port of a subset; nil where it says nothing.
func (r *mergedRule) tls(subset string, port int) *api.ClientTLS {
	if r == nil {
		return nil
	}
	if subset != "" {
		s, ok := r.subset(subset)
		if !ok {
			return nil
		}
		if tls := tlsOf(s.TrafficPolicy, port); tls != nil {
			return tls
		}
	}
	return tlsOf(r.spec.TrafficPolicy, port)
}

// tlsOfPort reports whether tlsMode comes from settings of the port alone.
func (r *mergedRule) tlsOfPort(subset string, port int) bool {
	of := func(p *api.TrafficPolicy) (set, ofPort bool) {
		return tlsOf(p, port) != nil, p != nil && slices.ContainsFunc(p.PortLevelSettings, func(s api.PortTrafficPolicy) bool {
			return s.Port != nil && int(s.Port.Number) == port && s.TLS != nil
		})
	}
	if s, ok := r.subset(subset); ok {
		if set, ofPort := of(s.TrafficPolicy); set {
			return ofPort
		}
	}
	_, ofPort := of(r.spec.TrafficPolicy)
	return ofPort
}

func tlsOf(p *api.TrafficPolicy, port int) *api.ClientTLS {
	if p == nil {
		return nil
	}
	for _, s := range p.PortLevelSettings {
		if s.Port != nil && int(s.Port.Number) == port && s.TLS != nil {
			return s.TLS
		}
	}
	return p.TLS
}

// policy is the traffic policy of a port of a subset
// (pilot/pkg/networking/util/util.go, MergeSubsetTrafficPolicy). Settings of a port
// replace those of the service, and what they leave out is not set.
func (r *mergedRule) policy(subset string, port int) api.TrafficPolicy {
	if r == nil {
		return api.TrafficPolicy{}
	}
	out, _, any := portPolicy(r.spec.TrafficPolicy, port)
	s, ok := r.subset(subset)
	if !ok || s.TrafficPolicy == nil {
		return out
	}
	own, whole, _ := portPolicy(s.TrafficPolicy, port)
	if !any || whole {
		return own
	}
	if own.LoadBalancer != nil {
		out.LoadBalancer = own.LoadBalancer
	}
	if own.OutlierDetection != nil {
		out.OutlierDetection = own.OutlierDetection
	}
	return out
}

// portPolicy is a policy for a port: whole where it is that of the port alone, any where there is one.
func portPolicy(p *api.TrafficPolicy, port int) (out api.TrafficPolicy, whole, any bool) {
	if p == nil {
		return out, false, false
	}
	for _, s := range p.PortLevelSettings {
		if s.Port != nil && int(s.Port.Number) == port {
			return api.TrafficPolicy{LoadBalancer: s.LoadBalancer, OutlierDetection: s.OutlierDetection}, true, true
		}
	}
	return api.TrafficPolicy{LoadBalancer: p.LoadBalancer, OutlierDetection: p.OutlierDetection}, false, true
}
