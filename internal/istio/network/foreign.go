package network

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
	"github.com/kubectl-mesh/kubectl-mesh/internal/similar"
)

// networkOf is the network that a pod was given, by its proxy or else by its label.
func networkOf(p *facts.Pod) string {
	return cmp.Or(model.Variable(p, istio.EnvProxyNetwork), p.Labels[istio.LabelNetwork])
}

// foreign are the pods with a proxy that were given a network which fits; those of
// gateways between networks, and those that disagree with themselves, are not among them.
func foreign(c *model.Cluster, fits func(network string) bool) []*facts.Pod {
	gateways := map[*facts.Pod]bool{}
	for _, g := range c.NetworkGateways() {
		for _, p := range g.Pods {
			gateways[p] = true
		}
	}
	var out []*facts.Pod
	for _, p := range c.ProxyPods() {
		if network := networkOf(p); network != "" && !gateways[p] && !disagrees(p) && fits(network) {
			out = append(out, p)
		}
	}
	return out
}

func byNetwork(pods []*facts.Pod) []model.WorkloadGroup {
	return model.ByWorkload(pods, func(p *facts.Pod) string { return "network " + networkOf(p) })
}

// podsOnUnknownNetwork: pods are on a network that is nobody's.
func podsOnUnknownNetwork(p *rule.Pass[*model.Mesh]) {
	networks := p.Model.Networks()
	for _, c := range model.Able(p) {
		pods := foreign(c, func(network string) bool { return !slices.Contains(networks, network) })
		if len(pods) == 0 {
			continue
		}
		if unknown := p.Model.NetworksUnknown(); unknown.Any() {
			p.NotChecked(c.Context, unknown.Reason())
			continue
		}
		if !p.Model.Several() && len(c.NetworkGateways()) == 0 {
			continue
		}
		groups := byNetwork(pods)
		f := finding.Finding{
			Code: "NET004", Severity: finding.Error, Clusters: []string{c.Context}, Object: finding.Kind("pods"),
			Title:    is(len(pods), "pod") + " on a network that nothing else is on",
			Evidence: append(evidence.OfWorkloads(groups), fleetNetworks(p.Model)),
			Effect:   "istiod gives others their addresses and no gateway, and they go through gateways even to their own cluster",
			Fix: append([]finding.Step{
				finding.Say("Correct the network where the workload sets it (label %s, proxyMetadata).", istio.LabelNetwork),
			}, remedy.RestartGroups(c, groups)...),
		}
		if near := similar.Typo(networkOf(pods[0]), networks); near != "" {
			f.Evidence = append(f.Evidence, finding.Evidence{Field: "perhaps meant", Value: near})
		}
		p.Report(f)
	}
}

// podsOnNetworkOfOthers: pods are on a network of other clusters, of which theirs has no
// gateway.
func podsOnNetworkOfOthers(p *rule.Pass[*model.Mesh]) {
	networks := p.Model.Networks()
	for _, c := range model.Able(p) {
		homes := c.Network().Homes()
		own := slices.Clone(homes)
		for _, g := range c.NetworkGateways() {
			own = append(own, g.Network)
		}
		pods := foreign(c, func(network string) bool { return slices.Contains(networks, network) && !slices.Contains(own, network) })
		if len(pods) == 0 || len(homes) == 0 {
			continue
		}
		if unread := c.MeshNetworksUnread(); len(unread) > 0 {
			p.NotChecked(c.Context, unread[0].Elsewhere())
			continue
		}
		if !p.Model.Several() {
			continue
		}
		groups := byNetwork(pods)
		p.Report(finding.Finding{
			Code: "NET030", Severity: finding.Error, Clusters: []string{c.Context}, Object: finding.Kind("pods"),
			Title:    is(len(pods), "pod") + " on a network of other clusters, which has no gateway here",
			Evidence: append(evidence.OfWorkloads(groups), finding.Evidence{Field: "network of the cluster", Value: strings.Join(homes, ", ")}),
			Effect: "others go to them directly or through gateways of other clusters, and they go to their own cluster through " +
				"its gateway",
			Fix: append([]finding.Step{
				finding.Say("Remove the network from the workload (label %s, proxyMetadata), unless its nodes really are on that network.",
					istio.LabelNetwork),
			}, remedy.RestartGroups(c, groups)...),
		})
	}
}
