package rules_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/gloomesh"
	gloomodel "github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ask"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/linkerdmesh"
	linkerdmodel "github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/reach"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rules"
)

var areas = []mesh.Area{mesh.ControlPlane, mesh.Certs, mesh.Network, mesh.Endpoints}

// istio are all rules of Istio.
func istio() []*rule.Rule[*model.Mesh] {
	var out []*rule.Rule[*model.Mesh]
	for _, area := range areas {
		out = append(out, istiomesh.Rules(area)...)
	}
	return out
}

// linkerd are all rules of Linkerd.
func linkerd() []*rule.Rule[*linkerdmodel.Mesh] {
	var out []*rule.Rule[*linkerdmodel.Mesh]
	for _, area := range areas {
		out = append(out, linkerdmesh.Rules(area)...)
	}
	return out
}

// gloo are all rules of Gloo Mesh.
func gloo() []*rule.Rule[*gloomodel.Mesh] {
	var out []*rule.Rule[*gloomodel.Mesh]
	for _, area := range areas {
		out = append(out, gloomesh.Rules(area)...)
	}
	return out
}

// Declarations agree with pages and with one another.
func TestDeclarations(t *testing.T) {
	if err := rule.Validate(istio()); err != nil {
		t.Error(err)
	}
	if err := rule.Validate(linkerd()); err != nil {
		t.Error(err)
	}
	if err := rule.Validate(gloo()); err != nil {
		t.Error(err)
	}
}

// Every code that can be found has a page, and every page is of such a code.
func TestEveryCodeIsExplained(t *testing.T) {
	var found []finding.Code
	for _, m := range rules.Meshes() {
		found = append(found, m.Codes(areas...)...)
	}
	severities := map[finding.Code][]finding.Severity{}
	for _, r := range reach.Reports() {
		found, severities[r.Code] = append(found, r.Code), r.Severities
	}
	slices.Sort(found)
	entries, err := finding.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	var explained []finding.Code
	for _, e := range entries {
		explained = append(explained, e.Code)
		if s, ok := severities[e.Code]; ok && !slices.Equal(s, e.Severities) {
			t.Errorf("the page of %s says %v, its rule says %v", e.Code, e.Severities, s)
		}
	}
	if diff := cmp.Diff(found, explained); diff != "" {
		t.Errorf("codes that rules find (-) and codes that are explained (+):\n%s", diff)
	}
}

// What a rule needs is read for its area, live and from dumps.
func TestNeedsAreRead(t *testing.T) {
	m := istiomesh.Mesh{}
	table := map[string]bool{}
	for _, row := range m.Table() {
		table[row.String()] = true
	}
	for _, area := range areas {
		read := map[string]bool{}
		for _, row := range m.Resources([]any{mesh.Probing{}, mesh.AskProxies{}}, area) {
			read[row.String()] = true
		}
		if read[resources.GatewayEvents.String()] { // what facts lead to is read afterwards
			for _, row := range ask.Followed {
				read[row.String()] = true
			}
		}
		for _, r := range istiomesh.Rules(area) {
			for _, need := range slices.Concat(r.Needs, r.Uses) {
				if name := need.String(); table[name] && !read[name] {
					t.Errorf("%v need %s, which is not read for %s", r.Codes(), name, area)
				}
			}
		}
	}
}

// The same of Gloo Mesh. What names causes alone is used where it was read for another area.
func TestGloosNeedsAreRead(t *testing.T) {
	m := gloomesh.Mesh{}
	for _, area := range areas {
		read := m.Resources(nil, area)
		for _, r := range gloomesh.Rules(area) {
			for _, need := range slices.Concat(r.Needs, r.Uses) {
				if row, ok := need.(resource.Resource); !ok || !read.Has(row) || !m.Table().Has(row) {
					t.Errorf("%v need %s, which is not read for %s", r.Codes(), need, area)
				}
			}
		}
	}
}

// The same of Linkerd: it reads all at once.
func TestLinkerdsNeedsAreRead(t *testing.T) {
	m := linkerdmesh.Mesh{}
	for _, area := range areas {
		read := m.Resources(nil, area)
		for _, r := range linkerdmesh.Rules(area) {
			for _, need := range slices.Concat(r.Needs, r.Uses) {
				if row, ok := need.(resource.Resource); !ok || !read.Has(row) || !m.Table().Has(row) {
					t.Errorf("%v need %s, which is not read for %s", r.Codes(), need, area)
				}
			}
		}
	}
}
