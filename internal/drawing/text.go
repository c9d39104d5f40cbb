package drawing

import (
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// mapWidth is how wide a drawing is where nobody says how wide the page is.
const mapWidth = 80

// Text draws the networks as boxes, or many clusters as a matrix of who reaches whom, and
// beneath them a row for each arrow; with wide one for each route.
func Text(p *report.Page, m view.NetworkMap, wide bool) error {
	m = Short(p, m)
	grid := newGrid(m)
	switch drawn := grid.matrix(); {
	case len(grid.clusters) < leastGrid:
		mapBoxes(p, m)
	case p.FitsMatrix(drawn):
		p.Matrix(drawn)
		grid.notes(p)
	default:
		grid.notes(p)
	}
	if len(m.Routes) > 0 {
		p.Blank()
	}
	if wide {
		return routeTable(p, m)
	}
	return arrowTable(p, m, len(grid.clusters) >= leastGrid)
}

// Short is a map with the names that the page shows.
func Short(p *report.Page, m view.NetworkMap) view.NetworkMap {
	short := report.Shortened(p, m)
	if p.Short != nil {
		short.Restore(m, p.Short.Replace)
	}
	return short
}

// mapBoxes draws boxes side by side as far as they fit.
func mapBoxes(p *report.Page, m view.NetworkMap) {
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

// mostWays are the rows of ways that are ok, beside a matrix that shows them.
const mostWays = 4

var wayHeader = []string{"STATUS", "FROM", "TO", "HOW"}

// arrowTable writes a row for each arrow. Beside a grid of many clusters those that are ok are
// counted where they are more than a few.
func arrowTable(p *report.Page, m view.NetworkMap, isGrid bool) error {
	arrows, left := listed(m, isGrid)
	var rows [][]string
	var tones []report.Tone
	for _, a := range arrows {
		from, to := a.Group.Ends(report.Clusters)
		rows = append(rows, []string{string(a.Status), from, to, a.Where()})
		tones = append(tones, report.ToneOf(routeSeverity(a.Status)))
	}
	if left > 0 {
		rows = append(rows, []string{string(view.RouteOK), "", "", finding.Plural(left, "other way") + ": -o wide"})
		tones = append(tones, report.Good)
	}
	return p.Table(wayHeader, rows, report.Status(0, tones))
}

// routeTable writes a row for each route.
func routeTable(p *report.Page, m view.NetworkMap) error {
	var rows [][]string
	var tones []report.Tone
	for _, r := range m.Routes {
		rows = append(rows, []string{string(r.Status), r.From, r.To, r.Where()})
		tones = append(tones, report.ToneOf(routeSeverity(r.Status)))
	}
	return p.Table(wayHeader, rows, report.Status(0, tones))
}
