package model

import (
	"net/netip"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// HostState is what came of looking up the host name of a gateway on this machine.
type HostState string

// The states.
const (
	// HostPublic: it leads to an address that everybody may reach.
	HostPublic HostState = "public"
	// HostPrivate: it leads to an address that is only reached where it is routed.
	HostPrivate HostState = "private"
	// HostLocal: it leads to an address that means another machine to each one.
	HostLocal HostState = "local"
	// HostMissing: this machine's name servers do not know it.
	HostMissing HostState = "missing"
	// HostIgnored: the control plane does not resolve host names at all.
	HostIgnored HostState = "ignored"
	// HostUnknown: nobody asked, or nobody answered.
	HostUnknown HostState = "unknown"
)

// HostLookup is what is known of the host name of a gateway, for each address to which it
// leads.
type HostLookup struct {
	State HostState
	// Address is the one to which it leads; only of the first three states.
	Address string
	// Why is the reason of HostUnknown.
	Why finding.Reason
}

// LookUp is what is known of a host name of a gateway, for each of its addresses; none for
// what is itself an address.
func (cp *ControlPlane) LookUp(host string) []HostLookup {
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	m := cp.Cluster.mesh
	addresses, answered := m.Hosts[host]
	switch {
	case !cp.Istiod.Setting(istio.EnvResolveHostnames, true):
		return []HostLookup{{State: HostIgnored}}
	case m.Hosts == nil:
		why := "istiod resolves host name " + host + " of a gateway itself; whether it can is not seen from here"
		return []HostLookup{{State: HostUnknown, Why: finding.Reason{Kind: finding.NotRead, Text: why}}}
	case !answered:
		why := finding.Reason{Kind: finding.Failed, Text: m.HostFailures[host]}
		if why.Text == "" {
			why = finding.Reason{Kind: finding.NotRead, Text: "not asked for"}
		}
		why.Text = "host name " + host + " of a gateway, asked for on this machine: " + why.Text
		return []HostLookup{{State: HostUnknown, Why: why}}
	case len(addresses) == 0:
		return []HostLookup{{State: HostMissing}}
	}
	var out []HostLookup
	for _, address := range addresses {
		state := HostPublic
		switch ip := AddressOf(address); {
		case IsLocalAddress(ip):
			state = HostLocal
		case IsPrivateAddress(ip):
			state = HostPrivate
		}
		out = append(out, HostLookup{State: state, Address: address})
	}
	return out
}
