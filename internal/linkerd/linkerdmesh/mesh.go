// Package linkerdmesh is Linkerd as the rest of the program knows it: a mesh.Mesh made of the
// rows, rules and the model in the folders beside it.
package linkerdmesh

import (
	"slices"
	"sync"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/certs"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/controlplane"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/effects"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/endpoints"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/network"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate"
)

// Mesh is Linkerd.
type Mesh struct{}

var _ mesh.Simulator = Mesh{}

// Name is "Linkerd".
func (Mesh) Name() string { return "Linkerd" }

// SystemNamespace is the usual namespace of its control plane. It is found by its ConfigMap, whatever
// it is called.
func (Mesh) SystemNamespace() string { return "linkerd" }

// Effects are what the injector, service mirrors and the program of Linkerd make of a change.
func (Mesh) Effects() simulate.Mesh { return effects.Linkerd{} }

// Table are all rows that are read for Linkerd.
func (Mesh) Table() resource.Set { return resources.All }

// PeerResources are the Links and their credentials.
func (Mesh) PeerResources() resource.Set { return resources.Peers }

// areas are those that rules are about.
var areas = []mesh.Area{mesh.ControlPlane, mesh.Certs, mesh.Network, mesh.Endpoints}

// Resources are the rows that the rules of some areas read.
func (Mesh) Resources(_ []any, areas ...mesh.Area) resource.Set {
	var out resource.Set
	for _, area := range areas {
		switch area {
		case mesh.ControlPlane:
			out = resource.Join(out, resources.ControlPlaneRules)
		case mesh.Certs:
			out = resource.Join(out, resources.Trust)
		case mesh.Network:
			out = resource.Join(out, resources.Networks)
		case mesh.Endpoints:
			out = resource.Join(out, resources.EndpointRules)
		}
	}
	return out
}

// Rules are those of an area.
func Rules(area mesh.Area) []*rule.Rule[*model.Mesh] {
	switch area {
	case mesh.ControlPlane:
		return controlplane.Rules()
	case mesh.Certs:
		return certs.Rules()
	case mesh.Network:
		return network.Rules()
	case mesh.Endpoints:
		return endpoints.Rules()
	}
	return nil
}

// Codes are the codes that the rules of some areas can find.
func (Mesh) Codes(areas ...mesh.Area) []finding.Code {
	var rules []*rule.Rule[*model.Mesh]
	for _, area := range areas {
		rules = append(rules, Rules(area)...)
	}
	return rule.CodesOf(rules)
}

// declared are the rules of all areas, made once: what is needed is asked for each code in turn.
var declared = sync.OnceValue(func() (out []*rule.Rule[*model.Mesh]) {
	for _, area := range areas {
		out = append(out, Rules(area)...)
	}
	return out
})

// Needs are the rows of the rules that can find some codes.
func (Mesh) Needs(codes ...finding.Code) []mesh.Need {
	needs := rule.NeedsOf(declared(), codes...)
	var out []mesh.Need
	for _, row := range resources.All {
		if slices.Contains(needs, rule.Need(row)) {
			out = append(out, mesh.Need{Name: row.String(), Grants: []resource.Grant{row.About().Grant()}})
		}
	}
	return out
}

// FollowUps are none: all is read at once.
func (Mesh) FollowUps(*facts.Fleet, resource.Set) map[string]mesh.FollowUp { return nil }

// Judge runs the rules of areas on a model, and those that name causes of what they find.
func Judge(of *model.Mesh, options rule.Options, areas ...mesh.Area) finding.Result {
	var rules []*rule.Rule[*model.Mesh]
	if slices.Contains(areas, mesh.Network) && !slices.Contains(areas, mesh.Certs) {
		rules = certs.Rules()
	}
	for _, area := range areas {
		rules = append(rules, Rules(area)...)
	}
	return rule.Run(of, rules, options)
}
