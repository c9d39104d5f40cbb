package network

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
)

func TestHealthyFleets(t *testing.T) {
	for _, c := range slices.Concat(istiotest.NetworkHealthy, istiotest.HealthyCases) {
		t.Run(c.Name, func(t *testing.T) { judge(t, c) })
	}
}

func TestFaults(t *testing.T) {
	found := map[finding.Code]bool{}
	for _, c := range istiotest.NetworkFaults {
		t.Run(c.Name, func(t *testing.T) {
			judge(t, c)
			for _, want := range c.Want {
				code, _, _ := strings.Cut(want, " ")
				found[finding.Code(code)] = true
			}
		})
	}
	for _, code := range codesOfRules(rules) {
		if !found[code] {
			t.Errorf("no fleet has %s", code)
		}
	}
}

func judge(t *testing.T, c istiotest.Case) {
	t.Helper()
	result := Verify(c.Fleet().Facts(), Options{})
	got := istiotest.Summarize(result)
	want := slices.Sorted(slices.Values(c.Want))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s\n%+v", diff, result.Findings)
	}
	if len(result.Unknowns) > 0 {
		t.Errorf("everything was readable, and yet not checked: %+v", result.Unknowns)
	}
	ids := map[string]bool{}
	for _, f := range result.Findings {
		complete(t, f)
		if ids[f.ID()] {
			t.Errorf("two findings are %s", f.ID())
		}
		ids[f.ID()] = true
	}
}

// complete: every finding says what a tired person needs.
func complete(t *testing.T, f finding.Finding) {
	t.Helper()
	if f.Title == "" || f.Effect == "" || len(f.Clusters) == 0 {
		t.Errorf("%s lacks a title, an effect or a cluster: %+v", f.Code, f)
	}
	if len(f.Evidence) == 0 {
		t.Errorf("%s has no evidence", f.ID())
	}
	if len(f.Fix) == 0 {
		t.Errorf("%s has no fix", f.ID())
	}
	for _, e := range f.Evidence {
		if e.Field == "" || strings.Trim(e.Value, " ,;") != e.Value || e.Value == "" {
			t.Errorf("%s: evidence %q: %q", f.ID(), e.Field, e.Value)
		}
	}
	for _, step := range f.Fix {
		end := "."
		if len(step.Run) > 0 {
			end = ":"
		}
		if step.Say == "" && len(step.Run) == 0 || step.Say != "" && !strings.HasSuffix(step.Say, end) ||
			strings.ContainsAny(step.Say, "#\n") || strings.Contains(step.Say, "kubectl") {
			t.Errorf("%s: a step that says %q", f.ID(), step.Say)
		}
		for _, command := range step.Run {
			deletes := slices.Contains(command.Args, "delete")
			if deletes && !strings.HasPrefix(step.Say, "Careful: ") {
				t.Errorf("%s: it deletes without a warning: %s", f.ID(), command)
			}
			for c := &command; c != nil; c = c.Pipe {
				line := c.String()
				if c.Args[0] == "kubectl" && c.Context() == "" && !strings.HasPrefix(c.Args[1], "mesh-") {
					t.Errorf("%s: a command without --context: %s", f.ID(), line)
				}
				if strings.TrimSpace(line) != line {
					t.Errorf("%s: blanks around %q", f.ID(), line)
				}
			}
		}
	}
}
