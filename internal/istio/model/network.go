package model

import (
	"cmp"
	"maps"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Network is what says on which network a cluster is. Each of the fields is "" where it
// says nothing.
type Network struct {
	// Namespace is the label of the system namespace, which decides for all pods that
	// have no label of their own.
	Namespace string
	// Pods is what most sidecars were given when they were injected. Gateways are often
	// given a network of their own: they decide only where there is nothing else.
	Pods string
	// InjectionPath is in the path of the injection webhook of a remote cluster.
	InjectionPath string
	// Injector is in the values of the cluster's injectors, which give it to new pods.
	// InjectorKnown says whether it is known, and the same for all of them.
	Injector      string
	InjectorKnown bool
	// MeshNetworks are those that the meshNetworks of control planes that watch the
	// cluster give it, sorted.
	MeshNetworks []string
	// Gateway is that of the first gateway between networks in the cluster.
	Gateway string
}

// Homes are the networks that are said to be the cluster's own, sorted.
func (n Network) Homes() []string {
	return distinct(append([]string{n.Namespace, n.InjectionPath, n.Pods, n.Injector}, n.MeshNetworks...))
}

// Home is the network that the cluster most likely should have; "" where nothing says it.
func (n Network) Home() string {
	first := ""
	if len(n.MeshNetworks) > 0 {
		first = n.MeshNetworks[0]
	}
	return cmp.Or(n.Namespace, n.Pods, n.InjectionPath, n.Injector, first, n.Gateway)
}

// Network is what says on which network the cluster is.
func (c *Cluster) Network() Network { return c.network() }

func (c *Cluster) findNetwork() Network {
	n := Network{Namespace: c.NamespaceLabels(c.SystemNamespace)[istio.LabelNetwork], InjectionPath: injectedNetwork(c.Cluster)}
	n.Injector, n.InjectorKnown = c.injector()
	for _, cp := range c.WatchedBy {
		n.MeshNetworks = append(n.MeshNetworks, cp.RegistryNetworks(c)...)
	}
	n.MeshNetworks = distinct(n.MeshNetworks)
	if gateways := c.NetworkGateways(); len(gateways) > 0 {
		n.Gateway = gateways[0].Network
	}
	n.Pods = c.podsNetwork()
	return n
}

// podsNetwork is the network that most sidecars were given.
func (c *Cluster) podsNetwork() string {
	gateways := map[*facts.Pod]bool{}
	for _, g := range c.NetworkGateways() {
		for _, p := range g.Pods {
			gateways[p] = true
		}
	}
	for _, counted := range []bool{false, true} {
		counts := map[string]int{}
		for _, p := range c.ProxyPods() {
			if gateways[p] != counted {
				continue
			}
			if network := Variable(p, istio.EnvProxyNetwork); network != "" {
				counts[network]++
			}
		}
		if len(counts) > 0 {
			return mostOf(counts)
		}
	}
	return ""
}

// mostOf is the name that was counted most often; of several the first by name.
func mostOf(counts map[string]int) string {
	best := ""
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if counts[name] > counts[best] {
			best = name
		}
	}
	return best
}

// injectorNetwork is the network in the values of the injectors; not known where those
// of one are not, or they differ.
func (c *Cluster) injectorNetwork() (network string, known bool) {
	for n, i := range c.istiods {
		values, ok := istio.InjectorValuesOf(c.Cluster, i)
		if !ok || n > 0 && values.Global.Network != network {
			return "", false
		}
		network, known = values.Global.Network, true
	}
	return network, known
}

func injectedNetwork(c *facts.Cluster) string {
	for _, path := range istio.InjectionPaths(c) {
		if network := istio.InjectedNetwork(path); network != "" {
			return network
		}
	}
	return ""
}

// MeshNetworksUnread is what was not read of control planes that watch the cluster and
// would tell what their meshNetworks say of it.
func (c *Cluster) MeshNetworksUnread() []Unread {
	var out []Unread
	for _, cp := range c.WatchedBy {
		for _, u := range cp.RunsIn.Unread(resources.MeshConfigs) {
			if !slices.Contains(out, u) {
				out = append(out, u)
			}
		}
	}
	return out
}
