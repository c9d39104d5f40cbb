// Package evidence has the lines of evidence that rules of several areas show: each
// thing is shown in one way, whichever rule shows it.
package evidence

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
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

// Refusal is evidence of what the API server says of pods that it refuses.
func Refusal(r model.Refusal, now time.Time) finding.Evidence {
	text := strings.Join(strings.Fields(r.Message), " ")
	if letters := []rune(text); len(letters) > longestMessage {
		text = strings.TrimSpace(string(letters[:longestMessage])) + "…"
	}
	return finding.Evidence{
		Field: fmt.Sprintf("event %s of %s, %s ago", resources.FailedCreate, r.Of, finding.Age(now.Sub(r.At))), Value: text,
	}
}

// longestMessage is how much of a message is evidence, in letters.
const longestMessage = 300

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
