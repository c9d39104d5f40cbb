package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
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
    .small { font-size: 11px; }
    .halo { paint-order: stroke; stroke: #ffffff; stroke-width: 4px; }
    .frame { fill: #f6f8fa; stroke: #6e7781; }
    path { fill: none; stroke-width: 2; }
    path.ok, path.head.ok { stroke: #1a7f37; } path.partial { stroke: #9a6700; stroke-dasharray: 8 4; }
    path.broken { stroke: #d1242f; stroke-dasharray: 4 4; } path.unknown { stroke: #6e7781; stroke-dasharray: 2 4; }
    path.head { stroke-dasharray: none; }
    rect.ok { fill: #4ac26b; } rect.partial { fill: #d4a72c; } rect.broken { fill: #d1242f; } rect.unknown { fill: #afb8c1; }
    rect.self { fill: #eaeef2; }
    text.error, text.broken { fill: #d1242f; } text.warning, text.partial { fill: #9a6700; }
    text.note, text.unknown { fill: #57606a; } text.ok { fill: #1a7f37; } text.code { fill: #ffffff; font-size: 10px; }
    @media (prefers-color-scheme: dark) {
      svg { background: #0d1117; color: #e6edf3; }
      text { fill: #e6edf3; }
      .halo { stroke: #0d1117; }
      .frame { fill: #161b22; stroke: #8b949e; }
      path.ok, path.head.ok { stroke: #3fb950; } path.partial { stroke: #d29922; }
      path.broken { stroke: #f85149; } path.unknown { stroke: #8b949e; }
      rect.ok { fill: #238636; } rect.partial { fill: #9e6a03; } rect.broken { fill: #da3633; } rect.unknown { fill: #6e7681; }
      rect.self { fill: #21262d; }
      text.error, text.broken { fill: #f85149; } text.warning, text.partial { fill: #d29922; }
      text.note, text.unknown { fill: #8b949e; } text.ok { fill: #3fb950; } text.code { fill: #ffffff; }
    }
  `

// mapSVG is the map as a drawing that stands alone: a box for each cluster and arrows between them,
// or many clusters as a grid of cells; and beneath it in words how each way leads.
func mapSVG(m view.NetworkMap) []byte {
	var body bytes.Buffer
	g := newGrid(m)
	isGrid := len(g.clusters) >= leastGrid
	width, y := svgWidth, svgMargin
	if isGrid {
		width, y = svgGrid(&body, g, y)
	} else {
		y = svgClusters(&body, g, y)
	}
	y = svgWays(&body, m, isGrid, width, y)
	var out bytes.Buffer
	fmt.Fprintf(
		&out,
		`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img">`+"\n",
		width,
		y,
		width,
		y,
	)
	fmt.Fprintf(&out, "  <title>%s</title>\n  <style>%s</style>\n", "Networks of the mesh, and who reaches whom", svgStyle)
	out.Write(body.Bytes())
	out.WriteString("</svg>\n")
	return out.Bytes()
}

// svgWays writes in words how each way leads, those alike together, and returns where the next thing
// begins. Beside a grid those that are ok are counted where they are more than a few.
func svgWays(w *bytes.Buffer, m view.NetworkMap, isGrid bool, width, y int) int {
	most := (width-2*svgMargin)/svgLetter - 2
	arrows := m.Arrows()
	ok, left := 0, 0
	for _, a := range arrows {
		if a.Status == view.RouteOK {
			ok++
		}
	}
	for _, a := range arrows {
		if isGrid && ok > mostWays && a.Status == view.RouteOK {
			left += len(a.Group.At)
			continue
		}
		from, to := a.Group.Ends(report.Clusters)
		for _, l := range cut(report.Fold(printable.Line(fmt.Sprintf("%s: %s → %s", a.Status, from, to)), most), most) {
			svgText(w, svgMargin, y+svgLine, "name "+string(a.Status), l)
			y += svgLine
		}
		for _, l := range cut(report.Fold(printable.Line(a.Where()), most-2), most-2) {
			svgText(w, svgMargin+2*svgLetter, y+svgLine, "", l)
			y += svgLine
		}
	}
	if left > 0 {
		svgText(w, svgMargin, y+svgLine, "name ok", fmt.Sprintf("%s: %s", view.RouteOK, finding.Plural(left, "other way")))
		y += svgLine
	}
	return y + svgMargin
}

// wrapLines breaks the lines of a box so that none has more than most letters.
func wrapLines(all []boxLine, most int) []boxLine {
	var out []boxLine
	for _, l := range all {
		text := strings.TrimLeft(l.text, " ")
		indent := strings.Repeat("\u00a0", len(l.text)-len(text))
		for _, part := range cut(report.Fold(text, most-len(l.text)+len(text)), most-4) {
			out = append(out, boxLine{indent + part, l.cluster, l.severity})
		}
	}
	return out
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

// svgText writes a line; attributes are further ones of the element.
func svgText(w *bytes.Buffer, x, y int, class, text string, attributes ...string) {
	fmt.Fprintf(w, `  <text x="%d" y="%d"`, x, y)
	if class != "" {
		fmt.Fprintf(w, ` class="%s"`, class)
	}
	for _, a := range attributes {
		w.WriteString(" " + a)
	}
	w.WriteString(">")
	svgEscape(w, text)
	w.WriteString("</text>\n")
}

// svgEscape writes text of anybody.
func svgEscape(w *bytes.Buffer, text string) {
	_ = xml.EscapeText(w, []byte(printable.Line(text))) // a buffer takes everything
}

// shortened is text of at most most letters.
func shortened(text string, most int) string {
	text = printable.Line(text)
	if report.Cells(text) <= most {
		return text
	}
	return cut([]string{text}, most-1)[0] + "…"
}
