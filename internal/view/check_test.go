package view_test

import (
	"cmp"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// Of a step are the errors and warnings with its codes that concern the path, in the order that is asked for.
func TestFindingsAtAStep(t *testing.T) {
	in := func(code finding.Code, severity finding.Severity, cluster, by string) finding.Finding {
		return finding.Finding{Code: code, Severity: severity, Clusters: []string{cluster}, CausedBy: by}
	}
	found := finding.Result{Findings: []finding.Finding{
		in("GW001", finding.Error, "east", "another"), in("GW002", finding.Warning, "east", ""), in("GW001", finding.Note, "east", ""),
		in("GW003", finding.Error, "east", ""), in("GW002", finding.Error, "west", ""),
	}}
	east := func(f finding.Finding) bool { return f.Clusters[0] == "east" }
	step := view.Check{Name: "gateway", Codes: []finding.Code{"GW001", "GW002"}}
	var got []string
	for _, f := range step.At(found, east, func(a, b finding.Finding) int { return cmp.Compare(len(a.CausedBy), len(b.CausedBy)) }) {
		got = append(got, string(f.Severity)+" "+f.ID())
	}
	want := []string{"warning " + found.Findings[1].ID(), "error " + found.Findings[0].ID()}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What was not checked is told of the clusters of the path and of the codes of its steps alone.
func TestUnchecked(t *testing.T) {
	steps := []view.Check{{Codes: []finding.Code{"GW001"}}, {Codes: []finding.Code{"NET001", "NET002"}}}
	var found finding.Result
	found.NotChecked("east", finding.Because("nodes: forbidden"), "GW001", "NET001", "CERT001")
	found.NotChecked("east", finding.Because("pods: forbidden"), "CERT001")
	found.NotChecked("north", finding.Because("nodes: forbidden"), "GW001")
	found.NotChecked("west", finding.Because("services: forbidden"), "NET002")
	var want finding.Result
	want.NotChecked("east", finding.Because("nodes: forbidden"), "GW001", "NET001")
	want.NotChecked("west", finding.Because("services: forbidden"), "NET002")
	if diff := gocmp.Diff(want.Unknowns, view.Unchecked(steps, found, "east", "west")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
