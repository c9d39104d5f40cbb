package endpoints

import (
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
)

// source is a proxy that sends requests.
type source struct {
	Source
	proxy istio.Source
	env   map[string]string
}

// sourceKey names the proxy that stands for those of a cluster, network and namespace.
type sourceKey struct {
	cluster            *model.Cluster
	network, namespace string
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
