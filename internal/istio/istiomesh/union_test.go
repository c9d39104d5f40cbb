package istiomesh_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// A check of the whole fleet finds what the plugins verify, each in its area, and beyond that what
// only it looks at: nothing less, nothing more, nothing worse.
func TestWholeIsTheSumOfItsAreas(t *testing.T) {
	if raceDetector {
		t.Skip("it is one goroutine; make unit runs it without the race detector")
	}
	var m istiomesh.Mesh
	areas := []mesh.Area{mesh.Certs, mesh.Network, mesh.Endpoints}
	own := m.Codes(mesh.ControlPlane)
	found := 0
	for _, f := range fleets(t) {
		if f.random {
			continue
		}
		built := model.New(f.facts, model.Options{Seen: f.seen, Hosts: f.hosts})
		whole := istiomesh.Judge(built, rule.Options{}, append(areas, mesh.ControlPlane)...)
		whole.Findings = slices.DeleteFunc(whole.Findings, func(f finding.Finding) bool { return slices.Contains(own, f.Code) })
		var parts []string
		for _, area := range areas {
			parts = append(parts, listed(istiomesh.Judge(built, rule.Options{}, area).Of(m.Codes(area)))...)
		}
		slices.Sort(parts)
		parts = slices.Compact(parts)
		if diff := cmp.Diff(parts, listed(whole)); diff != "" {
			t.Errorf("%s: what the areas find (-) and the whole (+):\n%s", f.name, diff)
		}
		found += len(parts)
	}
	if found < 500 {
		t.Errorf("only %d findings were compared", found)
	}
}

// listed are the findings of a result, sorted.
func listed(r finding.Result) []string {
	var out []string
	for _, f := range r.Findings {
		out = append(out, f.ID()+" "+string(f.Severity)+" "+f.Title)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
