package istiotest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// Summarize writes findings as Case.Want does, sorted.
func Summarize(r finding.Result) []string {
	var out []string
	for _, f := range r.Findings {
		s := fmt.Sprintf("%s %s %s", f.Code, f.Severity, strings.Join(f.Clusters, ","))
		if f.CausedBy != "" {
			cause, _, _ := strings.Cut(f.CausedBy, "/")
			s += " < " + cause
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}
