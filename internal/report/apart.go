package report

import (
	"fmt"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// SuppressedFinding is one that somebody suppressed, and why.
type SuppressedFinding struct {
	IdentifiedFinding
	Reason string `json:"reason"`
	// Expires is the last day of that, like 2027-01-31.
	Expires string `json:"expires,omitempty"`
}

// apartOf are the findings of a result that do not count, as documents have them.
func apartOf(result finding.Result) (known []IdentifiedFinding, suppressed []SuppressedFinding) {
	for _, a := range result.Apart {
		one := IdentifiedFinding{a.ID(), a.Finding}
		if a.Suppressed() {
			suppressed = append(suppressed, SuppressedFinding{one, a.Reason, a.Expires})
		} else {
			known = append(known, one)
		}
	}
	return known, suppressed
}

// ApartWords counts findings that do not count: "3 known, 1 suppressed"; "" for none.
func ApartWords(result finding.Result) string {
	var out []string
	known, suppressed := result.CountApart()
	if known > 0 {
		out = append(out, fmt.Sprintf("%d known", known))
	}
	if suppressed > 0 {
		out = append(out, fmt.Sprintf("%d suppressed", suppressed))
	}
	return strings.Join(out, ", ")
}

// mostApart are the findings that do not count of which there is a line, unless everything is wanted.
const mostApart = 5

// apart writes the findings that do not count: those of an earlier run, then those that are
// suppressed, a line each.
func (p *Page) apart(result finding.Result, wide bool) {
	for _, suppressed := range []bool{false, true} {
		var some []finding.Apart
		for _, a := range result.Apart {
			if a.Suppressed() == suppressed {
				some = append(some, a)
			}
		}
		if len(some) == 0 {
			continue
		}
		p.Blank()
		if suppressed {
			p.Line("Suppressed:")
		} else {
			p.Line("Known from the baseline:")
		}
		for i, a := range some {
			if i == mostApart-1 && len(some) > mostApart && !wide {
				p.Line("  and %d more: -o wide", len(some)-i)
				break
			}
			p.heading("  ", a.Finding, wide)
			if suppressed {
				why := a.Reason
				if a.Expires != "" {
					why += " (until " + a.Expires + ")"
				}
				p.Wrapped("    ", why)
			}
		}
	}
}
