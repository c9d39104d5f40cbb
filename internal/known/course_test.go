package known_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/known"
)

// A fleet that is checked again and again: what is not checked any more is not fixed, and nothing new when it is
// checked again.
func TestCourse(t *testing.T) {
	const a, b = finding.Code("NET013"), finding.Code("GW002")
	found := func(code finding.Code, s finding.Severity, clusters ...string) finding.Finding {
		return finding.Finding{Code: code, Severity: s, Clusters: clusters}
	}
	unknown := func(cluster string, codes ...finding.Code) finding.Unknown {
		return finding.Unknown{Cluster: cluster, Codes: codes}
	}
	east, pair := found(a, finding.Error, "east"), found(b, finding.Error, "east", "west")
	milder := found(a, finding.Warning, "east")
	both := []string{"east", "west"}
	course := known.NewCourse(finding.Result{Findings: []finding.Finding{east}})
	for i, step := range []struct {
		clusters []string
		result   finding.Result
		want     known.Step
	}{
		{both, finding.Result{Findings: []finding.Finding{east}}, known.Step{}},
		{both, finding.Result{Findings: []finding.Finding{east, pair}}, known.Step{Appeared: []finding.Finding{pair}}},
		{both, finding.Result{Findings: []finding.Finding{milder, pair}}, known.Step{Changed: []finding.Finding{milder}}},
		{both, finding.Result{Findings: []finding.Finding{east, pair}}, known.Step{Changed: []finding.Finding{east}}},
		// west does not answer: that of both clusters is not known, and not said twice.
		{both, finding.Result{Findings: []finding.Finding{east}, Unknowns: []finding.Unknown{unknown("west", b)}}, known.Step{Unsure: []finding.Finding{pair}}},
		{both, finding.Result{Findings: []finding.Finding{east}, Unknowns: []finding.Unknown{unknown("west", a, b)}}, known.Step{}},
		// It answers again, and nothing is new; then it does not, and then it is fixed.
		{both, finding.Result{Findings: []finding.Finding{east, pair}}, known.Step{}},
		{both, finding.Result{Unknowns: []finding.Unknown{unknown("west", b)}}, known.Step{Fixed: []finding.Finding{east}, Unsure: []finding.Finding{pair}}},
		{both, finding.Result{}, known.Step{Fixed: []finding.Finding{pair}}},
		{both, finding.Result{}, known.Step{}},
		// A cluster that is not a part of the fleet any more.
		{both, finding.Result{Findings: []finding.Finding{pair, east}}, known.Step{Appeared: []finding.Finding{pair, east}}},
		{[]string{"east"}, finding.Result{}, known.Step{Fixed: []finding.Finding{east}, Unsure: []finding.Finding{pair}}},
	} {
		got := course.Next(step.clusters, step.result)
		for _, part := range []*[]finding.Finding{&step.want.Appeared, &got.Appeared} {
			slices.SortFunc(*part, func(a, b finding.Finding) int { return len(a.ID()) - len(b.ID()) })
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("step %d (-want +got):\n%s", i, diff)
		}
		if got.None() != (len(step.want.Appeared)+len(step.want.Changed)+len(step.want.Fixed)+len(step.want.Unsure) == 0) {
			t.Errorf("step %d: %t", i, got.None())
		}
	}
}
