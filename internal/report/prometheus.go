package report

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// prometheus writes the result in the text format of Prometheus (the exposition formats page of
// its documentation), for the textfile collector. What is healthy has no line of mesh_finding, and a metric of
// findings that do not count is there only where there are some.
func (p Pipeline) prometheus(w io.Writer) error {
	var b bytes.Buffer
	metric := func(name, help string) { fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name) }
	findings := func(name string, findings []finding.Finding) {
		var lines []string
		for _, f := range findings {
			object := ""
			if f.Object != (finding.Object{}) {
				object = f.Object.String()
			}
			for _, cluster := range f.Clusters {
				lines = append(lines, fmt.Sprintf("%s{code=%s,severity=%s,cluster=%s,object=%s,caused=%s} 1\n", name,
					label(string(f.Code)), label(string(f.Severity)), label(cluster), label(object), label(fmt.Sprint(f.CausedBy != ""))))
			}
		}
		slices.Sort(lines)
		for _, line := range slices.Compact(lines) {
			b.WriteString(line)
		}
	}
	metric("mesh_finding", "A finding, by the cluster that it is about: 1.")
	findings("mesh_finding", p.Result.Findings)
	known, suppressed := byApart(p.Result)
	if len(known) > 0 {
		metric("mesh_finding_known", "A finding of the baseline, by the cluster that it is about: 1.")
		findings("mesh_finding_known", known)
	}
	if len(suppressed) > 0 {
		metric("mesh_finding_suppressed", "A suppressed finding, by the cluster that it is about: 1.")
		findings("mesh_finding_suppressed", suppressed)
	}
	metric("mesh_unchecked", "Rules that could not be checked, by cluster.")
	for _, cluster := range p.Clusters {
		n := 0
		for _, u := range p.Result.Unknowns {
			if u.Cluster == cluster {
				n += len(u.Codes)
			}
		}
		fmt.Fprintf(&b, "mesh_unchecked{cluster=%s} %d\n", label(cluster), n)
	}
	metric("mesh_verify_timestamp_seconds", "When the clusters were read, in seconds since 1970.")
	fmt.Fprintf(&b, "mesh_verify_timestamp_seconds %d\n", p.At.Unix())
	_, err := w.Write(b.Bytes())
	return err
}

// byApart are the findings that do not count: those of the baseline, and suppressed ones. They have metrics of their
// own, so that an alert on mesh_finding needs to know nothing of them.
func byApart(result finding.Result) (known, suppressed []finding.Finding) {
	for _, a := range result.Apart {
		if a.Suppressed() {
			suppressed = append(suppressed, a.Finding)
		} else {
			known = append(known, a.Finding)
		}
	}
	return known, suppressed
}

// label is the value of a label, in quotes.
func label(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(printable.Line(value)) + `"`
}
