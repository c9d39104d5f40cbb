package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// Formats of results for the systems that keep them.
const (
	JUnit      Format = "junit"      // XML for CI servers
	SARIF      Format = "sarif"      // 2.1.0, for code scanning
	Prometheus Format = "prometheus" // for the textfile collector of the node exporter
)

// PipelineFormats are the formats that a Pipeline writes.
var PipelineFormats = []Format{JUnit, SARIF, Prometheus}

// Pipeline is a result for the systems that keep results.
type Pipeline struct {
	// Command is what was run: "mesh-certs verify"; Version that of the plugin.
	Command, Version string
	// At is when the facts were read.
	At time.Time
	// Clusters are the contexts of the fleet.
	Clusters []string
	Result   finding.Result
	// Codes are those that were checked, whether or not anything was found.
	Codes []finding.Code
	// About is the area of a code, and Meaning the first line of its page.
	About   func(finding.Code) finding.Area
	Meaning func(finding.Code) string
	// Fails says whether findings of a severity make the command fail.
	Fails func(finding.Severity) bool
}

// Write writes it in one of PipelineFormats. An error is that of the writer.
func (p Pipeline) Write(w io.Writer, format Format) error {
	switch format {
	case JUnit:
		return p.junit(w)
	case SARIF:
		return Encode(w, JSON, p.sarif())
	case Prometheus:
		return p.prometheus(w)
	default:
		return fmt.Errorf("there is no format %s for pipelines", format)
	}
}

// of are the findings of a code.
func (p Pipeline) of(code finding.Code) []finding.Finding {
	var out []finding.Finding
	for _, f := range p.Result.Findings {
		if f.Code == code {
			out = append(out, f)
		}
	}
	return out
}

// notChecked says in which clusters a code was not checked, and why.
func (p Pipeline) notChecked(code finding.Code) []string {
	var out []string
	for _, u := range p.Result.Unknowns {
		if slices.Contains(u.Codes, code) {
			out = append(out, u.Cluster+": "+u.Reason.Text)
		}
	}
	return out
}

// prose is a finding in plain text of several lines: evidence, effect and fix.
func prose(f finding.Finding) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	for _, e := range gatherEvidence(f.Evidence, true) {
		line("evidence: %s", printable.Line(e))
	}
	if f.Effect != "" {
		line("effect: %s", printable.Line(f.Effect))
	}
	for _, s := range f.Fix {
		if s.Say != "" {
			line("fix: %s", printable.Line(s.Say))
		}
		for _, c := range s.Run {
			line("  %s", printable.Line(c.String()))
		}
	}
	if f.CausedBy != "" {
		line("caused by %s", printable.Line(f.CausedBy))
	}
	return b.String()
}
