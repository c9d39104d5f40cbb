package network

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// judgeFlat: clusters on the same network, or on none, send requests straight to
// one another's pods, for which no address may be there twice. Ranges of nodes
// prove nothing where something else gives out addresses, so that pods have to be
// in them; that pods cannot be reached is seen only by trying.
func judgeFlat(j *judgement, members []*member) {
	addresses := map[*member]map[string]*facts.Pod{}
	for _, m := range members {
		addresses[m] = m.podAddresses()
	}
	for i, a := range members {
		for _, b := range members[i+1:] {
			if !related(a, b) || !a.sharesNetwork(b) || a.sharesNodes(b) {
				continue
			}
			var evidence []finding.Evidence
			same := twice(addresses[a], addresses[b])
			for n, ip := range same {
				if n == 3 {
					evidence = append(evidence, finding.Evidence{Field: "further addresses that are there twice", Value: fmt.Sprint(len(same) - n)})
					break
				}
				evidence = append(evidence,
					finding.Evidence{Cluster: a.Context, Field: "address " + ip, Value: "pod " + addresses[a][ip].Namespace + "/" + addresses[a][ip].Name},
					finding.Evidence{Cluster: b.Context, Field: "address " + ip, Value: "pod " + addresses[b][ip].Namespace + "/" + addresses[b][ip].Name})
			}
			if x, y, ok := overlap(a.usedRanges(addresses[a]), b.usedRanges(addresses[b])); ok {
				evidence = append(evidence,
					finding.Evidence{Cluster: a.Context, Field: "node with pods, podCIDR", Value: x.String()},
					finding.Evidence{Cluster: b.Context, Field: "node with pods, podCIDR", Value: y.String()})
			}
			severity, title := finding.Error, "%s and %s count as one network, and give the same addresses to different pods"
			effect := "requests to pods of the other cluster end at pods of the own one, or nowhere"
			if len(evidence) == 0 {
				severity, title = finding.Warning, "%s and %s count as one network, and have nodes with the same addresses"
				effect = "pods of the other cluster that use the address of their node are not reached, and unless something forwards between the clusters no other pods either"
				evidence = sameNodes(a, b)
			}
			if len(evidence) == 0 {
				continue
			}
			for _, m := range []*member{a, b} {
				e := m.systemLabel()
				e.Cluster = m.Context
				evidence = append(evidence, e)
			}
			j.Add(finding.Finding{
				Code: "NET007", Severity: severity, Clusters: []string{a.Context, b.Context},
				Title: fmt.Sprintf(title, a.Context, b.Context), Evidence: evidence, Effect: effect,
				Fix: []finding.Step{
					finding.Say("Install an east-west gateway in each of the two clusters."),
					finding.Say("Careful: requests between them stop where there is no gateway yet. Give each cluster its own network:").
						By(a.labelNamespace(cmp.Or(a.label, "network-of-"+a.Context)), b.labelNamespace("network-of-"+b.Context)),
					finding.Say("Set global.network likewise in the values of each installation of istiod, and restart the workloads."),
				},
			})
		}
	}
}

// related reports whether some control plane reads both clusters.
func related(a, b *member) bool {
	return slices.ContainsFunc(a.viewers, func(v *view) bool { return v.ids[b] != "" })
}

// sharesNetwork reports whether two clusters are meant to be one network.
func (m *member) sharesNetwork(other *member) bool {
	mine, others := m.homes(), other.homes()
	if len(mine) == 0 || len(others) == 0 {
		return len(mine) == len(others)
	}
	return slices.ContainsFunc(mine, func(n string) bool { return slices.Contains(others, n) })
}

// nodeAddresses are the nodes by the address that they have within their network.
func (m *member) nodeAddresses() map[string]string {
	out := map[string]string{}
	for _, n := range resources.Nodes.Of(m.Cluster).Value {
		for _, a := range n.Status.Addresses {
			if a.Type == corev1.NodeInternalIP && a.Address != "" {
				out[a.Address] = n.Name
			}
		}
	}
	return out
}

// sharesNodes reports whether two clusters have a node in common, as virtual
// clusters have: what is there twice is then the same.
func (m *member) sharesNodes(other *member) bool {
	others := other.nodeAddresses()
	for address, name := range m.nodeAddresses() {
		if others[address] == name {
			return true
		}
	}
	return false
}

// sameNodes is evidence of nodes of two clusters that have the same address.
func sameNodes(a, b *member) []finding.Evidence {
	x, y := a.nodeAddresses(), b.nodeAddresses()
	var out []finding.Evidence
	for _, address := range slices.Sorted(maps.Keys(x)) {
		if y[address] == "" {
			continue
		}
		out = append(out, finding.Evidence{Cluster: a.Context, Field: "address " + address, Value: "node " + x[address]}, finding.Evidence{Cluster: b.Context, Field: "address " + address, Value: "node " + y[address]})
		if len(out) == 6 {
			break
		}
	}
	return out
}

// podAddresses are the pods by address, those aside that have their node's.
func (m *member) podAddresses() map[string]*facts.Pod {
	out := map[string]*facts.Pod{}
	for i := range resources.Pods.Of(m.Cluster).Value {
		if p := &resources.Pods.Of(m.Cluster).Value[i]; runs(p) && !p.HostNetwork && p.IP() != "" {
			out[p.IP()] = p
		}
	}
	return out
}

func twice(a, b map[string]*facts.Pod) []string {
	var out []string
	for ip := range a {
		if b[ip] != nil {
			out = append(out, ip)
		}
	}
	slices.SortFunc(out, func(a, b string) int {
		x, errX := netip.ParseAddr(a)
		y, errY := netip.ParseAddr(b)
		if errX != nil || errY != nil {
			return strings.Compare(a, b)
		}
		return x.Compare(y)
	})
	return out
}

// ranges are those of the nodes, from which pods have their addresses.
func (m *member) ranges() []netip.Prefix {
	var ranges []netip.Prefix
	for _, n := range resources.Nodes.Of(m.Cluster).Value {
		cidrs := n.Spec.PodCIDRs
		if len(cidrs) == 0 {
			cidrs = []string{n.Spec.PodCIDR}
		}
		for _, s := range cidrs {
			if p, err := netip.ParsePrefix(s); err == nil {
				ranges = append(ranges, p.Masked())
			}
		}
	}
	return ranges
}

// usedRanges are the ranges of nodes that a pod of the cluster is in.
func (m *member) usedRanges(pods map[string]*facts.Pod) []netip.Prefix {
	ranges := m.ranges()
	used := map[netip.Prefix]bool{}
	for ip := range pods {
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
	return slices.DeleteFunc(ranges, func(p netip.Prefix) bool { return !used[p] })
}

func overlap(a, b []netip.Prefix) (x, y netip.Prefix, ok bool) {
	for _, x := range a {
		for _, y := range b {
			if x.Overlaps(y) {
				return x, y, true
			}
		}
	}
	return x, y, false
}
