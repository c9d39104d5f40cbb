package report

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/fatih/color"
	"github.com/mattn/go-runewidth"
	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// between is what separates columns.
const between = "  "

// Fits reports whether a table goes onto the page without its cells being wrapped.
func (p *Page) Fits(header []string, rows [][]string) bool {
	rows = p.shown(rows)
	return p.Width == 0 || total(natural(p.heads(header), rows)) <= p.Width
}

// heads are the headers that the page shows: none take no room.
func (p *Page) heads(header []string) []string {
	if p.Headers {
		return header
	}
	return make([]string, len(header))
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

// narrow takes from the widest columns, as long as it takes, but breaks no word. It reports
// whether that is enough.
func narrow(widths []int, header []string, rows [][]string, width int) bool {
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
			return false
		}
		widths[widest]--
	}
	return true
}

// Tone is how a cell of a table stands out.
type Tone struct {
	// Severity gives it that colour; "" for none.
	Severity finding.Severity
	// Good gives it the colour of what is well.
	Good bool
}

// style is the colour of a tone.
func (t Tone) style() []color.Attribute {
	if t.Good {
		return []color.Attribute{color.FgGreen}
	}
	return severityStyle[t.Severity]
}

// Good, Bad, Doubtful and Noted are the tones of verdicts.
var (
	Good     = Tone{Good: true}
	Bad      = Tone{Severity: finding.Error}
	Doubtful = Tone{Severity: finding.Warning}
	Noted    = Tone{Severity: finding.Note}
)

// ToneOf is the tone of something with which something of a severity is wrong; "" for nothing.
func ToneOf(s finding.Severity) Tone {
	if s == "" {
		return Good
	}
	return Tone{Severity: s}
}

// Status gives the cells of one column their tones, row by row.
func Status(column int, tones []Tone) func(row, column int) Tone {
	return func(row, at int) Tone {
		if at != column || row >= len(tones) {
			return Tone{}
		}
		return tones[row]
	}
}

// empty stands for a cell that holds nothing.
const empty = "-"

// Table writes rows in columns as kubectl does. Where the page is too narrow for that, cells are
// wrapped, and where not even their words fit, or a row would be a tower of them, each row becomes
// a record of lines. tones, of which there is one at most, say how cells stand out.
func (p *Page) Table(header []string, rows [][]string, tones ...func(row, column int) Tone) error {
	if len(rows) == 0 {
		return nil
	}
	rows = p.shown(rows)
	tone := func(int, int) Tone { return Tone{} }
	if len(tones) > 0 {
		tone = tones[0]
	}
	heads := p.heads(header)
	widths := natural(heads, rows)
	if p.Width > 0 && (!narrow(widths, heads, rows, p.Width) || towers(widths, rows)) {
		p.records(header, rows, tone)
		return nil
	}
	return p.columns(header, rows, widths, tone)
}

// columns writes rows in columns of such widths, within which cells are wrapped.
func (p *Page) columns(header []string, rows [][]string, widths []int, tone func(row, column int) Tone) error {
	var out bytes.Buffer
	table := tablewriter.NewTable(&out,
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
	)
	if p.Headers {
		table.Header(header)
	}
	for n, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			if cell == "" {
				cell = empty
			}
			lines := words(printable.Line(cell), widths[i])
			for k, line := range lines {
				lines[k] = p.style(line, tone(n, i).style()...)
			}
			cells[i] = strings.Join(lines, "\n")
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

// towers reports whether some row takes more lines than a record of it would be easy to read in.
func towers(widths []int, rows [][]string) bool {
	const most = 4
	for _, row := range rows {
		for i, cell := range row {
			if len(words(printable.Line(cell), widths[i])) > most {
				return true
			}
		}
	}
	return false
}

// records writes each row as lines: the first cells as they are, what they are about and how it is;
// then the others, each behind the name of its column.
func (p *Page) records(header []string, rows [][]string, tone func(row, column int) Tone) {
	const head = 2
	for n, row := range rows {
		var first, rest []string
		for i, cell := range row {
			switch {
			case cell == "":
			case i < head || header[i] == "":
				first = append(first, p.style(cell, tone(n, i).style()...))
			default:
				rest = append(rest, strings.ToLower(header[i])+" "+cell)
			}
		}
		line := strings.Join(first, between)
		if runewidth.StringWidth(strings.Join(row[:min(head, len(row))], between)) > p.Width {
			for _, cell := range first {
				p.Wrapped("", cell)
			}
		} else {
			fmt.Fprintln(p.w, strings.TrimRight(line, " "))
		}
		if len(rest) > 0 {
			p.Wrapped(farIndent, strings.Join(rest, ", "))
		}
	}
}
