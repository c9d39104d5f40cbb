package ruletest

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// Complete reports findings that do not say what a tired person needs, or of which two
// have the same ID.
func Complete(t *testing.T, r finding.Result) {
	t.Helper()
	complete(t, r, false)
}

// complete is Complete; with bareNotes notes may have neither evidence nor a fix.
func complete(t *testing.T, r finding.Result, bareNotes bool) {
	t.Helper()
	ids := map[string]bool{}
	for _, f := range r.Findings {
		if ids[f.ID()] {
			t.Errorf("two findings are %s", f.ID())
		}
		ids[f.ID()] = true
		if f.Title == "" || f.Effect == "" || len(f.Clusters) == 0 ||
			(len(f.Evidence) == 0 || len(f.Fix) == 0) && (!bareNotes || f.Severity != finding.Note) {
			t.Errorf("%s lacks a title, an effect, a cluster, evidence or a fix: %+v", f.Code, f)
		}
		for _, e := range f.Evidence {
			if e.Field == "" || strings.Trim(e.Value, " ,;") != e.Value || e.Value == "" {
				t.Errorf("%s: evidence %q: %q", f.ID(), e.Field, e.Value)
			}
		}
		before := finding.Step{}
		for _, step := range f.Fix {
			completeStep(t, f.ID(), before, step)
			before = step
		}
	}
}

// completeStep checks a step of a fix. A warning may be a step of its own before it.
func completeStep(t *testing.T, id string, before, step finding.Step) {
	t.Helper()
	end := "."
	if len(step.Run) > 0 {
		end = ":"
	}
	if step.Say == "" && len(step.Run) == 0 || step.Say != "" && !strings.HasSuffix(step.Say, end) ||
		step.Say != "" && !unicode.IsUpper([]rune(step.Say)[0]) || strings.TrimSpace(step.Say) != step.Say ||
		strings.ContainsAny(step.Say, "#\n") || strings.Contains(step.Say, "kubectl") {
		t.Errorf("%s: a step that says %q", id, step.Say)
	}
	warned := strings.HasPrefix(step.Say, "Careful: ") || len(before.Run) == 0 && strings.HasPrefix(before.Say, "Careful: ")
	for _, command := range step.Run {
		for c := &command; c != nil; c = c.Pipe {
			if (slices.Contains(c.Args, "delete") || slices.Contains(c.Args, "--force")) && !warned {
				t.Errorf("%s: it deletes without a warning: %s", id, command)
			}
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
