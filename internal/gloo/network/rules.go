// Package network holds the rules about the ways between the clusters of a VirtualMesh: the east-west gateway
// of each, what the management plane knows of it, and where the ServiceEntries of the others lead. Everything
// in it is pure.
package network

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

type pass = rule.Pass[*model.Mesh]

// Rules are those about gateways, in the order in which they run.
func Rules() []*rule.Rule[*model.Mesh] {
	managing := model.Managing()
	needs := func(further ...rule.Need) []rule.Need {
		return slices.Concat([]rule.Need{resources.Groups}, managing, further)
	}
	uses := []rule.Need{resources.Deployments, resources.Kubeconfigs, resources.Nodes, resources.Pods}
	return []*rule.Rule[*model.Mesh]{{
		Reports: []rule.Report{rule.May("NET201", finding.Error)}, Needs: needs(resources.Services), Uses: uses,
		After: []finding.Code{"CP201", "CP204"}, Run: noGateway,
	}, {
		Reports: []rule.Report{rule.May("NET202", finding.Error), rule.May("NET203", finding.Error)},
		Needs:   needs(resources.Services, resources.Nodes, resources.Pods, resources.Deployments), Uses: uses, Run: unfitGateway,
	}, {
		Reports: []rule.Report{rule.May("NET204", finding.Error)}, Needs: needs(resources.Services, resources.Nodes), Uses: uses,
		After: []finding.Code{"CP201", "CP204", "NET202", "NET203"}, Run: outdatedGateway,
	}, {
		Reports: []rule.Report{rule.May("NET205", finding.Error, finding.Warning)},
		Needs:   needs(resources.Services, resources.Nodes, resources.ServiceEntries), Uses: uses,
		After: []finding.Code{"NET204", "NET202", "NET203", "CP201", "CP204", "CP206", "CP207"}, Run: outdatedEntries,
	}, {
		Reports: []rule.Report{rule.May("NET206", finding.Error, finding.Warning)}, Needs: needs(), Uses: uses, Run: doubtfulAddress,
	}, {
		Reports: []rule.Report{rule.May("NET208", finding.Error)}, Needs: needs(), Uses: uses, Run: noNames,
	}, {
		Reports: []rule.Report{rule.May("NET207", finding.Error)}, Uses: uses,
		Needs: needs(resources.Services, resources.Gateways, resources.Pods),
		After: []finding.Code{"CP201", "CP204", "CP206", "CP207", "NET203"}, Run: noListener,
	}, {
		Reports: []rule.Report{rule.May("NET209", finding.Error)}, Uses: uses,
		Needs: needs(resources.Services, resources.Gateways, resources.Pods, resources.EnvoyFilters),
		After: []finding.Code{"CP201", "CP204", "CP206", "CP207"}, Run: unrewritten,
	}, {
		Reports: []rule.Report{rule.May("NET210", finding.Error, finding.Warning)}, Needs: needs(resources.Services), Uses: uses,
		After: []finding.Code{"NET202", "NET203", "NET204", "NET206", "NET207", "NET209"}, When: probing.Topic, Run: unreachable,
	}}
}

// members are those that federate through gateways, each once, with the first VirtualMesh that lists it.
func members(p *pass) []*model.Member {
	model.WithoutPlane(p)
	var out []*model.Member
	for _, plane := range model.AblePlanes(p) {
		for _, m := range plane.Members {
			if len(m.VirtualMeshes) > 0 && m.VirtualMeshes[0].Federates() && !m.VirtualMeshes[0].Flat() {
				out = append(out, m)
			}
		}
	}
	return out
}

// unfederated are those of VirtualMeshes with several meshes that federate nothing, of releases that want a gateway for each all the same
// (mesh/federation/federation_translator.go of 1.1).
func unfederated(p *pass) []*model.Member {
	var out []*model.Member
	for _, plane := range model.AblePlanes(p) {
		for _, m := range plane.Members {
			if plane.Selects() && len(m.VirtualMeshes) > 0 && m.VirtualMeshes[0].Groups() && !m.VirtualMeshes[0].Federates() {
				out = append(out, m)
			}
		}
	}
	return out
}

// reached are those of which a rule can check the cluster also. Of the others it says so.
func reached(p *pass) []*model.Member {
	return slices.DeleteFunc(members(p), func(m *model.Member) bool {
		c := m.Target()
		if c == nil {
			model.Elsewhere(p, m)
		}
		return c == nil || !p.Able(c.Context)
	})
}

// others are the clusters from which a mesh is to be reached.
func others(m *model.Member) string {
	var out []string
	for _, o := range m.VirtualMeshes[0].Members {
		if o != m {
			out = append(out, o.Called())
		}
	}
	if len(out) == 0 {
		return "the other clusters"
	}
	return finding.List(finding.Distinct(out))
}

// recorded is the evidence of what the management plane knows of the gateways of a mesh.
func recorded(m *model.Member) finding.Evidence {
	var out []string
	for _, r := range m.Recorded() {
		out = append(out, r.String())
	}
	value := finding.List(out)
	if len(out) == 0 {
		value = "none"
	}
	return finding.Evidence{Cluster: m.Plane.Cluster.Context, Field: m.Discovered().String() + ", gateways", Value: value}
}

// discovery is the finding that says why the management plane does not see a cluster as it is.
func discovery(p *pass, m *model.Member) string {
	context := m.Plane.Cluster.Context
	objects := []finding.Object{finding.In("deployment", m.Plane.Installed, resources.Discovery)}
	if m.Registration != nil {
		objects = append(objects, m.Registration.Registered())
	}
	return model.Cause(p, model.About(context, objects...), "CP204", "CP201")
}
