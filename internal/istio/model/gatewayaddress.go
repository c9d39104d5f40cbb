package model

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// SharedAddress is an address and port that a control plane has as the gateway of several
// networks.
type SharedAddress struct {
	ControlPlane *ControlPlane
	Address      string
	Port         uint32
	// Networks are those, sorted.
	Networks []string
	// Holders are what has the address.
	Holders []AddressHolder
}

// AddressHolder is an object that gives a network a gateway's address.
type AddressHolder struct {
	// Context is that of the cluster that has the object.
	Context string
	Object  finding.Object
	Network string
}

// Object names it in findings.
func (s SharedAddress) Object() finding.Object {
	return AddressObject(s.Address, s.Port)
}

// SharedAddresses are the addresses that the control plane has as the gateway of several
// networks, sorted.
func (cp *ControlPlane) SharedAddresses() []SharedAddress {
	return Derived(cp.Cluster.mesh, func(m *Mesh) sharedAddresses {
		out := sharedAddresses{}
		for _, cp := range m.ControlPlanes {
			out[cp] = cp.findSharedAddresses()
		}
		return out
	})[cp]
}

// sharedAddresses are those of all control planes.
type sharedAddresses map[*ControlPlane][]SharedAddress

func (cp *ControlPlane) findSharedAddresses() []SharedAddress {
	by := map[string]*SharedAddress{}
	for _, g := range cp.Gateways() {
		s := SharedAddress{ControlPlane: cp, Address: g.Address, Port: max(g.Port, g.HBONEPort)}
		key := s.Object().Name
		if by[key] == nil {
			by[key] = &s
		}
		by[key].Networks = append(by[key].Networks, g.Network)
		for _, c := range g.Candidates {
			by[key].Holders = append(by[key].Holders, AddressHolder{cp.CandidateIn(c), cp.CandidateObject(c), g.Network})
		}
	}
	var out []SharedAddress
	for _, key := range slices.Sorted(maps.Keys(by)) {
		s := *by[key]
		if s.Networks = distinct(s.Networks); len(s.Networks) > 1 {
			out = append(out, s)
		}
	}
	return out
}

// UnheldAddress is an address in meshNetworks that no gateway of the network has.
type UnheldAddress struct {
	ControlPlane *ControlPlane
	Network      string
	// At is its place among the gateways of the network in meshNetworks.
	At      int
	Address string
	// Current are the addresses that the network's gateways have, sorted.
	Current []string
}

// UnheldAddresses are the addresses in the control plane's meshNetworks of networks whose
// gateways are found by their Services and have others. Where one is a host name there are
// none: it may lead to any.
func (cp *ControlPlane) UnheldAddresses() []UnheldAddress {
	var out []UnheldAddress
	for _, network := range slices.Sorted(maps.Keys(cp.MeshNetworks.Networks)) {
		var current []string
		for _, c := range cp.Candidates() {
			if c.Network != network || c.Kind == "MeshNetworks" || c.Problem != "" {
				continue
			}
			for _, a := range c.Addresses {
				current = append(current, a.Address)
			}
		}
		if current = distinct(current); len(current) == 0 || slices.ContainsFunc(current, isHostName) {
			continue
		}
		for i, g := range cp.MeshNetworks.Networks[network].Gateways {
			if !isHostName(g.Address) && !slices.Contains(current, g.Address) {
				out = append(out, UnheldAddress{cp, network, i, g.Address, current})
			}
		}
	}
	return out
}

func isHostName(address string) bool {
	_, err := netip.ParseAddr(address)
	return err != nil
}

// GatewayFamilies says for each network to which the control plane has gateways for
// sidecars whether one of them has an address of IPv4, and one of IPv6.
func (cp *ControlPlane) GatewayFamilies() map[string]Families {
	out := map[string]Families{}
	for _, g := range cp.Gateways() {
		if g.Port != 0 {
			out[g.Network] = out[g.Network].with(g.Address)
		}
	}
	return out
}

// Families are the families of some addresses.
type Families struct{ IPv4, IPv6 bool }

func (f Families) with(address string) Families {
	ip := AddressOf(address)
	return Families{f.IPv4 || ip.Is4(), f.IPv6 || ip.Is6()}
}

// FamiliesOf are those of addresses.
func FamiliesOf(addresses []string) Families {
	var out Families
	for _, a := range addresses {
		out = out.with(a)
	}
	return out
}
