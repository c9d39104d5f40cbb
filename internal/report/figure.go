package report

import (
	"fmt"
	"strings"

	"github.com/fatih/color"
	"github.com/mattn/go-runewidth"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// Span is a piece of a line of a figure.
type Span struct {
	Text string
	// Severity gives it that colour; "" for none.
	Severity finding.Severity
	// Good gives it the colour of what is well, Bold makes it stand out.
	Good, Bold bool
}

// Cells is how many columns text takes on a terminal.
func Cells(text string) int { return runewidth.StringWidth(printable.Line(text)) }

// Fold breaks text at blanks into lines of at most width columns, where no word is wider.
func Fold(text string, width int) []string { return words(printable.Line(text), width) }

// Figure writes one line of a drawing, as it is: nothing is wrapped.
func (p *Page) Figure(spans ...Span) {
	var b strings.Builder
	for _, s := range spans {
		style := severityStyle[s.Severity]
		switch {
		case s.Good:
			style = []color.Attribute{color.FgGreen}
		case s.Bold:
			style = []color.Attribute{color.Bold}
		}
		text := p.Text(s.Text)
		blanks := len(text) - len(strings.TrimRight(text, " "))
		b.WriteString(p.style(text[:len(text)-blanks], style...) + text[len(text)-blanks:])
	}
	fmt.Fprintln(p.w, strings.TrimRight(b.String(), " "))
}
