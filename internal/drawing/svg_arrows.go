package drawing

import (
	"bytes"
	"fmt"
	"math"

	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// drawnBox is a box of the drawing: a cluster with its gateways, or what else there is.
type drawnBox struct {
	title   string
	cluster string // "" where no way leads there
	lines   []boxLine
	x, y    float64 // of its middle
	w, h    float64
}

// boxLetters are the letters of a line in a box.
const boxLetters = 38

// places are where the middles of so many boxes are, as parts of the area.
var places = map[int][][2]float64{
	1: {{.5, .5}},
	2: {{.18, .5}, {.82, .5}},
	3: {{.5, 0}, {.18, 1}, {.82, 1}},
	4: {{.18, 0}, {.82, 0}, {.18, 1}, {.82, 1}},
	5: {{.5, 0}, {.18, .45}, {.82, .45}, {.22, 1}, {.78, 1}},
}

// splitBoxes are boxes of one cluster each, with the lines beneath it; and those of which no way
// leads anywhere.
func splitBoxes(g grid) (clusters, others []*drawnBox) {
	drawn := map[string]bool{}
	for _, c := range g.clusters {
		drawn[c] = true
	}
	for _, b := range boxes(g.m) {
		var current *drawnBox
		for _, l := range b.lines {
			if current == nil || l.cluster || (current.cluster != "" && len(l.text) > 0 && l.text[0] != ' ') {
				current = &drawnBox{title: b.title}
				if l.cluster && drawn[l.text] {
					current.cluster = l.text
					clusters = append(clusters, current)
				} else {
					others = append(others, current)
				}
			}
			current.lines = append(current.lines, l)
		}
	}
	for _, b := range append(append([]*drawnBox{}, clusters...), others...) {
		b.title = shortened(b.title, boxLetters)
		b.lines = wrapLines(b.lines, boxLetters)
		letters := report.Cells(b.title)
		for _, l := range b.lines {
			letters = max(letters, report.Cells(l.text))
		}
		b.w, b.h = float64((letters+3)*svgLetter), float64((len(b.lines)+1)*svgLine+svgLine/2)
	}
	return clusters, others
}

// svgClusters draws a few clusters as boxes with arrows between them, and what else there is beneath,
// and returns where the next thing begins.
func svgClusters(w *bytes.Buffer, g grid, y int) int {
	clusters, others := splitBoxes(g)
	tallest := 0.0
	for _, b := range clusters {
		tallest = max(tallest, b.h)
	}
	area := map[int]float64{3: tallest + 130, 4: tallest + 130, 5: 2*tallest + 220}[len(clusters)]
	at := map[string]*drawnBox{}
	for i, b := range clusters {
		place := places[len(clusters)][i]
		b.x, b.y = svgWidth*place[0], float64(y)+tallest/2+area*place[1]
		at[b.cluster] = b
	}
	if len(clusters) <= 2 {
		for _, b := range clusters {
			b.y = float64(y) + tallest/2
		}
	}
	for _, r := range g.m.Routes {
		if at[r.From] != nil && at[r.To] != nil {
			svgArrow(w, at[r.From], at[r.To], r)
		}
	}
	for _, b := range clusters {
		b.draw(w)
	}
	if len(clusters) > 0 {
		y += int(tallest+area) + svgGap
	}
	x, height := float64(svgMargin), 0.0
	for _, b := range others {
		if x > svgMargin && x+b.w > svgWidth-svgMargin {
			x, y, height = svgMargin, y+int(height)+svgGap, 0
		}
		b.x, b.y = x+b.w/2, float64(y)+b.h/2
		b.draw(w)
		x, height = x+b.w+svgGap, max(height, b.h)
	}
	if len(others) > 0 {
		y += int(height) + svgGap
	}
	return y
}

// draw draws the box.
func (b *drawnBox) draw(w *bytes.Buffer) {
	x, y := int(b.x-b.w/2), int(b.y-b.h/2)
	fmt.Fprintf(w, `  <rect class="frame" x="%d" y="%d" width="%d" height="%d" rx="8"/>`+"\n", x, y, int(b.w), int(b.h))
	svgText(w, x+12, y+svgLine, "small note", b.title)
	for i, l := range b.lines {
		class := string(l.severity)
		if l.cluster {
			class = "name " + class
		}
		svgText(w, x+12, y+svgLine*(i+2), class, l.text)
	}
}

// apart is how far the two arrows between two boxes are from the line through their middles.
const apart = 9

// svgArrow draws the way between two boxes, from edge to edge, with its words where the pointer is.
func svgArrow(w *bytes.Buffer, from, to *drawnBox, r view.Route) {
	dx, dy := to.x-from.x, to.y-from.y
	length := math.Hypot(dx, dy)
	if length < 1 {
		return
	}
	ux, uy := dx/length, dy/length
	ox, oy := -uy*apart, ux*apart
	x1, y1 := from.edge(from.x+ox, from.y+oy, ux, uy)
	x2, y2 := to.edge(to.x+ox, to.y+oy, -ux, -uy)
	class := string(r.Status)
	fmt.Fprintf(w, `  <path class="%s" d="M%.0f %.0f L%.0f %.0f"><title>`, class, x1, y1, x2, y2)
	svgEscape(w, fmt.Sprintf("%s → %s: %s: %s", r.From, r.To, r.Status, r.Where()))
	w.WriteString("</title></path>\n")
	const head, half = 9, 5
	bx, by := x2-ux*head, y2-uy*head
	fmt.Fprintf(w, `  <path class="head %s" d="M%.0f %.0f L%.0f %.0f L%.0f %.0f"/>`+"\n", class,
		bx-uy*half, by+ux*half, x2, y2, bx+uy*half, by-ux*half)
	if label := arrowLabel(r); label != "" {
		// Nearer to its beginning, so that the labels of both directions are apart.
		lx, ly := x1+(x2-x1)*.3-float64(report.Cells(label)*svgLetter)/2, y1+(y2-y1)*.3+4
		svgText(w, int(max(lx, svgMargin)), int(ly), "small halo "+class, label)
	}
}

// arrowLabel is the first code of what is wrong, or how it is where no code says it.
func arrowLabel(r view.Route) string {
	switch {
	case r.Status == view.RouteOK:
		return ""
	case len(r.Codes) > 0:
		return string(r.Codes[0])
	}
	return string(r.Status)
}

// edge is where a line from a place in the box in a direction leaves it.
func (b *drawnBox) edge(x, y, ux, uy float64) (ex, ey float64) {
	t := math.Inf(1)
	if ux != 0 {
		t = min(t, (b.x+math.Copysign(b.w/2, ux)-x)/ux)
	}
	if uy != 0 {
		t = min(t, (b.y+math.Copysign(b.h/2, uy)-y)/uy)
	}
	return x + ux*max(t, 0), y + uy*max(t, 0)
}
