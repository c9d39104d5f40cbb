package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// Measures of the drawing, in pixels. The font has letters of one width.
const (
	svgWidth  = 960
	svgMargin = 20
	svgLetter = 8
	svgLine   = 20
	svgGap    = 16
)

const svgStyle = `
    svg { background: #ffffff; color: #1f2328; }
    text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2328; }
    .name { font-weight: bold; }
    .frame { fill: #f6f8fa; stroke: #6e7781; }
    .pill { fill: #ffffff; stroke: #6e7781; }
    .arrow { fill: none; stroke-width: 2; }
    .ok { stroke: #1a7f37; } .partial { stroke: #9a6700; stroke-dasharray: 8 4; }
    .broken { stroke: #d1242f; stroke-dasharray: 4 4; } .unknown { stroke: #6e7781; stroke-dasharray: 2 4; }
    text.error, text.broken { fill: #d1242f; stroke: none; } text.warning, text.partial { fill: #9a6700; stroke: none; }
    text.note, text.unknown { fill: #57606a; stroke: none; } text.ok { fill: #1a7f37; stroke: none; }
    @media (prefers-color-scheme: dark) {
      svg { background: #0d1117; color: #e6edf3; }
      text { fill: #e6edf3; }
      .frame { fill: #161b22; stroke: #8b949e; } .pill { fill: #0d1117; stroke: #8b949e; }
      .ok { stroke: #3fb950; } .partial { stroke: #d29922; } .broken { stroke: #f85149; } .unknown { stroke: #8b949e; }
      text.error, text.broken { fill: #f85149; } text.warning, text.partial { fill: #d29922; }
      text.note, text.unknown { fill: #8b949e; } text.ok { fill: #3fb950; }
    }
  `

// mapSVG is the map as a drawing that stands alone: boxes for networks, and
// beneath them an arrow from clusters to clusters for each way.
func mapSVG(m view.NetworkMap) []byte {
	var body bytes.Buffer
	y := svgBoxes(&body, boxes(m), svgMargin)
	for _, a := range m.Arrows() {
		y = svgArrow(&body, a, y)
	}
	var out bytes.Buffer
	fmt.Fprintf(
		&out,
		`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img">`+"\n",
		svgWidth,
		y,
		svgWidth,
		y,
	)
	fmt.Fprintf(&out, "  <title>%s</title>\n  <style>%s</style>\n", "Networks of the mesh, and who reaches whom", svgStyle)
	out.Write(body.Bytes())
	out.WriteString("</svg>\n")
	return out.Bytes()
}

// svgBoxes draws boxes side by side as far as they fit, and returns where the
// next thing begins.
func svgBoxes(w *bytes.Buffer, all []box, y int) int {
	const most = (svgWidth-2*svgMargin)/svgLetter - 3
	x, height := svgMargin, 0
	for _, b := range all {
		lines := []boxLine{}
		cells := report.Cells(b.title)
		title := report.Fold(b.title, most)
		for _, l := range b.lines {
			text := strings.TrimLeft(l.text, " ")
			indent := strings.Repeat("\u00a0", len(l.text)-len(text))
			for _, part := range cut(report.Fold(text, most-len(l.text)+len(text)), most-4) {
				lines = append(lines, boxLine{indent + part, l.cluster, l.severity})
				cells = max(cells, report.Cells(indent+part))
			}
		}
		title = cut(title, most)
		cells = min(cells, most)
		width, tall := (cells+3)*svgLetter, (len(lines)+len(title))*svgLine+svgLine
		if x > svgMargin && x+width > svgWidth-svgMargin {
			x, y, height = svgMargin, y+height+svgGap, 0
		}
		fmt.Fprintf(w, `  <rect class="frame" x="%d" y="%d" width="%d" height="%d" rx="8"/>`+"\n", x, y, width, tall)
		at := y + svgLine + 2
		for _, t := range title {
			svgText(w, x+12, at, "name", t)
			at += svgLine
		}
		for _, l := range lines {
			svgText(w, x+12, at, string(l.severity), l.text)
			at += svgLine
		}
		x, height = x+width+svgGap, max(height, tall)
	}
	return y + height + 2*svgGap
}

// svgArrow draws an arrow with the clusters at its ends, and on it how it leads.
func svgArrow(w *bytes.Buffer, a view.Arrow, y int) int {
	const side = 220
	from, to := ends(a)
	left, right := svgPill(from, side), svgPill(to, side)
	middle := svgWidth - 2*svgMargin - 2*side - 2*svgGap
	how := cut(report.Fold(printable.Line(string(a.Status)+": "+a.Where()), middle/svgLetter), middle/svgLetter)
	tall := max(len(left), len(right), len(how)+1)*svgLine + svgGap
	class := string(a.Status)
	for _, pill := range []struct {
		lines []string
		x     int
	}{{left, svgMargin}, {right, svgWidth - svgMargin - side}} {
		fmt.Fprintf(w, `  <rect class="pill" x="%d" y="%d" width="%d" height="%d" rx="8"/>`+"\n", pill.x, y, side, tall-svgGap/2)
		for i, l := range pill.lines {
			svgText(w, pill.x+12, y+svgLine*(i+1), "name", l)
		}
	}
	x1, x2, at := svgMargin+side+svgGap/2, svgWidth-svgMargin-side-svgGap/2, y+(tall-svgGap/2)/2
	for i, l := range how {
		svgText(w, x1+svgGap/2, y+svgLine*(i+1)-4, class, l)
	}
	at = max(at, y+svgLine*len(how)+4)
	fmt.Fprintf(w, `  <path class="arrow %s" d="M%d %d H%d"/>`+"\n", class, x1, at, x2)
	if a.Status == view.RouteBroken {
		fmt.Fprintf(w, `  <path class="arrow broken" style="stroke-dasharray:none" d="M%d %d l8 8 m0 -8 l-8 8"/>`+"\n", x2-10, at-4)
	} else {
		fmt.Fprintf(w, `  <path class="arrow %s" style="stroke-dasharray:none" d="M%d %d l6 5 l-6 5"/>`+"\n", class, x2-6, at-5)
	}
	return y + tall + svgGap/2
}

// svgPill breaks names so that they fit into the side of a drawing.
func svgPill(names string, width int) []string {
	most := width/svgLetter - 3
	return cut(report.Fold(printable.Line(names), most), most)
}

// cut breaks lines that a single word makes too wide.
func cut(lines []string, most int) []string {
	var out []string
	for _, l := range lines {
		part := ""
		for _, r := range l {
			if part != "" && report.Cells(part+string(r)) > most {
				out, part = append(out, part), ""
			}
			part += string(r)
		}
		out = append(out, part)
	}
	return out
}

func svgText(w *bytes.Buffer, x, y int, class, text string) {
	fmt.Fprintf(w, `  <text x="%d" y="%d"`, x, y)
	if class != "" {
		fmt.Fprintf(w, ` class="%s"`, class)
	}
	w.WriteString(">")
	_ = xml.EscapeText(w, []byte(printable.Line(text))) // a buffer takes everything
	w.WriteString("</text>\n")
}
