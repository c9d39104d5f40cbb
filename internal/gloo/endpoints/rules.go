// Package endpoints holds the rules about what people ask of a management plane and what it makes of that: the
// statuses of VirtualMeshes and policies, and the federated services of each cluster; and what maps and diagnoses show of
// the ways by federated names. Everything in it is
// pure.
package endpoints

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

type pass = rule.Pass[*model.Mesh]

// Rules are those about statuses and federation, in the order in which they run.
func Rules() []*rule.Rule[*model.Mesh] {
	managing := model.Managing()
	needs := func(further ...rule.Need) []rule.Need {
		return slices.Concat([]rule.Need{resources.Groups}, managing, further)
	}
	uses := []rule.Need{resources.Deployments, resources.Kubeconfigs}
	federation := []rule.Need{resources.ServiceEntries, resources.Services}
	return []*rule.Rule[*model.Mesh]{{
		Reports: []rule.Report{rule.May("EP205", finding.Error)}, Needs: needs(), Uses: uses,
		After: []finding.Code{"CP201", "CP204", "CP205"}, Run: missingMesh,
	}, {
		Reports: []rule.Report{rule.May("EP204", finding.Error)}, Needs: needs(), Uses: uses, Run: twoVirtualMeshes,
	}, {
		Reports: []rule.Report{rule.May("EP203", finding.Error)}, Needs: needs(), Uses: uses,
		After: []finding.Code{"CP201", "CP207"}, Run: notObserved,
	}, {
		Reports: []rule.Report{rule.May("EP201", finding.Error)}, Needs: needs(), Uses: uses,
		After: append(whyRefused(), "EP204", "EP205"), Run: virtualMeshRefused,
	}, {
		Reports: []rule.Report{rule.May("EP202", finding.Error, finding.Warning)}, Needs: needs(), Uses: uses,
		After: []finding.Code{"CP201", "CP204"}, Run: policyRefused,
	}, {
		Reports: []rule.Report{rule.May("EP210", finding.Warning)}, Needs: needs(), Uses: uses,
		After: []finding.Code{"CP201", "CP204", "CP205"}, Run: targetMissing,
	}, {
		Reports: []rule.Report{rule.May("EP209", finding.Error)}, Needs: needs(), Uses: uses,
		After: []finding.Code{"CP201", "CP207", "EP201", "EP203", "EP204", "EP205"}, Run: notApplied,
	}, {
		Reports: []rule.Report{rule.May("EP211", finding.Warning, finding.Note)},
		Needs:   needs(resources.Services, resources.Pods), Uses: uses, Run: noPods,
	}, {
		Reports: []rule.Report{rule.May("EP207", finding.Error)}, Needs: needs(federation...), Uses: append(uses, resources.Pods),
		After: whyUnreachable(), Run: entryEmpty,
	}, {
		Reports: []rule.Report{rule.May("EP206", finding.Error)}, Needs: needs(federation...), Uses: uses,
		After: append(whyUnwritten(), whyUnreachable()...), Run: entryMissing,
	}, {
		Reports: []rule.Report{rule.May("EP208", finding.Warning)}, Needs: needs(federation...), Uses: uses,
		After: []finding.Code{"CP201", "CP204", "CP206"}, Run: entryOrphaned,
	}, {
		Reports: []rule.Report{rule.May("EP212", finding.Error, finding.Warning)},
		Needs:   needs(append(federation, resources.Pods)...), Uses: uses,
		After: []finding.Code{"CP201", "CP204"}, Run: outdatedPods,
	}, {
		Reports: []rule.Report{rule.May("EP213", finding.Warning, finding.Note)},
		Needs:   needs(resources.Services, resources.Pods, resources.Namespaces), Uses: uses,
		After: []finding.Code{"CP201", "CP204"}, Run: notDiscovered,
	}, {
		Reports: []rule.Report{rule.May("EP214", finding.Warning)}, Needs: needs(resources.ServiceEntries), Uses: uses, Run: sharedAddress,
	}}
}

// whyRefused are the codes that say why a VirtualMesh is refused.
func whyRefused() []finding.Code {
	return []finding.Code{"NET201", "NET202", "NET203", "NET208", "CP204"}
}

// whyUnreachable are the codes that say why a mesh has no address for the others.
func whyUnreachable() []finding.Code { return []finding.Code{"NET202", "NET203", "NET201"} }

// whyUnwritten are the codes that say why the management plane writes nothing to a cluster, about the plane, a
// registration, a cluster or a VirtualMesh.
func whyUnwritten() []finding.Code {
	return []finding.Code{"CP201", "CP204", "CP206", "CP207", "EP204", "EP205", "NET208", "EP201", "EP203", "EP209"}
}
