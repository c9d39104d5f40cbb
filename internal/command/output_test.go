package command

import (
	"bytes"
	"errors"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// Where the output is no terminal, only --color=always makes colours: who asks for
// them in so many words goes before NO_COLOR (https://no-color.org).
func TestColorWithoutATerminal(t *testing.T) {
	for _, noColor := range []string{"", "1"} {
		t.Setenv("NO_COLOR", noColor)
		for mode, want := range map[string]bool{"auto": false, "always": true, "never": false} {
			f := &Frame{IOStreams: genericiooptions.IOStreams{Out: &bytes.Buffer{}}}
			if p := f.Page(&Output{format: "table", color: mode}); p.Color != want || p.Width != 0 || !p.Headers {
				t.Errorf("--color=%s, NO_COLOR=%q: %+v", mode, noColor, p)
			}
		}
	}
}

func TestFailOn(t *testing.T) {
	result := func(severities ...finding.Severity) finding.Result {
		var r finding.Result
		for _, s := range severities {
			r.Add(finding.Finding{Code: "CERT001", Severity: s})
		}
		return r
	}
	for _, c := range []struct {
		level  string
		result finding.Result
		fails  bool
	}{
		{"error", result(), false},
		{"error", result(finding.Warning, finding.Note), false},
		{"error", result(finding.Note, finding.Error), true},
		{"warning", result(finding.Note), false},
		{"warning", result(finding.Warning), true},
		{"warning", result(finding.Error), true},
		{"note", result(finding.Note), true},
		{"note", result(), false},
		{"never", result(finding.Error), false},
	} {
		if err := (&FailOn{c.level}).Exit(c.result); (err != nil) != c.fails || err != nil && !errors.Is(err, ExitCode(ExitFindings)) {
			t.Errorf("--fail-on=%s of %d findings, the worst %v: %v", c.level, len(c.result.Findings), c.result.Findings, err)
		}
	}
}
