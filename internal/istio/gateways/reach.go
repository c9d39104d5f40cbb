package gateways

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
)

// sharedAddress: one address is the gateway of several networks.
func sharedAddress(p pass) {
	if !p.Model.Several() {
		return
	}
	seen := map[finding.Object]bool{}
	for _, cp := range model.AbleControlPlanes(p) {
		for _, s := range cp.SharedAddresses() {
			if seen[s.Object()] {
				continue
			}
			seen[s.Object()] = true
			f := finding.Finding{
				Code: "GW031", Severity: finding.Error, Object: s.Object(),
				Title:  fmt.Sprintf("%s is the gateway of %s at once", s.Object().Name, finding.List(s.Networks)),
				Effect: "requests for one of the networks come to the gateway of another, which does not know the service and resets the connection",
				Fix: []finding.Step{
					finding.Say("Give each gateway its own address, or correct label %s of the one whose network is wrong.", istio.LabelNetwork),
				},
			}
			for _, h := range s.Holders {
				f.Clusters = append(f.Clusters, h.Context)
				f.Evidence = append(f.Evidence, finding.Evidence{Cluster: h.Context, Field: h.Object.String(), Value: "gateway of " + h.Network})
			}
			f.Clusters = finding.Distinct(f.Clusters)
			p.Report(f)
		}
	}
}

// mixedRanges: a gateway has addresses in several ranges. Every client is given all
// addresses of a network; there is none that is for some clients only.
func mixedRanges(p pass) {
	for _, g := range intended(p) {
		by, all := rangesOf(g.Addresses())
		// Between two networks alone there are no clients of different kinds.
		if len(by) < 2 || by[public] == nil && len(p.Model.Networks()) < 3 {
			continue
		}
		seen := probing.Given(p.Model).Ranges(p.Model, g.Gateway, all)
		if seen.Reached {
			continue
		}
		f := g.finding("GW015", finding.Warning, "the gateway has addresses in different ranges, and every client uses all of them")
		if seen.Split != nil {
			f.Severity, f.Title = finding.Error, "clients on another network do not reach all addresses of the gateway, and use all of them"
		}
		for _, in := range slices.Sorted(maps.Keys(by)) {
			f.Evidence = append(f.Evidence, finding.Evidence{Field: "addresses, " + in, Value: strings.Join(by[in], ", ")})
		}
		f.Evidence = append(f.Evidence, seen.Split.Evidence()...)
		f.Effect = "a client that cannot reach one of the ranges loses that share of its requests"
		f.Fix = []finding.Step{finding.Say("Leave the Service only the addresses that clients of all networks reach:").By(g.kubectl("edit"))}
		p.Report(f)
	}
}

// public is what people call the range of addresses that are in no private one.
const public = "public"

// rangesOf are the IPv4 addresses by the range in which they are, and all of them.
func rangesOf(addresses []istio.CandidateAddress) (by map[string][]string, all []string) {
	by = map[string][]string{}
	for _, a := range addresses {
		ip := model.AddressOf(a.Address)
		if !ip.Is4() {
			continue
		}
		in := public
		for _, r := range model.PrivateRanges() {
			if r.Contains(ip) {
				in = r.String()
			}
		}
		by[in], all = append(by[in], a.Address), append(all, a.Address)
	}
	return by, all
}

// unheldAddress: meshNetworks has an address that no gateway of the network has. Most
// likely it is one that they once had.
func unheldAddress(p pass) {
	for _, cp := range model.AbleControlPlanes(p) {
		if !watchesKnown(p, cp) {
			continue
		}
		for _, a := range cp.UnheldAddresses() {
			p.Gather(finding.Finding{
				Code: "GW020", Severity: finding.Warning, Clusters: []string{cp.Context}, Object: cp.ConfigMap(),
				Title: "meshNetworks has an address that no gateway has",
				Evidence: []finding.Evidence{
					{Field: fmt.Sprintf("%s, networks.%s.gateways[%d]", istio.MeshNetworksKey, a.Network, a.At), Value: a.Address},
					{Field: "addresses of the gateways of " + a.Network, Value: strings.Join(a.Current, ", ")},
				},
				Effect: "a share of the requests to the network goes to that address",
				Fix: []finding.Step{finding.Say("Remove the address, unless something at it forwards to the gateway:").
					By(remedy.EditMeshConfig(cp.Context, cp.Istiod))},
			})
		}
	}
}

// watchesKnown reports whether the rule can check all clusters that a control plane watches.
func watchesKnown(p pass, cp *model.ControlPlane) bool {
	return model.AbleWatched(p, cp) && !slices.ContainsFunc(cp.Watches, func(w model.Watched) bool { return w.Cluster == nil })
}

// otherFamily: pods have addresses of one family alone, and a network has no gateway of it.
// A client is given the gateways of its own family; before 1.30 it is given the others as
// well, which it cannot reach (pilot/pkg/xds/endpoints/ep_filters.go).
func otherFamily(p pass) {
	if !p.Model.Several() {
		return
	}
	for _, cp := range model.AbleControlPlanes(p) {
		if !model.AbleWatched(p, cp) {
			continue
		}
		has := cp.GatewayFamilies()
		for _, c := range cp.WatchedClusters() {
			if !cp.Configures(c) {
				continue
			}
			for _, network := range slices.Sorted(maps.Keys(has)) {
				if !has[network].IPv4 {
					reportFamily(p, cp, c, network, model.Families{IPv4: true}, "IPv4")
				}
				if !has[network].IPv6 {
					reportFamily(p, cp, c, network, model.Families{IPv6: true}, "IPv6")
				}
			}
		}
	}
}

// reportFamily reports the clients of a cluster that have addresses of one family alone and
// are on another network than the one that has no gateway of it.
func reportFamily(p pass, cp *model.ControlPlane, c *model.Cluster, network string, only model.Families, name string) {
	var pods []*facts.Pod
	for _, pod := range c.ProxyPods() {
		own := model.Variable(pod, istio.EnvProxyNetwork)
		if own != "" && own != network && model.FamiliesOf(pod.IPs) == only && !c.IsGatewayPod(pod) {
			pods = append(pods, pod)
		}
	}
	if len(pods) == 0 {
		return
	}
	groups := model.ByWorkload(pods, func(*facts.Pod) string { return "only " + name })
	p.Gather(finding.Finding{
		Code: "GW018", Severity: finding.Error, Clusters: []string{c.Context}, Object: finding.Named("network", network),
		Title:    fmt.Sprintf("pods with %s alone have no %s gateway to %s", name, name, network),
		Evidence: append([]finding.Evidence{evidence.Gateways(cp, network)}, evidence.OfWorkloads(groups)...),
		Effect:   fmt.Sprintf("their requests do not reach %s", network),
		Fix: []finding.Step{
			finding.Say("Give the gateway of %s an %s address too (ipFamilyPolicy: RequireDualStack), or the pods an address "+
				"of the gateway's family.", network, name),
		},
	})
}
