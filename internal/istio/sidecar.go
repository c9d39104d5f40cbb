package istio

import (
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// hiddenBy is the Sidecar that keeps a service or its port from a sidecar; nil where
// none does. Sidecars are those of the control plane's own cluster
// (pilot/pkg/model/sidecar.go, selectServices; push_context.go, getSidecarScope).
// What the control plane knows by a VirtualService counts as known.
func (v *View) hiddenBy(source Source, s *service, port int) *api.Sidecar {
	scope := v.sidecarOf(source)
	if scope == nil || len(scope.Spec.Egress) == 0 {
		return nil
	}
	for _, listener := range scope.Spec.Egress {
		if listener.Port != nil && listener.Port.Number != 0 && int(listener.Port.Number) != port {
			continue
		}
		if imports(listener.Hosts, source.Namespace, s) {
			return nil
		}
	}
	if v.routing.targets[s.host] {
		return nil
	}
	return scope
}

// sidecarOf is the Sidecar of a proxy: the oldest of its namespace that selects it, those
// with a selector first, else that of the root namespace; nil for none. Gateways have none.
func (v *View) sidecarOf(source Source) *api.Sidecar {
	if source.Gateway {
		return nil
	}
	var whole, root *api.Sidecar
	for _, s := range v.sidecars {
		selector := s.Spec.WorkloadSelector
		if selector != nil && s.Namespace == source.Namespace && subsetOf(selector.Labels, source.Labels) {
			return s
		}
		if selector == nil && s.Namespace == source.Namespace && whole == nil {
			whole = s
		}
		if selector == nil && s.Namespace == v.Mesh.RootNamespace && root == nil {
			root = s
		}
	}
	if whole != nil {
		return whole
	}
	return root
}

// ownSidecars are those that the control plane reads, the oldest first.
func (v *View) ownSidecars() []*api.Sidecar {
	own := v.own()
	if own == nil {
		return nil
	}
	var out []*api.Sidecar
	for i := range resources.Sidecars.Of(own.facts).Value {
		if s := &resources.Sidecars.Of(own.facts).Value[i]; own.selects(s.Namespace) && v.Istiod.Reads(s.Labels) {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b *api.Sidecar) int { return byAge(&a.ObjectMeta, &b.ObjectMeta) })
	return out
}

// imports reports whether hosts, each namespace/host, name a service. A namespace
// that is named decides before "*", unless it does not have the host.
func imports(hosts []string, client string, s *service) bool {
	found := false
	for _, entry := range hosts {
		ns, host, ok := strings.Cut(entry, "/")
		if !ok {
			continue
		}
		ns, excluded := strings.CutPrefix(ns, exportedToNobody)
		switch {
		case excluded && ns == "":
			ns = exportedToEveryone
		case ns == exportedToNamespace:
			ns = client
		}
		if ns != exportedToEveryone && ns != s.namespace || !covers(host, s.host) {
			continue
		}
		if excluded {
			return false
		}
		found = true
	}
	return found
}

// covers reports whether a host, or a wildcard, stands for a host.
func covers(pattern, host string) bool {
	if suffix, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasSuffix(host, suffix)
	}
	return pattern == host
}
