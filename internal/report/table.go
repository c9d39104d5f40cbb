package report

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/mattn/go-runewidth"
	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"

	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// between is what separates columns.
const between = "  "

// Fits reports whether a table goes onto the page without its cells being wrapped.
func (p *Page) Fits(header []string, rows [][]string) bool {
	rows = p.shown(rows)
	return p.Width == 0 || total(natural(header, rows)) <= p.Width
}

// shown are rows as the page shows them.
func (p *Page) shown(rows [][]string) [][]string {
	out := make([][]string, len(rows))
	for i, row := range rows {
		for _, cell := range row {
			out[i] = append(out[i], p.Text(cell))
		}
	}
	return out
}

// natural are the widths that columns need if nothing is wrapped.
func natural(header []string, rows [][]string) []int {
	widths := make([]int, len(header))
	for _, row := range append([][]string{header}, rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], runewidth.StringWidth(printable.Line(cell)))
		}
	}
	return widths
}

// total is how wide a table of such columns is.
func total(widths []int) int {
	sum := -len(between)
	for _, w := range widths {
		sum += w + len(between)
	}
	return sum
}

// narrow takes from the widest columns, as long as it takes, but breaks no word.
func narrow(widths []int, header []string, rows [][]string, width int) {
	words := make([]int, len(widths))
	for _, row := range append([][]string{header}, rows...) {
		for i, cell := range row {
			for _, word := range strings.Fields(printable.Line(cell)) {
				words[i] = max(words[i], runewidth.StringWidth(word))
			}
		}
	}
	for total(widths) > width {
		widest := -1
		for i, w := range widths {
			if w > words[i] && (widest < 0 || w > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		widths[widest]--
	}
}

// Table writes rows in columns as kubectl does, and wraps cells where the page
// has a width that they would go beyond.
func (p *Page) Table(header []string, rows [][]string) error {
	if len(rows) == 0 {
		return nil
	}
	rows = p.shown(rows)
	options := []tablewriter.Option{
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders:  tw.BorderNone,
			Symbols:  tw.NewSymbols(tw.StyleNone),
			Settings: tw.Settings{Separators: tw.SeparatorsNone, Lines: tw.LinesNone},
		})),
		tablewriter.WithHeaderAlignment(tw.AlignLeft),
		tablewriter.WithRowAlignment(tw.AlignLeft),
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithPadding(tw.Padding{Right: between, Overwrite: true}),
	}
	widths := natural(header, rows)
	if p.Width > 0 {
		narrow(widths, header, rows, p.Width)
	}
	var out bytes.Buffer
	table := tablewriter.NewTable(&out, options...)
	if p.Headers {
		table.Header(header)
	}
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = strings.Join(words(printable.Line(cell), widths[i]), "\n")
			if cells[i] == "" {
				cells[i] = "-"
			}
		}
		if err := table.Append(cells); err != nil {
			return fmt.Errorf("laying out a table: %w", err)
		}
	}
	if err := table.Render(); err != nil {
		return fmt.Errorf("laying out a table: %w", err)
	}
	for line := range strings.Lines(out.String()) {
		fmt.Fprintln(p.w, strings.TrimRight(line, " \n"))
	}
	return nil
}
