package main

import (
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// mapWidth is how wide a drawing is where nobody says how wide the page is.
const mapWidth = 80

// mapText draws boxes side by side as far as they fit, and beneath them a line
// for each arrow; with wide one for each route.
func mapText(p *report.Page, m view.NetworkMap, wide bool) {
	m = report.Shortened(p, m)
	width := p.Width
	if width < 40 {
		width = mapWidth
	}
	var row [][]report.Span
	var rows [][][]report.Span
	drawn, used := [][][]report.Span{}, 0
	flush := func() {
		height := 0
		for _, b := range drawn {
			height = max(height, len(b))
		}
		for i, b := range drawn {
			drawn[i] = stretch(b, height)
		}
		for i := range height {
			row = append(row, nil)
			for _, b := range drawn {
				if len(row[i]) > 0 {
					row[i] = append(row[i], report.Span{Text: "  "})
				}
				row[i] = append(row[i], b[i]...)
			}
		}
		rows, row, drawn, used = append(rows, row), nil, nil, 0
	}
	for _, b := range boxes(m) {
		frame := drawBox(b, width)
		cells := spanCells(frame[0])
		if len(drawn) > 0 && used+2+cells > width {
			flush()
		}
		if len(drawn) > 0 {
			used += 2
		}
		drawn, used = append(drawn, frame), used+cells
	}
	if len(drawn) > 0 {
		flush()
	}
	for _, lines := range rows {
		for _, line := range lines {
			p.Figure(line...)
		}
	}
	arrows := m.Arrows()
	if wide {
		arrows = arrows[:0]
		for _, r := range m.Routes {
			arrows = append(arrows, view.Arrow{From: []string{r.From}, To: []string{r.To}, Route: r})
		}
	}
	if len(arrows) > 0 {
		p.Blank()
		arrowTable(p, arrows)
	}
}

// stretch makes a frame as high as those beside it.
func stretch(frame [][]report.Span, height int) [][]report.Span {
	blank := []report.Span{{Text: "│" + strings.Repeat(" ", spanCells(frame[0])-2) + "│"}}
	last := len(frame) - 1
	for len(frame) < height {
		frame = slices.Insert(frame, last, blank)
	}
	return frame
}

func spanCells(spans []report.Span) int {
	n := 0
	for _, s := range spans {
		n += report.Cells(s.Text)
	}
	return n
}

// drawBox frames a box; no line is wider than width.
func drawBox(b box, width int) [][]report.Span {
	inner := report.Cells(b.title) + 1
	var lines []boxLine
	for _, l := range b.lines {
		body := strings.TrimLeft(l.text, " ")
		indent := strings.Repeat(" ", len(l.text)-len(body))
		for i, part := range report.Fold(body, width-4-len(indent)-2) {
			if i > 0 {
				part = "  " + part
			}
			lines = append(lines, boxLine{text: indent + part, cluster: l.cluster, severity: l.severity})
			inner = max(inner, report.Cells(indent+part))
		}
	}
	out := [][]report.Span{{
		{Text: "┌ "}, {Text: b.title, Bold: true}, {Text: " " + strings.Repeat("─", inner-report.Cells(b.title)) + "┐"},
	}}
	for _, l := range lines {
		out = append(out, []report.Span{
			{Text: "│ "}, {Text: l.text, Severity: l.severity, Bold: l.cluster && l.severity == ""},
			{Text: strings.Repeat(" ", inner-report.Cells(l.text)) + " │"},
		})
	}
	return append(out, []report.Span{{Text: "└" + strings.Repeat("─", inner+2) + "┘"}})
}

// arrowTable writes a line for each arrow, with its columns wrapped to the page;
// where names are too long for that, one beneath the other.
func arrowTable(p *report.Page, arrows []view.Arrow) {
	const most, least = 18, 24 // columns for names, unless one is longer, and for the rest
	header := []string{"STATUS", "FROM", "TO", "HOW"}
	widths := []int{len(header[0]), len(header[1]), len(header[2])}
	cells := make([][][]string, len(arrows))
	for i, a := range arrows {
		from, to := ends(a)
		cells[i] = [][]string{{string(a.Status)}, {from}, {to}, {a.Where()}}
		if p.Width > 0 {
			cells[i][1], cells[i][2] = report.Fold(from, most), report.Fold(to, most)
		}
		for k := range widths {
			for _, text := range cells[i][k] {
				widths[k] = max(widths[k], report.Cells(text))
			}
		}
	}
	rest := p.Width - widths[0] - widths[1] - widths[2] - 6
	pad := func(text string, k int) string {
		return text + strings.Repeat(" ", max(0, widths[k]-report.Cells(text))+2)
	}
	if p.Width > 0 && rest < least {
		for _, a := range arrows {
			severity := routeSeverity(a.Status)
			from, to := ends(a)
			p.Figure(report.Span{Text: pad(string(a.Status), 0), Severity: severity, Good: severity == ""}, report.Span{Text: from})
			for _, l := range append(report.Fold("to "+to, p.Width-widths[0]-2), report.Fold(a.Where(), p.Width-widths[0]-2)...) {
				p.Figure(report.Span{Text: pad("", 0) + l})
			}
		}
		return
	}
	if p.Headers {
		p.Figure(report.Span{Text: pad(header[0], 0) + pad(header[1], 1) + pad(header[2], 2) + header[3]})
	}
	for i, a := range arrows {
		c := cells[i]
		if p.Width > 0 {
			c[3] = report.Fold(c[3][0], rest)
		}
		height := 0
		for _, column := range c {
			height = max(height, len(column))
		}
		at := func(k, n int) string {
			if n < len(c[k]) {
				return c[k][n]
			}
			return ""
		}
		for n := range height {
			severity := routeSeverity(a.Status)
			p.Figure(
				report.Span{Text: pad(at(0, n), 0), Severity: severity, Good: severity == ""},
				report.Span{Text: pad(at(1, n), 1) + pad(at(2, n), 2) + at(3, n)},
			)
		}
	}
}
