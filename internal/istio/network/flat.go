package network

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// addressesTwice: two clusters on the same network, or on none, have the same addresses.
// They send requests directly to one another's pods. Ranges of nodes prove nothing where
// something else gives out addresses, so that pods have to be in them; that pods cannot be
// reached is seen only by trying.
func addressesTwice(p *rule.Pass[*model.Mesh]) {
	able := model.Able(p)
	for i, a := range able {
		for _, b := range able[i+1:] {
			if !a.WatchedWith(b) || !sharesNetwork(a, b) || sharesNodes(a, b) {
				continue
			}
			severity, title := finding.Error, "%s and %s are on one network, and give the same addresses to different pods"
			effect := "requests to pods of the other cluster end at pods of their own cluster, or nowhere"
			seen := append(samePods(a, b), sameRanges(a, b)...)
			if len(seen) == 0 {
				severity, title = finding.Warning, "%s and %s are on one network, and have nodes with the same addresses"
				effect = "pods of the other cluster that use the address of their node are not reached; unless something forwards " +
					"between the clusters, other pods are not reached either"
				seen = sameNodes(a, b)
			}
			if len(seen) == 0 {
				continue
			}
			for _, c := range []*model.Cluster{a, b} {
				label := evidence.SystemLabel(c)
				label.Cluster = c.Context
				seen = append(seen, label)
			}
			p.Report(finding.Finding{
				Code: "NET007", Severity: severity, Clusters: []string{a.Context, b.Context},
				Title: fmt.Sprintf(title, a.Context, b.Context), Evidence: seen, Effect: effect,
				Fix: []finding.Step{
					finding.Say("Install an east-west gateway in each of the two clusters."),
					finding.Say("Careful: requests between them stop where there is no gateway yet. Give each cluster its own network:").
						By(labelWith(a, cmp.Or(a.Network().Namespace, "network-of-"+a.Context)), labelWith(b, "network-of-"+b.Context)),
					finding.Say("Set global.network likewise in the values of each installation of istiod, and restart the workloads."),
				},
			})
		}
	}
}

// labelWith is the command that gives the system namespace of a cluster a network.
func labelWith(c *model.Cluster, network string) finding.Command {
	return remedy.LabelNamespace(c.Context, c.SystemNamespace, istio.LabelNetwork, network)
}

// sharesNetwork reports whether two clusters are meant to be on one network.
func sharesNetwork(a, b *model.Cluster) bool {
	x, y := a.Network().Homes(), b.Network().Homes()
	if len(x) == 0 || len(y) == 0 {
		return len(x) == len(y)
	}
	return slices.ContainsFunc(x, func(n string) bool { return slices.Contains(y, n) })
}

// sharesNodes reports whether two clusters have a node in common, as virtual clusters
// have: what both have is then the same.
func sharesNodes(a, b *model.Cluster) bool {
	others := b.NodeAddresses()
	for address, name := range a.NodeAddresses() {
		if others[address] == name {
			return true
		}
	}
	return false
}

// mostTwice is how many addresses that two clusters have are shown.
const mostTwice = 3

// bothHave shows an address of two clusters, and what has it in each.
func bothHave(a, b *model.Cluster, address, inA, inB string) []finding.Evidence {
	return []finding.Evidence{
		{Cluster: a.Context, Field: "address " + address, Value: inA}, {Cluster: b.Context, Field: "address " + address, Value: inB},
	}
}

// sameNodes shows nodes of two clusters that have the same address.
func sameNodes(a, b *model.Cluster) []finding.Evidence {
	x, y := a.NodeAddresses(), b.NodeAddresses()
	var out []finding.Evidence
	for _, address := range slices.Sorted(maps.Keys(x)) {
		if y[address] != "" && len(out) < 2*mostTwice {
			out = append(out, bothHave(a, b, address, "node "+x[address], "node "+y[address])...)
		}
	}
	return out
}

// samePods shows pods of two clusters that have the same address.
func samePods(a, b *model.Cluster) []finding.Evidence {
	x, y := a.PodAddresses(), b.PodAddresses()
	var both []string
	for ip := range x {
		if y[ip] != nil {
			both = append(both, ip)
		}
	}
	slices.SortFunc(both, compareAddresses)
	pod := func(p *facts.Pod) string { return "pod " + p.Namespace + "/" + p.Name }
	var out []finding.Evidence
	for n, ip := range both {
		if n == mostTwice {
			return append(out, finding.Evidence{Field: "further addresses that both have", Value: fmt.Sprint(len(both) - n)})
		}
		out = append(out, bothHave(a, b, ip, pod(x[ip]), pod(y[ip]))...)
	}
	return out
}

func compareAddresses(a, b string) int {
	x, errX := netip.ParseAddr(a)
	y, errY := netip.ParseAddr(b)
	if errX != nil || errY != nil {
		return strings.Compare(a, b)
	}
	return x.Compare(y)
}

// sameRanges shows nodes of two clusters with pods whose ranges of addresses overlap.
func sameRanges(a, b *model.Cluster) []finding.Evidence {
	for _, x := range usedRanges(a) {
		for _, y := range usedRanges(b) {
			if x.Overlaps(y) {
				return []finding.Evidence{
					{Cluster: a.Context, Field: "node with pods, podCIDR", Value: x.String()},
					{Cluster: b.Context, Field: "node with pods, podCIDR", Value: y.String()},
				}
			}
		}
	}
	return nil
}

// usedRanges are the ranges of nodes that a pod of the cluster is in.
func usedRanges(c *model.Cluster) []netip.Prefix {
	ranges := c.PodRanges()
	used := map[netip.Prefix]bool{}
	for ip := range c.PodAddresses() {
		address, err := netip.ParseAddr(ip)
		if err != nil {
			continue
		}
		for _, r := range ranges {
			if r.Contains(address) {
				used[r] = true
			}
		}
	}
	return slices.DeleteFunc(ranges, func(r netip.Prefix) bool { return !used[r] })
}
