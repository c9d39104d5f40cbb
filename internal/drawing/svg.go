// Package drawing draws maps of any mesh: as text, for Graphviz, for Mermaid, and as SVG.
package drawing

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

// Style is the style sheet of a drawing, which is about nothing but that.
const Style = `
    .map { background: #ffffff; color: #1f2328; }
    .map text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2328; }
    .map .name { font-weight: bold; }
    .map .small { font-size: 11px; }
    .map .halo { paint-order: stroke; stroke: #ffffff; stroke-width: 4px; }
    .map .frame { fill: #f6f8fa; stroke: #6e7781; }
    .map path { fill: none; stroke-width: 2; }
    .map path.ok, .map path.head.ok { stroke: #1a7f37; } .map path.partial { stroke: #9a6700; stroke-dasharray: 8 4; }
    .map path.broken { stroke: #d1242f; stroke-dasharray: 4 4; } .map path.unknown { stroke: #6e7781; stroke-dasharray: 2 4; }
    .map path.head { stroke-dasharray: none; }
    .map rect.ok { fill: #4ac26b; } .map rect.partial { fill: #9a6700; }
    .map rect.broken { fill: #d1242f; } .map rect.unknown { fill: #6e7781; }
    .map rect.self { fill: #eaeef2; }
    .map text.error, .map text.broken { fill: #cf222e; } .map text.warning, .map text.partial { fill: #8a5d00; }
    .map text.note, .map text.unknown { fill: #57606a; } .map text.ok { fill: #1a7f37; }
    .map text.code { fill: #ffffff; font-size: 10px; }
    @media screen and (prefers-color-scheme: dark) {
      .map { background: #0d1117; color: #e6edf3; }
      .map text { fill: #e6edf3; }
      .map .halo { stroke: #0d1117; }
      .map .frame { fill: #161b22; stroke: #8b949e; }
      .map path.ok, .map path.head.ok { stroke: #3fb950; } .map path.partial { stroke: #d29922; }
      .map path.broken { stroke: #f85149; } .map path.unknown { stroke: #8b949e; }
      .map rect.ok { fill: #238636; } .map rect.partial { fill: #8a5d00; }
      .map rect.broken { fill: #da3633; } .map rect.unknown { fill: #6e7681; }
      .map rect.self { fill: #21262d; }
      .map text.error, .map text.broken { fill: #ff7b72; } .map text.warning, .map text.partial { fill: #d29922; }
      .map text.note, .map text.unknown { fill: #9198a1; } .map text.ok { fill: #3fb950; } .map text.code { fill: #ffffff; }
    }
  `

// SVG is the map as a drawing that stands alone: a box for each cluster and arrows between them,
// or many clusters as a grid of cells; and beneath it in words how each way leads.
func SVG(m view.NetworkMap) []byte {
	body, isGrid, width, y := svgBody(m)
	y = svgWays(body, m, isGrid, width, y)
	return svgRoot(body, width, y, "  <style>"+Style+"</style>\n")
}

// Inline is the drawing alone, without words beneath it, as a part of a page that has Style. It is nothing
// where there is nothing to draw.
func Inline(m view.NetworkMap) []byte {
	body, _, width, y := svgBody(m)
	if body.Len() == 0 {
		return nil
	}
	return svgRoot(body, width, y, "")
}

// svgBody draws clusters and the ways between them, and says whether as a grid, how wide, and where the next
// thing begins.
func svgBody(m view.NetworkMap) (body *bytes.Buffer, isGrid bool, width, y int) {
	body = new(bytes.Buffer)
	g := newGrid(m)
	if isGrid = len(g.clusters) >= leastGrid; isGrid {
		width, y = svgGrid(body, g, svgMargin)
	} else {
		width, y = svgWidth, svgClusters(body, g, svgMargin)
	}
	return body, isGrid, width, y
}

// svgRoot is the element around a drawing.
func svgRoot(body *bytes.Buffer, width, height int, style string) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" class="map" width="%d" height="%d" viewBox="0 0 %d %d" role="img">`+"\n",
		width, height, width, height)
	fmt.Fprintf(&out, "  <title>%s</title>\n%s", "Networks of the mesh, and who reaches whom", style)
	out.Write(body.Bytes())
	out.WriteString("</svg>\n")
	return out.Bytes()
}

// svgWays writes in words how each way leads, those alike together, and returns where the next thing
// begins. Beside a grid those that are ok are counted where they are more than a few.
func svgWays(w *bytes.Buffer, m view.NetworkMap, isGrid bool, width, y int) int {
	most := (width-2*svgMargin)/svgLetter - 2
	arrows, left := listed(m, isGrid)
	for _, a := range arrows {
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

// Ways are the ways of a map in words, those alike together: how each is, from, to, and how it leads; and their
// tones. Beside a grid those that are ok are counted where they are more than a few.
func Ways(m view.NetworkMap) (ways [][4]string, tones []finding.Severity) {
	arrows, left := listed(m, len(newGrid(m).clusters) >= leastGrid)
	for _, a := range arrows {
		from, to := a.Group.Ends(report.Clusters)
		ways, tones = append(ways, [4]string{string(a.Status), from, to, a.Where()}), append(tones, routeSeverity(a.Status))
	}
	if left > 0 {
		ways, tones = append(ways, [4]string{string(view.RouteOK), "", "", finding.Plural(left, "other way")}), append(tones, "")
	}
	return ways, tones
}

// listed are the arrows that are listed in words, and how many ways are not: beside a grid those that are ok, where
// they are more than a few.
func listed(m view.NetworkMap, isGrid bool) (arrows []view.Arrow, left int) {
	ok := 0
	all := m.Arrows()
	for _, a := range all {
		if a.Status == view.RouteOK {
			ok++
		}
	}
	for _, a := range all {
		if isGrid && ok > mostWays && a.Status == view.RouteOK {
			left += len(a.Group.At)
			continue
		}
		arrows = append(arrows, a)
	}
	return arrows, left
}
