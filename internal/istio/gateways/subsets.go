package gateways

import (
	"fmt"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// repeatedSubsets (GW043): a gateway has a filter chain for each subset of each Service, with the
// subset's name in the server name that it matches. Of two subsets of one name Envoy refuses the
// whole listener (pilot/pkg/networking/core/gateway.go, builtAutoPassthroughFilterChains).
func repeatedSubsets(p pass) {
	for _, g := range listening(p) {
		passes := false
		for _, l := range g.passing() {
			passes = passes || l.CoversMesh()
		}
		if !passes {
			continue
		}
		if why, lacks := rule.Lacks(g.by.Cluster, resources.DestinationRules); lacks {
			p.NotChecked(g.by.Context, why)
			continue
		}
		for _, r := range g.told.Prediction().RepeatedSubsets(istio.Source{Namespace: g.Pods[0].Namespace, Labels: g.Pods[0].Labels}) {
			p.Gather(g.refusesListener(r))
		}
	}
}

func (g configured) refusesListener(r istio.RepeatedSubset) finding.Finding {
	object := finding.In("destinationrule", r.Rule.Namespace, r.Rule.Name)
	return finding.Finding{
		Code: "GW043", Severity: finding.Error, Clusters: finding.Distinct([]string{g.by.Context, g.Cluster.Context}),
		Object: object, ObjectIn: g.by.Context,
		Title: fmt.Sprintf("two subsets are called %s: gateways between networks refuse their listener", r.Subset),
		Evidence: []finding.Evidence{
			{Cluster: g.by.Context, Field: object.String() + ", subsets", Value: finding.List(r.All)},
			{Cluster: g.Cluster.Context, Field: "gateway", Value: g.Object().String() + " for " + g.Network},
		},
		Effect: fmt.Sprintf("the gateway learns of no change any more, and after its next restart it does not get ready: "+
			"requests from other networks for %s fail", g.Network),
		Fix: []finding.Step{
			finding.Say("Give one of the two another name, or remove it:").
				By(finding.Kubectl(g.by.Context, "-n", r.Rule.Namespace, "edit", "destinationrule/"+r.Rule.Name)),
			finding.Say("If something else writes the DestinationRule, such as Helm or Argo CD, change it there."),
		},
	}
}
