package endpoints

import (
	"cmp"
	"slices"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
)

// source is a proxy that sends requests.
type source struct {
	Source
	proxy istio.Source
	env   map[string]string
	// routes are those of a gateway, by the host to which they lead.
	routes map[string][]istio.RoutedTo
	// unread: it is an ingress gateway without a VirtualService. Its routes are those of the Gateway
	// API, which are not read.
	unread bool
}

// sourceKey names the proxy that stands for those of a cluster, network and namespace.
type sourceKey struct {
	cluster            *model.Cluster
	network, namespace string
}

// clientsOf are the proxies of a cluster that stand for all others that may ask for a service:
// sidecars, and the gateways with a route to it.
func (e *evaluator) clientsOf(c *model.Cluster, s service) []source {
	var out []source
	if !s.single || e.asked || s.in(c) != nil || e.managedBy[c] == nil || e.answersDNS(c) {
		namespace := cmp.Or(s.from, s.namespace)
		ambient, ok := e.ambientSource(c, namespace)
		if ok {
			out = append(out, ambient)
		}
		if !ok || len(c.ClientNetworks()) > 0 {
			out = append(out, e.sourcesOf(c, namespace)...)
		}
	}
	host := istio.Host(s.namespace, s.name)
	for _, g := range e.gatewayClients(c) {
		if len(g.routes[host]) > 0 || g.unread && (e.asked || e.isKept(c, s)) {
			out = append(out, g)
		}
	}
	return out
}

// isKept reports whether a gateway of a cluster that has a route to a service may get no endpoint of
// it, as ambient mode across networks is turned on and the cluster has no endpoint itself.
func (e *evaluator) isKept(c *model.Cluster, s service) bool {
	cp := e.managedBy[c]
	if !cp.Istiod.CrossesNetworks() || cp.Istiod.Before("1.28.1") || s.in(c) == nil {
		return false
	}
	return !slices.ContainsFunc(c.Slices(s.namespace, s.name), func(slice *discoveryv1.EndpointSlice) bool { return len(slice.Endpoints) > 0 })
}

// gatewayClients are the gateways of a cluster that are clients; none of one that nobody manages.
func (e *evaluator) gatewayClients(c *model.Cluster) []source {
	if e.managedBy[c] == nil {
		return nil
	}
	return e.clients.get(c, func() []source { return e.findGatewayClients(c) })
}

// findGatewayClients are the gateways of a cluster that take requests from outside of the mesh,
// or of its pods: one proxy of each workload, the first by name. Gateways between networks and
// waypoints are not among them.
func (e *evaluator) findGatewayClients(c *model.Cluster) []source {
	cp := e.managedBy[c]
	first := map[istio.WorkloadRef]*facts.Pod{}
	var workloads []istio.WorkloadRef
	for _, p := range c.ProxyPods() {
		w := istio.WorkloadOf(p)
		if first[w] != nil && p.Name >= first[w].Name {
			continue
		}
		if model.IsWaypoint(p) || c.IsGatewayPod(p) || !model.NeedsConfig(p) || model.Variable(p, istio.EnvProxyNetworkView) != "" {
			continue
		}
		if first[w] == nil {
			workloads = append(workloads, w)
		}
		first[w] = p
	}
	slices.SortFunc(workloads, func(a, b istio.WorkloadRef) int { return strings.Compare(a.String(), b.String()) })
	var out []source
	for _, w := range workloads {
		p := first[w]
		proxy, ok := cp.Prediction().SourceOf(cp.IDOf(c), p.Namespace, p.Name)
		if !ok {
			continue
		}
		routes := map[string][]istio.RoutedTo{}
		for _, r := range cp.Prediction().GatewayRoutes(proxy) {
			routes[r.Host] = append(routes[r.Host], r)
		}
		unread := len(routes) == 0 && proxy.IsIngress()
		if !unread && len(routes) == 0 {
			continue
		}
		out = append(out, source{
			Source: Source{Cluster: c.Context, Network: proxy.Network, Pod: key(p.Namespace, p.Name), Gateway: true},
			proxy:  proxy, env: istio.ProxyEnvOf(p), routes: routes, unread: unread,
		})
	}
	return out
}

// sourcesOf are the proxies of a cluster that stand for all others: of each network
// one, of the service's namespace where there is one.
func (e *evaluator) sourcesOf(c *model.Cluster, namespace string) []source {
	if e.managedBy[c] == nil {
		return []source{{Source: Source{Cluster: c.Context}}}
	}
	networks := c.ClientNetworks()
	if len(networks) == 0 {
		return []source{e.assumed(c, namespace)}
	}
	var out []source
	for _, network := range networks {
		k := sourceKey{c, network, namespace}
		out = append(out, e.sources.get(k, func() source { return e.newSource(k) }))
	}
	return out
}

func (e *evaluator) newSource(k sourceKey) source {
	cp, pod := e.managedBy[k.cluster], k.cluster.Client(k.network, k.namespace)
	found, ok := cp.Prediction().SourceOf(cp.IDOf(k.cluster), pod.Namespace, pod.Name)
	if !ok { // its namespace is hidden by discovery selectors
		s := e.assumed(k.cluster, pod.Namespace)
		s.Network, s.proxy.Network = k.network, k.network
		return s
	}
	return source{
		Source: Source{Cluster: k.cluster.Context, Network: k.network, Pod: key(pod.Namespace, pod.Name)},
		proxy:  found, env: istio.ProxyEnvOf(pod),
	}
}

// assumed is a proxy as the injector would make it, in a cluster that has none yet.
func (e *evaluator) assumed(c *model.Cluster, namespace string) source {
	network := c.ClientNetwork()
	return source{
		Source: Source{Cluster: c.Context, Network: network},
		proxy: istio.Source{
			Cluster: e.managedBy[c].IDOf(c), Network: network, Namespace: namespace, Labels: map[string]string{},
		},
	}
}
