package view

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// Blame notes an error or a warning about the gateway: its code, once and in order, and what it makes of
// the status.
func (g *Gateway) Blame(f finding.Finding) {
	g.Codes = append(g.Codes, f.Code)
	slices.Sort(g.Codes)
	g.Codes = slices.Compact(g.Codes)
	switch {
	case f.Severity == finding.Error:
		g.Status, g.Severity = "broken", finding.Error
	case g.Severity == "":
		g.Status, g.Severity = "warning", finding.Warning
	}
}
