package istio

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Ports of gateways between networks, unless a label says otherwise.
const (
	DefaultGatewayPort = 15443
	HBONEPort          = 15008
)

// Gateway is an address through which a network is reached, like an entry of
// /debug/networkz.
type Gateway struct {
	Network string
	// Cluster is that of the object; "" for an address of the mesh networks.
	Cluster string
	Address string // an IP address
	// Port takes mutual TLS of sidecars, HBONEPort that of ambient proxies; 0 for neither.
	Port, HBONEPort uint32
	// ServiceAccount is namespace/name; only of Kubernetes gateways.
	ServiceAccount string
	// Host is the host name of which Address is one address; "" where there was none.
	Host string
	// Candidates are what the gateway comes from.
	Candidates []CandidateRef
}

// CandidateRef names an object that is meant to be a gateway.
type CandidateRef struct {
	// Kind is Service, Gateway (of the Gateway API) or MeshNetworks.
	Kind                     string
	Cluster, Namespace, Name string
}

// Candidate is an object that is meant to be a gateway of a network, and what istiod makes of it.
type Candidate struct {
	CandidateRef
	Network string
	// NetworkFrom says what makes it one: the label of the object, or registryServiceName.
	NetworkFrom string
	// Addresses are those that it has, before host names are resolved, and where each is from.
	Addresses []CandidateAddress
	// Port and HBONEPort are those that are reached, and PortFrom what named the port.
	Port, HBONEPort uint32
	PortFrom        string
	ServiceAccount  string
	// Problem says why istiod makes no gateway of it; "" where it makes one.
	Problem string
}

// CandidateAddress is an address of a candidate.
type CandidateAddress struct {
	Address string
	From    string // the field
	Node    string // whose address it is, for a NodePort
}

// Gateways are the gateways of all networks, as /debug/networkz shows them: those of
// all candidates, each once (pilot/pkg/model/network.go, reload).
func (v *View) Gateways() []Gateway {
	type identity struct {
		network, cluster, address string
		port, hbone               uint32
		account                   string
	}
	found := map[identity]*Gateway{}
	for _, c := range v.candidates {
		if c.Problem != "" {
			continue
		}
		for _, a := range c.Addresses {
			addresses, host := []string{a.Address}, ""
			if !isAddress(a.Address) {
				addresses, host = v.resolved(a.Address), a.Address
			}
			for _, address := range addresses {
				id := identity{c.Network, c.Cluster, address, c.Port, c.HBONEPort, c.ServiceAccount}
				g := found[id]
				if g == nil {
					g = &Gateway{
						Network: c.Network, Cluster: c.Cluster, Address: address, Port: c.Port, HBONEPort: c.HBONEPort,
						ServiceAccount: c.ServiceAccount, Host: host,
					}
					found[id] = g
				}
				if !slices.Contains(g.Candidates, c.CandidateRef) {
					g.Candidates = append(g.Candidates, c.CandidateRef)
				}
			}
		}
	}
	out := make([]Gateway, 0, len(found))
	for _, g := range found {
		out = append(out, *g)
	}
	slices.SortFunc(out, compareGateways)
	return out
}

// resolved are the addresses of a host name. istiod resolves them unless it is told not to, in
// which case it ignores host names.
func (v *View) resolved(host string) []string {
	if !v.Istiod.Setting(EnvResolveHostnames, true) {
		return nil
	}
	return v.Hosts[host]
}

// compareGateways orders as istiod does, by address and port, and where that leaves
// the order open, by the rest.
func compareGateways(a, b Gateway) int {
	return cmp.Or(
		strings.Compare(a.Address, b.Address), cmp.Compare(a.Port, b.Port), strings.Compare(a.Network, b.Network),
		strings.Compare(a.Cluster, b.Cluster), cmp.Compare(a.HBONEPort, b.HBONEPort), strings.Compare(a.ServiceAccount, b.ServiceAccount),
	)
}

// Candidates are all objects that are meant to be gateways, by cluster in the
// order of Clusters, and then the addresses of the mesh networks.
func (v *View) Candidates() []Candidate { return slices.Clone(v.candidates) }

func (v *View) findCandidates() []Candidate {
	var out []Candidate
	for _, m := range v.members {
		for _, key := range slices.Sorted(maps.Keys(m.services)) {
			out = append(out, v.serviceCandidates(m, m.services[key])...)
		}
		for i := range resources.KubernetesGateways.Of(m.facts).Value {
			out = append(out, v.gatewayCandidates(m, &resources.KubernetesGateways.Of(m.facts).Value[i])...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.MeshNetworks.Networks)) {
		for _, g := range v.MeshNetworks.Networks[name].Gateways {
			if g.Address == "" {
				continue
			}
			out = append(out, Candidate{
				CandidateRef: CandidateRef{Kind: "MeshNetworks", Name: name}, Network: name, NetworkFrom: "meshNetworks",
				Addresses: []CandidateAddress{{Address: g.Address, From: "networks." + name + ".gateways[].address"}},
				Port:      g.Port, PortFrom: "networks." + name + ".gateways[].port",
			})
		}
	}
	return out
}

// gatewaySet is what endpoints ask of gateways (pilot/pkg/model/network.go, NetworkGateways).
type gatewaySet struct {
	all       []Gateway
	byNetwork map[string][]Gateway
	byBoth    map[[2]string][]Gateway // by network and cluster
	scale     uint32
}

func newGatewaySet(gateways []Gateway) gatewaySet {
	s := gatewaySet{all: gateways, byNetwork: map[string][]Gateway{}, byBoth: map[[2]string][]Gateway{}}
	for _, g := range gateways {
		both := [2]string{g.Network, g.Cluster}
		s.byNetwork[g.Network], s.byBoth[both] = append(s.byNetwork[g.Network], g), append(s.byBoth[both], g)
	}
	scale := 1
	for _, of := range s.byNetwork {
		scale = lcm(scale, len(of))
	}
	for _, of := range s.byBoth {
		scale = lcm(scale, len(of))
	}
	s.scale = uint32(scale)
	return s
}

// of are the gateways of a network in a cluster, or, where that has none, all of the network.
func (s gatewaySet) of(network, cluster string) []Gateway {
	if same := s.byBoth[[2]string{network, cluster}]; len(same) > 0 {
		return same
	}
	return s.byNetwork[network]
}

func lcm(a, b int) int {
	x, y := a, b
	for y != 0 {
		x, y = y, x%y
	}
	return a / x * b
}
