package endpoints

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// world is what paths are judged from: the clusters, and what their control planes
// make of them.
type world struct {
	fleet    *facts.Fleet
	clusters []*cluster
	by       map[string]*cluster // by context
	// hostnames of gateways that were not resolved, by the addresses that stand for them.
	hostnames map[string]string
}

// address is an address as a person knows it.
func (w *world) address(a string) string { return cmp.Or(w.hostnames[a], a) }

// ambient reports whether the cluster has ztunnels: what has no sidecar there may be
// in ambient mode.
func (c *cluster) ambient() bool {
	return slices.ContainsFunc(resources.Pods.Of(c.Cluster).Value, func(p facts.Pod) bool { return p.Labels["app"] == istio.ZtunnelName })
}

// onIPv6 reports whether pods of the cluster have no IPv4 addresses.
func (c *cluster) onIPv6() bool {
	six := false
	for i := range resources.Pods.Of(c.Cluster).Value {
		for _, ip := range resources.Pods.Of(c.Cluster).Value[i].IPs {
			if !strings.Contains(ip, ":") {
				return false
			}
			six = true
		}
	}
	return six
}

// cluster is one cluster that was reached.
type cluster struct {
	*facts.Cluster
	// view is that of the control plane that directs its proxies; nil for none.
	view       *view
	services   map[string]*corev1.Service
	slices     map[string][]*discoveryv1.EndpointSlice // by service
	namespaces map[string]*corev1.Namespace
	pods       map[string]*facts.Pod
	// networks are those that its sidecars were told to be on, and proxies the
	// sidecars by network and namespace.
	networks []string
	proxies  map[string]map[string]*facts.Pod
	// apart: no other cluster of the fleet has to do with it.
	apart       bool
	sources     memo[[2]string, source] // by network and namespace
	byNamespace memo[string, []string]  // keys of pods
}

// view is what one control plane makes of the fleet.
type view struct {
	*istio.View
	ids     map[string]string // its names for the clusters, by context
	watched map[string]istio.Watched
	ignored []istio.Ignored
	// gateways are those of all networks, and candidates what they are made from.
	gateways   []istio.Gateway
	candidates []istio.Candidate
	// several: the clusters that it reads are on more than one network.
	several bool
	unread  map[string][]unread // by context: what is not known of it
}

// unread is a part of a cluster that was not read, and why.
type unread struct {
	part   istio.Part
	reason finding.Reason
}

// source is a proxy whose requests are judged.
type source struct {
	Source
	proxy istio.Source
	env   map[string]string
}

func newWorld(fleet *facts.Fleet, options Options) *world {
	w := &world{fleet: fleet, by: map[string]*cluster{}, hostnames: map[string]string{}}
	for i := range fleet.Clusters {
		if c := &fleet.Clusters[i]; c.Unreached == nil {
			m := newCluster(c)
			w.clusters, w.by[c.Context] = append(w.clusters, m), m
		}
	}
	var views []*view
	for _, v := range istio.Views(fleet) {
		if w.by[v.Context] == nil {
			continue
		}
		v.Hosts = options.Hosts
		v, names := v.StandIn(w.by[v.Context].onIPv6())
		maps.Copy(w.hostnames, names)
		views = append(views, w.newView(v))
	}
	for _, c := range w.clusters {
		for _, v := range views {
			if v.Context == c.Context {
				c.view = v
				break
			}
		}
		if c.view != nil || !resources.Istiods.Of(c.Cluster).Known() {
			continue
		}
		for _, v := range views {
			if v.ids[c.Context] != "" {
				c.view = v
				break
			}
		}
		if c.view == nil {
			c.view = w.meantFor(c, views)
		}
	}
	w.findApart(views)
	return w
}

// meantFor is the control plane of a remote cluster that none reads: the one that its system
// namespace names, or the only one (pilot/pkg/serviceregistry/kube/controller/multicluster.go,
// checkShouldLead). A cluster that injects nothing is none of a mesh.
func (w *world) meantFor(c *cluster, views []*view) *view {
	if !resources.Webhooks.Of(c.Cluster).Known() || len(resources.Webhooks.Of(c.Cluster).Value) == 0 {
		return nil
	}
	primaries := map[string]*view{}
	for _, v := range views {
		if primaries[v.Context] == nil {
			primaries[v.Context] = v
		}
	}
	named := ""
	if ns := c.namespaces[c.SystemNamespace]; ns != nil {
		named = ns.Annotations[istio.AnnotationControlPlanes]
	}
	for _, v := range views {
		if len(primaries) == 1 || slices.Contains(strings.Split(named, ","), v.Istiod.ClusterID()) {
			return v
		}
	}
	return nil
}

func newCluster(c *facts.Cluster) *cluster {
	m := &cluster{
		Cluster: c, services: map[string]*corev1.Service{}, slices: map[string][]*discoveryv1.EndpointSlice{}, namespaces: map[string]*corev1.Namespace{},
		pods: map[string]*facts.Pod{}, proxies: map[string]map[string]*facts.Pod{},
	}
	for i := range resources.Namespaces.Of(c).Value {
		m.namespaces[resources.Namespaces.Of(c).Value[i].Name] = &resources.Namespaces.Of(c).Value[i]
	}
	for i := range resources.Services.Of(c).Value {
		s := &resources.Services.Of(c).Value[i]
		m.services[s.Namespace+"/"+s.Name] = s
	}
	for i := range resources.EndpointSlices.Of(c).Value {
		s := &resources.EndpointSlices.Of(c).Value[i]
		if name := s.Labels[discoveryv1.LabelServiceName]; name != "" {
			m.slices[s.Namespace+"/"+name] = append(m.slices[s.Namespace+"/"+name], s)
		}
	}
	for i := range resources.Pods.Of(c).Value {
		p := &resources.Pods.Of(c).Value[i]
		m.pods[p.Namespace+"/"+p.Name] = p
		if !isClient(p) {
			continue
		}
		network := istio.ProxyEnvOf(p)[istio.EnvProxyNetwork]
		if m.proxies[network] == nil {
			m.proxies[network] = map[string]*facts.Pod{}
		}
		if first := m.proxies[network][p.Namespace]; first == nil || p.Name < first.Name {
			m.proxies[network][p.Namespace] = p
		}
	}
	m.networks = slices.Sorted(maps.Keys(m.proxies))
	return m
}

// isClient reports whether a pod has a sidecar, and is no gateway.
func isClient(p *facts.Pod) bool {
	return isProxy(p) && p.Labels[istio.LabelTLSMode] != "" && !istio.IsGateway(p)
}

// isProxy reports whether a pod has an Envoy that a control plane should direct.
func isProxy(p *facts.Pod) bool {
	return (p.Phase == corev1.PodRunning || p.Phase == corev1.PodPending || p.Phase == "") && istio.HasEnvoy(p)
}

func (w *world) newView(iv *istio.View) *view {
	v := &view{View: iv, ids: map[string]string{}, watched: map[string]istio.Watched{}, unread: map[string][]unread{}}
	watched, ignored := iv.Clusters()
	v.ignored = ignored
	contexts := map[string]string{}
	for _, c := range watched {
		if _, ok := v.watched[c.Context]; c.Context != "" && !ok {
			v.ids[c.Context], v.watched[c.Context] = c.ID, c
		}
		contexts[c.ID] = cmp.Or(c.Context, c.ID)
	}
	for _, u := range iv.Unread() {
		context, reason := contexts[u.Cluster], rule.Unread(u.What, u.State, u.Why)
		if u.Part == istio.PartEverything {
			reason.Kind = finding.Unreached
		}
		v.unread[context] = append(v.unread[context], unread{u.Part, reason})
	}
	v.gateways, v.candidates = iv.Gateways(), iv.Candidates()
	networks := map[string]bool{}
	for _, g := range v.candidates {
		networks[g.Network] = true
	}
	for context := range v.ids {
		c := w.by[context]
		if c == nil {
			continue
		}
		if ns := c.namespaces[iv.Istiod.Namespace]; ns != nil {
			networks[ns.Labels[istio.LabelNetwork]] = true
		}
		for _, n := range c.networks {
			networks[n] = true
		}
	}
	for name := range iv.MeshNetworks.Networks {
		networks[name] = true
	}
	delete(networks, "")
	v.several = len(networks) > 1
	return v
}

// findApart finds the clusters that neither read nor are read by another one: they
// were named by mistake, or have no mesh.
func (w *world) findApart(views []*view) {
	for _, c := range w.clusters {
		c.apart = len(w.clusters) > 1 && resources.Istiods.Of(c.Cluster).Known()
		for _, v := range views {
			if v.Context == c.Context && (len(v.ids) > 1 || len(v.ignored) > 0) || v.Context != c.Context && v.ids[c.Context] != "" {
				c.apart = false
			}
		}
		for _, o := range w.clusters {
			if o != c && (!resources.Istiods.Of(o.Cluster).Known() || !resources.RemoteSecrets.Of(o.Cluster).Known()) || !resources.RemoteSecrets.Of(c.Cluster).Known() {
				c.apart = false
			}
		}
		if c.view != nil && c.view.Context != c.Context {
			c.apart = false
		}
		for _, o := range w.clusters {
			if o.view != nil && o.view.Context == c.Context && o != c {
				c.apart = false
			}
		}
		for _, o := range w.clusters { // its secret for another cluster may be what is missing
			for _, s := range resources.RemoteSecrets.Of(o.Cluster).Value {
				if o != c && s.ClusterID != "" && s.ClusterID == istio.ClusterID(c.Cluster) {
					c.apart = false
				}
			}
		}
	}
}

// sourcesOf are the proxies of a cluster that stand for all others: of each network
// one, of the service's namespace where there is one.
func (w *world) sourcesOf(c *cluster, namespace string) []source {
	if c.view == nil {
		return []source{{Source: Source{Cluster: c.Context}}}
	}
	networks := c.networks
	if len(networks) == 0 {
		return []source{c.assumed(namespace)}
	}
	var out []source
	for _, network := range networks {
		out = append(out, c.sources.get([2]string{network, namespace}, func() source { return c.newSource(network, namespace) }))
	}
	return out
}

func (c *cluster) newSource(network, namespace string) source {
	proxies := c.proxies[network]
	pod := proxies[namespace]
	if pod == nil {
		names := slices.Sorted(maps.Keys(proxies))
		at := max(0, slices.IndexFunc(names, func(ns string) bool { return ns != c.SystemNamespace }))
		pod = proxies[names[at]]
	}
	found, ok := c.view.SourceOf(c.view.ids[c.Context], pod.Namespace, pod.Name)
	if !ok { // its namespace is hidden by discovery selectors
		s := c.assumed(pod.Namespace)
		s.Network, s.proxy.Network = network, network
		return s
	}
	return source{Source: Source{Cluster: c.Context, Network: network, Pod: key(pod.Namespace, pod.Name)}, proxy: found, env: istio.ProxyEnvOf(pod)}
}

// assumed is a proxy as the injector would make it, in a cluster that has none yet.
func (c *cluster) assumed(namespace string) source {
	network := ""
	if ns := c.namespaces[c.SystemNamespace]; ns != nil {
		network = ns.Labels[istio.LabelNetwork]
	}
	return source{
		Source: Source{Cluster: c.Context, Network: network},
		proxy:  istio.Source{Cluster: c.view.ids[c.Context], Network: network, Namespace: namespace, Labels: map[string]string{}},
	}
}

// key names a service.
func key(namespace, name string) string { return namespace + "/" + name }

// shared are the services that more than one cluster has, those that every cluster
// has of its own excepted.
func (w *world) shared(options Options) []string {
	count := map[string]int{}
	for _, c := range w.clusters {
		if c.apart {
			continue
		}
		for k, s := range c.services {
			if options.wants(s) && !c.ownEverywhere(s) {
				count[k]++
			}
		}
	}
	var out []string
	for k, n := range count {
		if n > 1 {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// ownEverywhere reports whether a Service is one that each cluster has for itself:
// of Kubernetes, of the control plane, or a gateway.
func (c *cluster) ownEverywhere(s *corev1.Service) bool {
	switch {
	case strings.HasPrefix(s.Namespace, "kube-"), s.Namespace == c.SystemNamespace, s.Namespace == "default" && s.Name == "kubernetes":
		return true
	}
	return s.Labels[istio.LabelNetwork] != ""
}
