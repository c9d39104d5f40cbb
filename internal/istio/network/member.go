// Package network holds the rules behind mesh-network: whether the control
// planes, the pods and the gateways of a fleet agree on which network is which,
// and whether every network has a gateway that can work. Everything in it is pure.
package network

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// need is what has to have been read of a cluster.
type need uint

const (
	pods need = 1 << iota
	services
	namespaces
	nodes
	meshConfigs
	istiods
	remoteSecrets
	webhooks
	gateways
	kubernetesGateways
	workloadEntries
	serviceEntries
	networkPolicies
	injectorValues
)

// lacks says which of what is needed was not read, and why; nothing where all was.
func (m *member) lacks(n need) finding.Reason {
	for _, r := range []struct {
		need need
		why  finding.Reason
	}{
		{pods, lack("pods", resources.Pods.Of(m.Cluster))},
		{services, lack("services", resources.Services.Of(m.Cluster))},
		{namespaces, lack("namespaces", resources.Namespaces.Of(m.Cluster))},
		{nodes, lack("nodes", resources.Nodes.Of(m.Cluster))},
		{meshConfigs, lack("mesh configs", resources.MeshConfigs.Of(m.Cluster))},
		{istiods, lack("deployments", resources.Istiods.Of(m.Cluster))},
		{remoteSecrets, lack("remote secrets", resources.RemoteSecrets.Of(m.Cluster))},
		{webhooks, lack("mutatingwebhookconfigurations", resources.Webhooks.Of(m.Cluster))},
		{gateways, lack("gateways of networking.istio.io", resources.Gateways.Of(m.Cluster))},
		{kubernetesGateways, lack("gateways of gateway.networking.k8s.io", resources.KubernetesGateways.Of(m.Cluster))},
		{workloadEntries, lack("workloadentries", resources.WorkloadEntries.Of(m.Cluster))},
		{serviceEntries, lack("serviceentries", resources.ServiceEntries.Of(m.Cluster))},
		{networkPolicies, lack("networkpolicies", resources.NetworkPolicies.Of(m.Cluster))},
		{injectorValues, lack("values of the injector", resources.Injectors.Of(m.Cluster))},
	} {
		if n&r.need != 0 && r.why != nothing {
			return r.why
		}
	}
	return nothing
}

// nothing is the reason of what is known.
var nothing finding.Reason

// lack is why something was not read; nothing where it was.
func lack[T any](what string, r facts.Read[T]) finding.Reason {
	why, _ := rule.Lack(what, r)
	return why
}

// member is one cluster that was reached, as the rules see it.
type member struct {
	*facts.Cluster
	istiods []istio.Istiod
	// apart: it has nothing to do with the other clusters of the fleet, or with
	// a mesh at all.
	apart bool
	// doubt says why it is not known whether it has; nothing where it is.
	doubt finding.Reason

	// label is the network of the system namespace.
	label string
	// webhook is the network in the path of the injection webhook.
	webhook string
	// injected is the network that most sidecars were given.
	injected string
	// setting is the network that the injectors of the cluster give to new pods;
	// set says whether it is known, and the same for all of them.
	setting string
	set     bool
	// proxies are the pods with a proxy of the mesh, those of ztunnel excepted.
	proxies []*facts.Pod
	// gateways are the Services that are meant to be gateways of networks.
	gateways []*gateway
	// viewers are the control planes that read this cluster.
	viewers []*view

	namespaces map[string]*corev1.Namespace
}

func newMember(c *facts.Cluster) *member {
	m := &member{Cluster: c, istiods: istio.Istiods(c), namespaces: map[string]*corev1.Namespace{}}
	for i := range resources.Namespaces.Of(c).Value {
		ns := &resources.Namespaces.Of(c).Value[i]
		m.namespaces[ns.Name] = ns
		if ns.Name == c.SystemNamespace {
			m.label = ns.Labels[istio.LabelNetwork]
		}
	}
	m.webhook = webhookNetwork(c)
	m.setting, m.set = injectorNetwork(c, m.istiods)
	for i := range resources.Pods.Of(c).Value {
		if p := &resources.Pods.Of(c).Value[i]; isProxy(p) {
			m.proxies = append(m.proxies, p)
		}
	}
	return m
}

// countInjected finds the network that most sidecars were given. A gateway is
// often given one of its own, so that it counts only where there is nothing else.
func (m *member) countInjected() {
	gateways := map[*facts.Pod]bool{}
	for _, g := range m.gateways {
		for _, p := range g.pods {
			gateways[p] = true
		}
	}
	for _, counted := range []bool{false, true} {
		n := map[string]int{}
		for _, p := range m.proxies {
			if network := variable(p, istio.EnvProxyNetwork); network != "" && gateways[p] == counted {
				n[network]++
			}
		}
		if names := slices.SortedFunc(maps.Keys(n), func(a, b string) int { return cmp.Or(n[b]-n[a], strings.Compare(a, b)) }); len(names) > 0 {
			m.injected = names[0]
			return
		}
	}
}

// injectorNetwork is the network in the values of the injectors of a cluster; false
// where those of one are not known, or they differ.
func injectorNetwork(c *facts.Cluster, istiods []istio.Istiod) (network string, known bool) {
	for n, i := range istiods {
		values, ok := istio.InjectorValuesOf(c, i)
		if !ok || n > 0 && values.Global.Network != network {
			return "", false
		}
		network, known = values.Global.Network, true
	}
	return network, known
}

// values is evidence of the network in the values of the cluster's injectors.
func (m *member) values() finding.Evidence {
	return finding.Evidence{Field: "configmap " + m.SystemNamespace + "/" + m.istiods[0].InjectorConfigMap() + ", global.network", Value: orNone(m.setting)}
}

// unseen says why it is not known what the mesh networks say of the cluster;
// nothing where it is.
func (m *member) unseen() finding.Reason {
	for _, v := range m.viewers {
		if why := v.own.lacks(meshConfigs); why != nothing {
			return within(why, v.Context)
		}
	}
	return nothing
}

// homes are the networks that are said to be the cluster's own.
func (m *member) homes() []string {
	names := []string{m.label, m.webhook, m.injected, m.setting}
	for _, v := range m.viewers {
		names = append(names, v.registry(m)...)
	}
	return finding.Distinct(names)
}

// home is the network to name in a command: the one that the cluster most likely
// should have.
func (m *member) home() string {
	if homes := m.homes(); len(homes) > 0 {
		return cmp.Or(m.label, m.injected, m.webhook, m.setting, homes[0])
	}
	for _, g := range m.gateways {
		return g.network
	}
	return ""
}

// isProxy reports whether a pod that runs has a proxy of the mesh that sends
// requests for it. Where a network is told to ztunnel is another matter.
func isProxy(p *facts.Pod) bool { return runs(p) && istio.HasProxy(p) }

func runs(p *facts.Pod) bool {
	return p.Phase != corev1.PodSucceeded && p.Phase != corev1.PodFailed && p.Deleted.IsZero()
}

// variable is one of the proxy's, which can be an init container; "" for none.
func variable(p *facts.Pod, name string) (value string) {
	if proxy := p.Container(istio.ProxyContainer); proxy != nil {
		for _, e := range proxy.Env {
			if e.Name == name {
				value = e.Value
			}
		}
	}
	return value
}

// isAmbient reports whether ztunnel speaks for the pods of a namespace.
func isAmbient(ns *corev1.Namespace) bool {
	return ns != nil && ns.Labels[istio.LabelDataplaneMode] == "ambient"
}

// webhookNetwork is the network in the path of the injection webhook, which a
// remote cluster has: /inject/cluster/ID/net/NETWORK, with a slash in a value
// written --slash-- (pkg/kube/inject/webhook.go, parseInjectEnvs).
func webhookNetwork(c *facts.Cluster) string {
	for _, path := range istio.InjectionPaths(c) {
		parts := strings.Split(path, "/")
		at := slices.Index(parts, "inject")
		for i := at + 1; at >= 0 && i+1 < len(parts); i += 2 {
			if parts[i] == "net" && parts[i+1] != "" {
				return strings.ReplaceAll(parts[i+1], "--slash--", "/")
			}
		}
	}
	return ""
}
