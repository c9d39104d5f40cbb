// Package evidence has the lines of evidence that rules of several areas show: each
// thing is shown in one way, whichever rule shows it.
package evidence

import (
	"cmp"
	"net/netip"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
)

// OfWorkloads is a line for each group of pods: what is said of them, and how many there are.
func OfWorkloads(groups []model.WorkloadGroup) []finding.Evidence {
	var out []finding.Evidence
	for _, g := range groups {
		out = append(out, finding.Evidence{Field: g.String(), Value: g.Says + ", " + finding.Plural(g.Pods, "pod")})
	}
	return out
}

// Label is the value of the label that says a network, of what has it.
func Label(what, value string) finding.Evidence {
	return finding.Evidence{Field: what + ", label " + istio.LabelNetwork, Value: OrNone(value)}
}

// SystemLabel is the network in the label of a cluster's system namespace.
func SystemLabel(c *model.Cluster) finding.Evidence {
	return Label("namespace "+c.SystemNamespace, c.Network().Namespace)
}

// OrNone is a value as evidence shows it: "none" for an empty one.
func OrNone(value string) string { return cmp.Or(value, "none") }

// Gateways are the addresses by which a control plane reaches a network.
func Gateways(cp *model.ControlPlane, network string) finding.Evidence {
	var out []string
	for _, g := range cp.Gateways() {
		if g.Network == network {
			ip, _ := netip.ParseAddr(g.Address)
			out = append(out, netip.AddrPortFrom(ip, uint16(max(g.Port, g.HBONEPort))).String())
		}
	}
	return finding.Evidence{Field: "gateways of " + network + " for " + cp.String(), Value: OrNone(strings.Join(out, ", "))}
}

// ClusterIDs are the names that the control planes which configure the proxies of a
// cluster have for it.
func ClusterIDs(c *model.Cluster) []finding.Evidence {
	var out []finding.Evidence
	for _, cp := range c.ConfiguredBy() {
		out = append(out, finding.Evidence{Cluster: cp.Cluster.Context, Field: "cluster ID for " + cp.String(), Value: cp.IDOf(c)})
	}
	return out
}
