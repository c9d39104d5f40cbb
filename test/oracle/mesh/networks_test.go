package mesh

import (
	"cmp"
	"slices"
	"strings"

	"istio.io/istio/pkg/network"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// network is the network of a pod.
func (i *istiod) network(p istio.PodNetwork) network.ID {
	pod := i.pods[p.Cluster+"/"+p.Namespace+"/"+p.Pod]
	return i.registries[p.Cluster].Network(pod.Status.PodIP, pod.Labels)
}

// gateways are what /debug/networkz shows (pilot/pkg/xds/debug.go, networkz).
func (i *istiod) gateways() []istio.Gateway {
	var out []istio.Gateway
	for _, g := range i.Env().NetworkManager.AllGateways() {
		account := ""
		if g.ServiceAccount.Name != "" {
			account = g.ServiceAccount.String()
		}
		out = append(out, istio.Gateway{
			Network: string(g.Network), Cluster: string(g.Cluster), Address: g.Addr, Port: g.Port, HBONEPort: g.HBONEPort, ServiceAccount: account,
		})
	}
	slices.SortStableFunc(out, func(a, b istio.Gateway) int {
		return cmp.Or(
			strings.Compare(a.Address, b.Address), cmp.Compare(a.Port, b.Port), strings.Compare(a.Network, b.Network),
			strings.Compare(a.Cluster, b.Cluster), cmp.Compare(a.HBONEPort, b.HBONEPort), strings.Compare(a.ServiceAccount, b.ServiceAccount),
		)
	})
	return out
}
