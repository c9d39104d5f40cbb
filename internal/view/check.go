package view

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// Check is a step of a path before it is judged by what rules found: the codes that are about it, and what is said
// where nothing is wrong.
type Check struct {
	Name  string
	Codes []finding.Code
	Well  string
}

// At are the errors and warnings about the step that concern a path, in an order; of equals the one that was found first.
func (c Check) At(found finding.Result, concerns func(finding.Finding) bool, order func(a, b finding.Finding) int) []finding.Finding {
	var out []finding.Finding
	for _, f := range found.Findings {
		if slices.Contains(c.Codes, f.Code) && f.Severity != finding.Note && concerns(f) {
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, order)
	return out
}

// Unchecked is what of the steps was not checked in some clusters, with the codes of the steps alone.
func Unchecked(steps []Check, found finding.Result, clusters ...string) []finding.Unknown {
	var codes []finding.Code
	for _, s := range steps {
		codes = append(codes, s.Codes...)
	}
	unknowns := finding.Result{Unknowns: found.Unknowns}
	return slices.DeleteFunc(unknowns.Of(codes).Unknowns, func(u finding.Unknown) bool { return !slices.Contains(clusters, u.Cluster) })
}
