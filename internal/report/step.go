package report

import (
	"time"

	"github.com/fatih/color"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/known"
)

// clock is how a line says when it was, to somebody who looks on.
const clock = "15:04:05"

// Step writes a line for each finding that is otherwise than before, and what it comes to now, each behind the time
// of the check.
func (p *Page) Step(at time.Time, step known.Step, last string, wide bool) {
	begin := at.Local().Format(clock) + " "
	for _, part := range []struct {
		word     string
		findings []finding.Finding
	}{
		{"appeared: ", step.Appeared}, {"changed:  ", step.Changed}, {"fixed:    ", step.Fixed}, {"unknown:  ", step.Unsure},
	} {
		for i, f := range part.findings {
			if i == mostHeadings-1 && len(part.findings) > mostHeadings && !wide {
				p.Line("%s%sand %d more: -o wide", begin, part.word, len(part.findings)-i)
				break
			}
			p.heading(begin+part.word, f, wide)
		}
	}
	p.Wrapped(begin, last, color.Bold)
}
