// Package certs holds the rules about the certificates of clusters in a VirtualMesh with a shared root: the
// chain from the VirtualMesh to Secret cacerts, which the management plane and the agent of the cluster make
// together. Whether istiod uses that Secret, and whether clusters trust one another, Istio's rules say. Everything
// in it is pure.
package certs

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

type pass = rule.Pass[*model.Mesh]

// whyNothing are the codes that say why the management plane writes nothing to a cluster, or why nothing is
// done there, in the order in which they are asked.
var whyNothing = []finding.Code{"CP201", "CP204", "CP206", "CP203", "CP207", "EP204", "EP205", "EP201", "EP203", "CP202"}

// Rules are those about certificates, in the order in which they run.
func Rules() []*rule.Rule[*model.Mesh] {
	custom := model.Custom()
	needs := func(further ...rule.Need) []rule.Need {
		return slices.Concat([]rule.Need{resources.Groups}, custom, further)
	}
	uses := slices.Clip([]rule.Need{resources.Deployments, resources.Kubeconfigs, resources.RootCert})
	return []*rule.Rule[*model.Mesh]{{
		Reports: []rule.Report{rule.May("CERT210", finding.Error, finding.Warning, finding.Note)}, Needs: needs(),
		Uses: append(uses, resources.RootSecrets, resources.CACerts), Run: signingRoot,
	}, {
		Reports: []rule.Report{rule.May("CERT205", finding.Error)}, Needs: needs(resources.CACerts),
		Uses: append(uses, resources.IstiodPods), After: []finding.Code{"CERT210", "CP206"}, Run: foreign,
	}, {
		Reports: []rule.Report{rule.May("CERT201", finding.Error)}, Needs: needs(), Uses: uses,
		After: whyNothing, Run: noAgent,
	}, {
		Reports: []rule.Report{rule.May("CERT202", finding.Error)}, Needs: needs(), Uses: append(uses, resources.CACerts),
		After: whyNothing, Run: notOrdered,
	}, {
		Reports: []rule.Report{rule.May("CERT203", finding.Error, finding.Warning)}, Needs: needs(resources.CACerts), Uses: uses,
		After: append(slices.Clone(whyNothing), "CERT205", "CERT210"), Run: notIssued,
	}, {
		Reports: []rule.Report{rule.May("CERT204", finding.Error)}, Needs: needs(resources.CACerts), Uses: uses,
		After: append(slices.Clone(whyNothing), "CERT205"), Run: secretLost,
	}, {
		Reports: []rule.Report{rule.May("CERT206", finding.Error, finding.Warning)}, Needs: needs(resources.CACerts),
		Uses:  append(uses, resources.IstiodPods),
		After: []finding.Code{"CP202", "CERT205"}, Run: notRestarted,
	}, {
		Reports: []rule.Report{rule.May("CERT208", finding.Error, finding.Warning, finding.Note)}, Needs: needs(), Run: rotation,
	}, {
		Reports: []rule.Report{rule.May("CERT209", finding.Warning)},
		Needs:   needs(resources.CACerts, resources.RootCert, resources.Sidecars), Uses: uses, Run: workloadsBefore,
	}, {
		Reports: []rule.Report{rule.May("CERT207", finding.Note)}, Needs: needs(), Run: notShared,
	}}
}

// able are the certificates of members of which a rule can check both clusters. Of members whose cluster is
// none of the fleet it says so.
func able(p *pass) []*model.Issue {
	for _, plane := range model.AblePlanes(p) {
		for _, v := range plane.VirtualMeshes {
			for _, m := range v.Members {
				if v.Shares() && m.Target() == nil {
					model.Elsewhere(p, m)
				}
			}
		}
	}
	model.WithoutPlane(p)
	return slices.DeleteFunc(p.Model.Issues(), func(i *model.Issue) bool {
		return !p.Able(i.Cluster.Context) || !p.Able(i.Plane.Cluster.Context)
	})
}

// cause is the finding that says why the management plane, or the agent, did not do its part for a member.
func cause(p *pass, i *model.Issue, codes ...finding.Code) string {
	v := i.VirtualMesh
	plane := i.Plane
	management, member := plane.Cluster.Context, i.Cluster.Context
	for _, code := range codes {
		fits := model.In(management)
		switch code {
		case "CP202", "CP203", "CP206", "CERT205":
			fits = model.In(member)
		case "CP204":
			if i.Registration == nil {
				continue
			}
			fits = model.About(management, i.Registration.Registered())
		case "CP207":
			fits = model.About(management, finding.Kind(v.Resource()))
		case "CERT210":
			fits = model.About(management, rootOf(v))
		case "EP201", "EP203", "EP205":
			fits = model.About(management, v.Called())
		case "EP204":
			var listing []finding.Object
			for _, w := range i.VirtualMeshes {
				listing = append(listing, w.Called())
			}
			fits = model.About(management, listing...)
		}
		if id := model.Cause(p, fits, code); id != "" {
			return id
		}
	}
	return ""
}
