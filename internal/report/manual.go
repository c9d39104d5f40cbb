package report

import (
	"fmt"
	"strings"

	"github.com/fatih/color"

	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// Manual writes a page of the catalogue, which is Markdown, as a manual has it: headings bold,
// commands indented and without the marks around them.
func (p *Page) Manual(markdown string) {
	isCode, indent := false, ""
	for line := range strings.Lines(strings.TrimRight(markdown, "\n") + "\n") {
		line = strings.TrimSuffix(line, "\n")
		heading := strings.TrimLeft(line, "#")
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "```"):
			isCode = !isCode
			indent, _, _ = strings.Cut(line, "`")
		case isCode:
			fmt.Fprintln(p.w, strings.TrimRight(indent+"  "+p.style(printable.Line(strings.TrimPrefix(line, indent)), color.FgCyan), " "))
		case strings.HasPrefix(heading, " ") && heading != line:
			fmt.Fprintln(p.w, p.style(printable.Line(strings.TrimSpace(heading)), color.Bold))
		default:
			fmt.Fprintln(p.w, strings.TrimRight(printable.Line(line), " "))
		}
	}
}
