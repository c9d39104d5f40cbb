package model

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// joins are the pairs of clusters, each both ways, of which one has a ServiceEntry that leads to
// the other: to an address of its Services, or to its network through a gateway; or a Gateway of
// class istio-remote, which stands for a gateway elsewhere.
type joins map[[2]*Cluster]bool

// federated reports whether objects lead from one of two clusters to the other. Meshes are joined
// so, by hand or by a tool (Admiral, Gloo Mesh); their control planes need not watch one another.
func (m *Mesh) federated(a, b *Cluster) bool { return Derived(m, findJoins)[[2]*Cluster{a, b}] }

func isRemote(k api.KubernetesGateway) bool { return k.Spec.GatewayClassName == api.ClassRemote }

func findJoins(m *Mesh) joins {
	at, on := map[string][]*Cluster{}, map[string][]*Cluster{} // addresses, and networks
	for _, c := range m.Clusters {
		if home := c.Network().Home(); home != "" {
			on[home] = append(on[home], c)
		}
		services := resources.Services.Of(c.Cluster).Value
		for i := range services {
			addresses, hosts := ExternalAddresses(&services[i])
			for _, a := range slices.Concat(addresses, hosts) {
				at[a] = append(at[a], c)
			}
		}
	}
	out := joins{}
	for _, c := range m.Clusters {
		home := c.Network().Home()
		join := func(to *Cluster) {
			if to != c {
				out[[2]*Cluster{c, to}], out[[2]*Cluster{to, c}] = true, true
			}
		}
		if slices.ContainsFunc(resources.KubernetesGateways.Of(c.Cluster).Value, isRemote) {
			for _, to := range m.Clusters {
				join(to)
			}
		}
		for _, s := range resources.ServiceEntries.Of(c.Cluster).Value {
			for _, e := range s.Spec.Endpoints {
				for _, to := range at[e.Address] {
					join(to)
				}
				if e.Network != home {
					for _, to := range on[e.Network] {
						join(to)
					}
				}
			}
		}
	}
	return out
}
