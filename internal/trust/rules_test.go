package trust

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/meshtest"
)

func TestHealthyFleets(t *testing.T) {
	for _, c := range meshtest.HealthyCases {
		t.Run(c.Name, func(t *testing.T) { judge(t, c) })
	}
}

func TestFaults(t *testing.T) {
	for _, c := range meshtest.Faults {
		t.Run(c.Name, func(t *testing.T) { judge(t, c) })
	}
}

func judge(t *testing.T, c meshtest.Case) {
	t.Helper()
	result := Verify(c.Fleet().Facts(), Options{ExpiryWarn: DefaultExpiryWarn})
	got := meshtest.Summarize(result)
	want := slices.Sorted(slices.Values(c.Want))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s\n%+v", diff, result.Findings)
	}
	if len(result.Unknowns) > 0 {
		t.Errorf("everything was readable, and yet not judged: %+v", result.Unknowns)
	}
	for _, f := range result.Findings {
		complete(t, f)
	}
}

// complete: every finding says what a tired person needs.
func complete(t *testing.T, f finding.Finding) {
	t.Helper()
	if f.Title == "" || f.Effect == "" || len(f.Clusters) == 0 {
		t.Errorf("%s lacks a title, an effect or a cluster: %+v", f.Code, f)
	}
	if f.Severity != finding.Info && len(f.Evidence) == 0 {
		t.Errorf("%s has no evidence", f.ID())
	}
	if f.Severity == finding.Error && len(f.Fix) == 0 {
		t.Errorf("%s has no fix", f.ID())
	}
	for _, line := range f.Fix {
		if strings.Contains(line, "kubectl") && !strings.HasPrefix(line, "# ") && !strings.Contains(line, "--context=") {
			t.Errorf("%s: a command without --context: %s", f.ID(), line)
		}
	}
}
