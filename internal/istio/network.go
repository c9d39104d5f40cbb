package istio

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
)

// Network is the network of an endpoint, and what says so.
type Network struct {
	Name string
	From NetworkOrigin
	// Detail names what decided: the range of addresses, or the networks that
	// claim the same and of which istiod takes any.
	Detail string
}

// NetworkOrigin is what decided a network.
type NetworkOrigin string

// The origins, the strongest first.
const (
	FromLabel     NetworkOrigin = "label of the pod"
	FromNamespace NetworkOrigin = "label of the system namespace"
	FromRegistry  NetworkOrigin = "fromRegistry of meshNetworks"
	FromCIDR      NetworkOrigin = "fromCidr of meshNetworks"
	FromNothing   NetworkOrigin = "" // the network is "", which counts as everyone's own
)

// PodNetwork is a pod with its network.
type PodNetwork struct {
	Cluster, Namespace, Pod string
	Network                 Network
}

// PodNetworks are the networks of all pods that the control plane sees and that
// have an address.
func (v *View) PodNetworks() []PodNetwork {
	var out []PodNetwork
	for _, m := range v.members {
		for _, key := range slices.Sorted(maps.Keys(m.pods)) {
			if p := m.pods[key]; p.IP() != "" {
				out = append(out, PodNetwork{Cluster: m.id, Namespace: p.Namespace, Pod: p.Name, Network: v.podNetwork(m, p)})
			}
		}
	}
	return out
}

// NetworkOf is the network of an address in a cluster, with the labels of its
// pod; labels are nil for what is no pod.
func (v *View) NetworkOf(cluster, address string, labels map[string]string) Network {
	if m := v.member(cluster); m != nil {
		return v.network(m, address, labels)
	}
	return Network{}
}

func (v *View) podNetwork(m *member, p *facts.Pod) Network {
	return v.network(m, p.IP(), p.Labels)
}

// network decides as pilot/pkg/serviceregistry/kube/controller/controller.go,
// Network, and network.go, networkFromMeshNetworks.
func (v *View) network(m *member, address string, labels map[string]string) Network {
	if name := labels[LabelNetwork]; name != "" {
		return Network{Name: name, From: FromLabel}
	}
	if m.network != "" {
		return Network{Name: m.network, From: FromNamespace}
	}
	if names := v.registryNetworks(m.id); len(names) > 0 {
		n := Network{Name: names[0], From: FromRegistry}
		if len(names) > 1 {
			n.Detail = "any of " + strings.Join(names, ", ")
		}
		return n
	}
	return v.rangeNetwork(address)
}

// registryNetworks are the mesh networks that claim a cluster. istiod takes one of them
// without an order.
func (v *View) registryNetworks(cluster string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(v.MeshNetworks.Networks)) {
		if slices.ContainsFunc(v.MeshNetworks.Networks[name].Endpoints, func(e NetworkEndpoints) bool { return e.FromRegistry == cluster }) {
			out = append(out, name)
		}
	}
	return out
}

// rangeNetwork is the network of the widest range that has the address: istiod
// asks a trie for all of them and takes the first, which it meets on its way down. Of networks
// with the same range it takes any.
func (v *View) rangeNetwork(address string) Network {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return Network{}
	}
	ip = ip.Unmap()
	var widest netip.Prefix
	var names []string
	for _, name := range slices.Sorted(maps.Keys(v.MeshNetworks.Networks)) {
		for _, e := range v.MeshNetworks.Networks[name].Endpoints {
			p, err := netip.ParsePrefix(e.FromCIDR)
			if err != nil || !p.Contains(ip) {
				continue
			}
			p = p.Masked()
			switch {
			case names == nil || p.Bits() < widest.Bits():
				widest, names = p, []string{name}
			case p == widest && !slices.Contains(names, name):
				names = append(names, name)
			}
		}
	}
	if names == nil {
		return Network{}
	}
	n := Network{Name: names[0], From: FromCIDR, Detail: widest.String()}
	if len(names) > 1 {
		n.Detail += ", any of " + strings.Join(names, ", ")
	}
	return n
}
