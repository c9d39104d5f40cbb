package drawing

import (
	"bytes"
	"fmt"

	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// Measures of a grid, in pixels.
const (
	gridSide   = 640 // of all cells together, where that leaves each large enough
	gridLeast  = 16  // a cell
	gridMost   = 44
	gridCode   = 38 // a cell with room for a code
	gridGap    = 6  // between networks of several clusters
	gridNames  = 24 // letters of a name beside the cells
	gridWidest = 560
)

// svgGrid draws a cell for each way, rows from clusters and columns to them, with the words of the way
// where the pointer is. It returns how wide the drawing is, and where the next thing begins.
func svgGrid(w *bytes.Buffer, g grid, y int) (width, below int) {
	n := len(g.clusters)
	cell := min(max(gridSide/n, gridLeast), gridMost)
	letters, networks := 4, 0
	for i := range n {
		letters = max(letters, min(report.Cells(g.clusters[i]), gridNames))
		networks = max(networks, min(report.Cells(g.networks[i]), gridNames))
	}
	at := make([]int, n) // of each row and column, from the beginning of the cells
	for i := 1; i < n; i++ {
		at[i] = at[i-1] + cell
		if g.networks[i] != g.networks[i-1] && g.grouped() {
			at[i] += gridGap
		}
	}
	side := at[n-1] + cell
	left, top := svgMargin+letters*svgLetter+svgLetter, y+svgLine+letters*svgLetter+svgLetter
	svgText(w, svgMargin, y+svgLine-6, "small", "rows: from, columns: to")
	for i, name := range g.clusters {
		short, middle := shortened(name, letters), at[i]+cell/2+5
		svgText(w, left-svgLetter-report.Cells(short)*svgLetter, top+middle, "", short)
		x := left + middle
		svgText(w, x, top-svgLetter, "", short, fmt.Sprintf(`transform="rotate(-90 %d %d)"`, x, top-svgLetter))
		if i == 0 || g.networks[i] != g.networks[i-1] {
			svgText(w, left+side+svgLetter, top+middle, "note", shortened(g.networks[i], networks))
		}
	}
	for i, from := range g.clusters {
		for k, to := range g.clusters {
			r, ok := g.route(i, k)
			class, title := "self", from
			if ok {
				class, title = string(r.Status), fmt.Sprintf("%s → %s: %s: %s", from, to, r.Status, r.Where())
			} else if i != k {
				title = from + " → " + to + ": not of one mesh"
			}
			fmt.Fprintf(w, `  <rect class="%s" x="%d" y="%d" width="%d" height="%d" rx="2"><title>`, class, left+at[k], top+at[i], cell-1, cell-1)
			svgEscape(w, title)
			w.WriteString("</title></rect>\n")
			if ok && cell >= gridCode && len(r.Codes) > 0 && r.Status != view.RouteOK {
				svgText(w, left+at[k]+3, top+at[i]+cell/2+4, "code", string(r.Codes[0]))
			}
		}
	}
	width = left + side + svgLetter + networks*svgLetter + svgMargin
	return max(width, gridWidest), top + side + svgGap
}

// grouped reports whether some network has several clusters.
func (g grid) grouped() bool {
	for i := 1; i < len(g.networks); i++ {
		if g.networks[i] == g.networks[i-1] {
			return true
		}
	}
	return false
}
