package istio

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
)

// Source is a proxy as istiod knows it: who asks for endpoints.
type Source struct {
	Cluster   string
	Network   string // ISTIO_META_NETWORK, and nothing else
	Namespace string
	Labels    map[string]string // those of the pod, with those of the place
	Locality  Locality
	Addresses []string
	Node      string
	// NetworkView are the networks that it asks for; all where there are none.
	NetworkView []string
	// Gateway: it is a gateway, and no sidecar.
	Gateway bool
}

// SourceOf is the sidecar of a pod. Its network is what the injector wrote into
// its environment, whatever its labels say
// (pilot/pkg/model/context.go, NodeMetadata; pilot/pkg/xds/ads.go, setTopologyLabels).
// ok is false where there is no such pod.
func (v *View) SourceOf(cluster, namespace, pod string) (s Source, ok bool) {
	m := v.member(cluster)
	if m == nil || m.pods[namespace+"/"+pod] == nil {
		return Source{}, false
	}
	p := m.pods[namespace+"/"+pod]
	env := ProxyEnvOf(p)
	s = Source{
		Cluster: cmp.Or(env[EnvProxyClusterID], cluster), Network: env[EnvProxyNetwork], Namespace: namespace,
		Locality: ParseLocality(m.locality(p)), Node: p.Node, Addresses: p.IPs,
	}
	if view := env[EnvProxyNetworkView]; view != "" {
		s.NetworkView = strings.Split(view, ",")
	}
	s.Gateway = IsGateway(p)
	s.Labels = placed{p.Labels, cluster, m.locality(p), s.Node, cmp.Or(v.podNetwork(m, p).Name, s.Network)}.all()
	return s, true
}

// IsGateway reports whether the proxy of a pod is a gateway's and stands for no workload: one between
// networks, one of the Gateway API, or any that is injected by the template of gateways or comes from
// their chart. Only sidecars have the label that says how they take mutual TLS
// (manifests/charts/istio-control/istio-discovery/files, injection-template.yaml and
// gateway-injection-template.yaml).
func IsGateway(p *facts.Pod) bool {
	return ProxyEnvOf(p)[EnvProxyNetworkView] != "" || p.Labels[LabelGatewayName] != "" || HasEnvoy(p) && p.Labels[LabelTLSMode] == ""
}

// Labels of gateways that istiod takes for ingress gateways.
const (
	managedIngress    = "istio.io-gateway-controller"
	labelIstio        = "istio"
	istioIngressValue = "ingressgateway"
)

// IsIngress reports whether istiod takes the source for an ingress gateway: one that it deploys
// for a Gateway, or one with the label of Istio's own (pilot/pkg/model/context.go, IsIngressGateway).
func (s Source) IsIngress() bool {
	return s.Gateway && (s.Labels[LabelGatewayManaged] == managedIngress || s.Labels[labelIstio] == istioIngressValue)
}

// isWaypoint reports whether istiod takes the source for a waypoint (pilot/pkg/model/context.go,
// IsWaypointProxy).
func (s Source) isWaypoint() bool {
	return s.Gateway && s.Labels[LabelGatewayManaged] == ManagedWaypoint
}

// inNetwork reports whether a network counts as the source's own
// (pilot/pkg/model/context.go, InNetwork): one that is not known is everyone's.
func (s Source) inNetwork(network string) bool {
	return network == "" || s.Network == "" || network == s.Network
}

// views reports whether the source wants to know of a network (pilot/pkg/model/proxy_view.go).
func (s Source) views(network string) bool {
	return len(s.NetworkView) == 0 || network == "" || slices.Contains(s.NetworkView, network)
}

// reaches reports whether the source has an address of the same family as a
// gateway (pilot/pkg/xds/endpoints/ep_filters.go, filterGatewaysByIPFamily).
func (s Source) reaches(address string) bool {
	v4, v6 := false, false
	for _, a := range s.Addresses {
		if ip, err := netip.ParseAddr(a); err == nil {
			v4, v6 = v4 || ip.Is4(), v6 || ip.Is6()
		}
	}
	if v4 == v6 {
		return true
	}
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	if ip.Unmap().Is4() {
		return v4
	}
	return v6
}
