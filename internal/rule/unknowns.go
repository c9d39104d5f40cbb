package rule

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// Unknowns say where one of the codes could not be checked so far, and why: what may be
// the cause of something is then not known either. As for Found, the rule must be
// declared to run after the codes, or find them itself.
func (p *Pass[M]) Unknowns(codes ...finding.Code) []finding.Unknown {
	for _, code := range codes {
		p.run.after(p.rule.Reports, p.rule.After, code)
	}
	var out []finding.Unknown
	for _, u := range p.run.result.Unknowns {
		if slices.ContainsFunc(codes, func(code finding.Code) bool { return slices.Contains(u.Codes, code) }) {
			out = append(out, u)
		}
	}
	return out
}
