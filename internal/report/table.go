package report

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"

	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// Table writes rows in columns as kubectl does, and wraps cells where the page
// has a width that they would go beyond.
func (p *Page) Table(header []string, rows [][]string) error {
	if len(rows) == 0 {
		return nil
	}
	options := []tablewriter.Option{
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders:  tw.BorderNone,
			Symbols:  tw.NewSymbols(tw.StyleNone),
			Settings: tw.Settings{Separators: tw.SeparatorsNone, Lines: tw.LinesNone},
		})),
		tablewriter.WithHeaderAlignment(tw.AlignLeft),
		tablewriter.WithRowAlignment(tw.AlignLeft),
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithPadding(tw.Padding{Right: "  ", Overwrite: true}),
	}
	if p.Width > 0 {
		options = append(options, tablewriter.WithRowAutoWrap(tw.WrapNormal), tablewriter.WithMaxWidth(p.Width))
	} else {
		options = append(options, tablewriter.WithRowAutoWrap(tw.WrapNone))
	}
	var out bytes.Buffer
	table := tablewriter.NewTable(&out, options...)
	if p.Headers {
		table.Header(header)
	}
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = printable.Line(cell)
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
