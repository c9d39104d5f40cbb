package network

import (
	"fmt"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/questions"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// directRule is the one about pods of other networks that were tried past their gateway.
func directRule() *rule.Rule[*model.Mesh] {
	return &rule.Rule[*model.Mesh]{
		Reports: []rule.Report{rule.May("NET008", finding.Note)},
		Needs:   []rule.Need{resources.Pods},
		Uses:    []rule.Need{questions.Trials},
		When:    probing.Topic,
		Run:     directTrials,
	}
}

// directTrials finds pods that reach pods of another network: between them no gateways
// are needed.
func directTrials(p *rule.Pass[*model.Mesh]) {
	for _, t := range probing.Given(p.Model) {
		from := t.Vantage.Context
		if t.Purpose != probing.PodToPod || !t.AsClient || !p.Able(from) {
			continue
		}
		switch t.Result {
		case probing.NotTried:
			p.NotChecked(from, t.Reason())
		case probing.Trusted:
			p.Gather(finding.Finding{
				Code: "NET008", Severity: finding.Note, Clusters: finding.Distinct([]string{from, t.Cluster}),
				Object: finding.Named("network", t.Network),
				Title:  fmt.Sprintf("pods of %s reach pods of network %s past its gateway", from, t.Network),
				Evidence: []finding.Evidence{
					{Field: t.Seen(), Value: t.Says()}, {Cluster: from, Field: "network of the pod that tried", Value: t.PodNetwork},
				},
				Effect: fmt.Sprintf("requests from %s to %s take a detour through the gateway that they may not need", t.PodNetwork, t.Network),
				Fix: []finding.Step{
					finding.Say("Do nothing if the networks are separate on purpose. Otherwise check that all pods reach one another, both ways."),
					finding.Say("Then give both the same network name, by global.network and label %s of the system namespace, and restart the "+
						"workloads. See the label:", istio.LabelNetwork).
						By(finding.Kubectl(from, "get", "namespaces", "-L", istio.LabelNetwork)),
				},
			})
		default: // the pods need the gateway
		}
	}
}
