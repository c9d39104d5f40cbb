// Package controlplane holds the rules about Gloo Mesh's own parts: the management plane, the agents in
// its clusters, and the way from the one to the others. Everything in it is pure.
package controlplane

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

type pass = rule.Pass[*model.Mesh]

// Rules are those about management planes and agents, in the order in which they run.
func Rules() []*rule.Rule[*model.Mesh] {
	custom := model.Custom()
	needs := func(further ...rule.Need) []rule.Need {
		return append([]rule.Need{resources.Groups, resources.Deployments}, further...)
	}
	return []*rule.Rule[*model.Mesh]{{
		Reports: []rule.Report{rule.May("CP201", finding.Error, finding.Warning)}, Needs: needs(), Uses: custom,
		Run: planeDown,
	}, {
		Reports: []rule.Report{rule.May("CP202", finding.Error)}, Needs: needs(model.Discovering()...), Uses: custom,
		Run: agentDown,
	}, {
		Reports: []rule.Report{rule.May("CP204", finding.Error)}, Uses: custom,
		Needs: needs(append(model.Registering(), resources.Kubeconfigs)...), Run: unusableKubeconfig,
	}, {
		Reports: []rule.Report{rule.May("CP203", finding.Error, finding.Warning)}, Uses: custom,
		Needs: needs(model.Registering()...), Run: versions,
	}, {
		Reports: []rule.Report{rule.May("CP205", finding.Error)}, Uses: custom,
		Needs: needs(append(model.Discovering(), resources.Istiods)...),
		After: []finding.Code{"CP201", "CP204"}, Run: undiscovered,
	}, {
		Reports: []rule.Report{rule.May("CP206", finding.Error, finding.Warning)}, Uses: custom,
		Needs: needs(slices.Concat(model.Registering(), model.Issuing(), []rule.Need{resources.ServiceEntries})...), Run: twoPlanes,
	}, {
		Reports: []rule.Report{rule.May("CP207", finding.Error)}, Needs: needs(model.Managing()...), Uses: custom,
		After: []finding.Code{"CP201"}, Run: deaf,
	}}
}

func deployment(namespace, name string) finding.Object {
	return finding.In("deployment", namespace, name)
}
