package command

import (
	"bytes"
	"errors"
	"io"
	"strings"
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
			if p := f.Page(&Output{format: formats{word: word{text: "table"}}, color: mode}); p.Color != want || p.Width != 0 || !p.Headers {
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
		if err := (&FailOn{level: word{text: c.level}}).Exit(c.result); (err != nil) != c.fails || err != nil && !errors.Is(err, ExitCode(ExitFindings)) {
			t.Errorf("--fail-on=%s of %d findings, the worst %v: %v", c.level, len(c.result.Findings), c.result.Findings, err)
		}
	}
}

// With --strict, a run that finds nothing and did not check everything ends with 3.
func TestStrict(t *testing.T) {
	var lacking finding.Result
	lacking.NotChecked("east", finding.ClusterUnreached, "CERT001")
	for _, c := range []struct {
		name   string
		failOn FailOn
		result finding.Result
		want   error
	}{
		{"all checked", FailOn{level: word{text: "error"}, strict: true}, finding.Result{}, nil},
		{"not all checked", FailOn{level: word{text: "error"}, strict: true}, lacking, ExitCode(ExitIncomplete)},
		{"nobody minds", FailOn{level: word{text: "error"}}, lacking, nil},
		{"findings are told, and do not fail", FailOn{level: word{text: "never"}, strict: true}, lacking, ExitCode(ExitIncomplete)},
		{"something is found", FailOn{level: word{text: "error"}, strict: true}, finding.Result{
			Findings: []finding.Finding{{Severity: finding.Error}}, Unknowns: lacking.Unknowns,
		}, ExitCode(ExitFindings)},
	} {
		if got := c.failOn.Exit(c.result); !errors.Is(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// full is a disk without room.
type full struct{ room int }

func (f *full) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, errors.New("no space left on device")
	}
	return len(p), nil
}

// Output that could not be written is no success, in whatever format.
func TestFailedWrites(t *testing.T) {
	for _, format := range []string{"table", "wide", "json", "yaml", "name"} {
		for _, fleet := range []string{healthy, broken} {
			var said bytes.Buffer
			code := Run(t.Context(), plugin, []string{"kubectl-mesh_test", "judge", "--from", fleet, "-o", format},
				genericiooptions.IOStreams{Out: &full{room: 10}, ErrOut: &said})
			if fleet == healthy && code == ExitOK {
				continue // there was nothing to write
			}
			if code != ExitFailed || !strings.Contains(said.String(), "writing the output: no space left on device") {
				t.Errorf("-o %s of %s: exit code %d: %s", format, fleet, code, said.String())
			}
		}
	}
}

// What is said on a terminal is broken at words; commands that are pasted, and what goes elsewhere, never are.
func TestSentences(t *testing.T) {
	said := "Read from fleet, as of 2026-12-01T04:21:05Z: prod-01, prod-02, prod-03 and 47 more.\n"
	command := "What its istiod has sent: kubectl mesh-endpoints list helloworld.sample --from fleet --source istiod\n"
	for columns, want := range map[int]string{
		0: said, 200: said, 40: "Read from fleet, as of\n2026-12-01T04:21:05Z: prod-01, prod-02,\nprod-03 and 47 more.\n",
	} {
		var out bytes.Buffer
		w := sentences{&out, func() int { return columns }}
		if n, err := io.WriteString(w, said+command); n != len(said+command) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if got := out.String(); got != want+command {
			t.Errorf("%d columns: %q", columns, got)
		}
	}
}
