package model

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// PrivateRanges are those between which addresses are usually not reached.
func PrivateRanges() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"),
		netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("100.64.0.0/10"),
	}
}

// IsLocalAddress reports whether an address means another machine to each one.
func IsLocalAddress(ip netip.Addr) bool {
	return ip.IsLoopback() || ip.IsUnspecified() || ip.IsLinkLocalUnicast()
}

// IsPrivateAddress reports whether an address is only reached where it is routed.
func IsPrivateAddress(ip netip.Addr) bool {
	return ip.IsPrivate() || slices.ContainsFunc(PrivateRanges(), func(p netip.Prefix) bool { return p.Contains(ip) })
}

// AddressOf is an address; the zero one, which is none of any range, for what is a name.
func AddressOf(text string) netip.Addr {
	ip, _ := netip.ParseAddr(text)
	return ip
}

// NodeAddresses are the names of the nodes by the address that each has within its network.
func (c *Cluster) NodeAddresses() map[string]string {
	out := map[string]string{}
	for _, n := range resources.Nodes.Of(c.Cluster).Value {
		for _, a := range n.Status.Addresses {
			if a.Type == corev1.NodeInternalIP && a.Address != "" {
				out[a.Address] = n.Name
			}
		}
	}
	return out
}

// PodAddresses are the pods that run by address, without those that have their node's.
func (c *Cluster) PodAddresses() map[string]*facts.Pod {
	out := map[string]*facts.Pod{}
	for i := range resources.Pods.Of(c.Cluster).Value {
		if p := &resources.Pods.Of(c.Cluster).Value[i]; Runs(p) && !p.HostNetwork && p.IP() != "" {
			out[p.IP()] = p
		}
	}
	return out
}

// PodRanges are those of the nodes, from which pods have their addresses.
func (c *Cluster) PodRanges() []netip.Prefix {
	var out []netip.Prefix
	for _, n := range resources.Nodes.Of(c.Cluster).Value {
		cidrs := n.Spec.PodCIDRs
		if len(cidrs) == 0 {
			cidrs = []string{n.Spec.PodCIDR}
		}
		for _, s := range cidrs {
			if p, err := netip.ParsePrefix(s); err == nil {
				out = append(out, p.Masked())
			}
		}
	}
	return out
}
