package ruletest

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// Complete reports findings that do not say what a tired person needs, or of which two
// have the same ID.
func Complete(t *testing.T, r finding.Result) {
	t.Helper()
	ids := map[string]bool{}
	for _, f := range r.Findings {
		if ids[f.ID()] {
			t.Errorf("two findings are %s", f.ID())
		}
		ids[f.ID()] = true
		if f.Title == "" || f.Effect == "" || len(f.Clusters) == 0 || len(f.Evidence) == 0 || len(f.Fix) == 0 {
			t.Errorf("%s lacks a title, an effect, a cluster, evidence or a fix: %+v", f.Code, f)
		}
		for _, e := range f.Evidence {
			if e.Field == "" || strings.Trim(e.Value, " ,;") != e.Value || e.Value == "" {
				t.Errorf("%s: evidence %q: %q", f.ID(), e.Field, e.Value)
			}
		}
		for _, step := range f.Fix {
			completeStep(t, f.ID(), step)
		}
	}
}

func completeStep(t *testing.T, id string, step finding.Step) {
	t.Helper()
	end := "."
	if len(step.Run) > 0 {
		end = ":"
	}
	if step.Say == "" && len(step.Run) == 0 || step.Say != "" && !strings.HasSuffix(step.Say, end) ||
		strings.ContainsAny(step.Say, "#\n") || strings.Contains(step.Say, "kubectl") {
		t.Errorf("%s: a step that says %q", id, step.Say)
	}
	for _, command := range step.Run {
		if slices.Contains(command.Args, "delete") && !strings.HasPrefix(step.Say, "Careful: ") {
			t.Errorf("%s: it deletes without a warning: %s", id, command)
		}
		for c := &command; c != nil; c = c.Pipe {
			line := c.String()
			if c.Args[0] == "kubectl" && c.Context() == "" && !strings.HasPrefix(c.Args[1], "mesh-") {
				t.Errorf("%s: a command without --context: %s", id, line)
			}
			if strings.TrimSpace(line) != line {
				t.Errorf("%s: blanks around %q", id, line)
			}
		}
	}
}
