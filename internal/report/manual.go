package report

import (
	"fmt"
	"strings"

	"github.com/fatih/color"
	"github.com/mattn/go-runewidth"

	"github.com/kubectl-mesh/kubectl-mesh/internal/pattern"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// item is the beginning of a list's item in Markdown.
var item = pattern.Of(`^ *(?:[-*]|\d+\.) +`)

// Manual writes a page of the catalogue, which is Markdown, as a manual has it: headings bold,
// commands indented and without the marks around them, paragraphs as wide as the page.
func (p *Page) Manual(markdown string) {
	isCode, indent := false, ""
	var paragraph, table []string
	end := func() {
		p.paragraph(paragraph)
		p.manualTable(table)
		paragraph, table = nil, nil
	}
	for line := range strings.Lines(strings.TrimRight(markdown, "\n") + "\n") {
		line = strings.TrimSuffix(line, "\n")
		heading := strings.TrimLeft(line, "#")
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "```"):
			end()
			isCode = !isCode
			indent, _, _ = strings.Cut(line, "`")
		case isCode:
			fmt.Fprintln(p.w, strings.TrimRight(indent+"  "+p.style(printable.Line(strings.TrimPrefix(line, indent)), color.FgCyan), " "))
		case strings.HasPrefix(heading, " ") && heading != line:
			end()
			for _, l := range wrap(printable.Line(strings.TrimSpace(heading)), p.Width) {
				fmt.Fprintln(p.w, p.style(l, color.Bold))
			}
		case strings.HasPrefix(line, "|"):
			if len(paragraph) > 0 {
				end()
			}
			table = append(table, line)
			continue
		case strings.TrimSpace(line) == "":
			end()
			fmt.Fprintln(p.w)
		case item().MatchString(line):
			end()
			paragraph = []string{line}
		default:
			paragraph = append(paragraph, line)
		}
	}
	end()
}

// manualTable writes the lines of a table in Markdown: as they are where they fit, else as a table is
// written everywhere.
func (p *Page) manualTable(lines []string) {
	fits := true
	for _, line := range lines {
		fits = fits && (p.Width == 0 || runewidth.StringWidth(line) <= p.Width)
	}
	if fits {
		for _, line := range lines {
			fmt.Fprintln(p.w, printable.Line(line))
		}
		return
	}
	var rows [][]string
	for _, line := range lines {
		if strings.Trim(line, "|-: ") == "" {
			continue // the rule beneath the header
		}
		row := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		rows = append(rows, row)
	}
	header := rows[0]
	for _, row := range rows[1:] {
		if len(row) != len(header) { // a cell has the sign in it
			fits = true
		}
	}
	if fits || p.Table(header, rows[1:]) != nil {
		for _, line := range lines {
			fmt.Fprintln(p.w, printable.Line(line))
		}
	}
}

// paragraph writes lines of one paragraph: as they are where the page has no width, else wrapped to
// it, beneath the mark of a list's item.
func (p *Page) paragraph(lines []string) {
	if len(lines) == 0 {
		return
	}
	if p.Width == 0 {
		for _, line := range lines {
			fmt.Fprintln(p.w, strings.TrimRight(printable.Line(line), " "))
		}
		return
	}
	mark := item().FindString(lines[0])
	if mark == "" {
		mark = lines[0][:len(lines[0])-len(strings.TrimLeft(lines[0], " "))]
	}
	text := strings.TrimPrefix(lines[0], mark)
	for _, line := range lines[1:] {
		text += " " + strings.TrimSpace(line)
	}
	for _, line := range wrap(printable.Line(text), p.Width-len(mark)) {
		fmt.Fprintln(p.w, strings.TrimRight(mark+line, " "))
		mark = strings.Repeat(" ", len(mark))
	}
}
