// Package gloomesh is Gloo Mesh as the rest of the program knows it: a mesh.Mesh made of the
// rows, rules and the model in the folders beside it.
package gloomesh

import (
	"context"
	"slices"
	"sync"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/certs"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/controlplane"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/effects"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/endpoints"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/network"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate"
	"github.com/kubectl-mesh/kubectl-mesh/internal/verdict"
)

// Mesh is Gloo Mesh, which was called Service Mesh Hub up to 0.9.
type Mesh struct{}

var (
	_ mesh.Explainer = Mesh{}
	_ mesh.Simulator = Mesh{}
)

// Name is "Gloo Mesh".
func (Mesh) Name() string { return "Gloo Mesh" }

// Effects are what the management plane makes of a change.
func (Mesh) Effects() simulate.Mesh { return effects.Gloo{} }

// SystemNamespace is the usual namespace of its management plane. It is found by what it writes,
// whatever it is called.
func (Mesh) SystemNamespace() string { return "gloo-mesh" }

// Table are all rows that are read for Gloo Mesh.
func (Mesh) Table() resource.Set { return resources.All }

// PeerResources are the registrations and their kubeconfigs.
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
		case mesh.Network, mesh.Endpoints:
			out = resource.Join(out, resources.Federation)
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

// Judge runs all rules on a model: those of one area name causes that are of others.
func Judge(of *model.Mesh, options rule.Options) finding.Result {
	var rules []*rule.Rule[*model.Mesh]
	for _, area := range areas {
		rules = append(rules, Rules(area)...)
	}
	return rule.Run(of, rules, options)
}

// Verify runs the rules of the areas. In a fleet without Gloo Mesh there is nothing to say, not even
// that something was not checked.
func (m Mesh) Verify(ctx context.Context, run *mesh.Run) (finding.Result, error) {
	result, _, err := m.CheckUp(ctx, run)
	return result, err
}

// CheckUp is Verify, and what is well besides.
func (m Mesh) CheckUp(ctx context.Context, run *mesh.Run) (finding.Result, verdict.Overview, error) {
	of := model.New(run.Fleet)
	if len(of.Clusters) == 0 {
		return finding.Result{}, verdict.Overview{}, nil
	}
	topics, err := try(ctx, run, of)
	if err != nil {
		return finding.Result{}, verdict.Overview{}, err
	}
	return Judge(of, rule.Options{Topics: topics}).Of(m.Codes(run.Areas...)), overview(of), nil
}

// Explain names what Gloo Mesh did not do as the cause of what Istio's rules found: secret cacerts is its work. A
// management cluster without Istio has no CA that could be compared.
func (Mesh) Explain(fleet *facts.Fleet, result *finding.Result) {
	certs.Explain(model.New(fleet), result)
}
