package drawing

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// leastGrid are the clusters from which on a map is a grid of from and to: so many boxes and arrows
// nobody follows.
const leastGrid = 6

// grid is a map as rows from clusters and columns to them, grouped by network.
type grid struct {
	m        view.NetworkMap
	clusters []string
	// networks are those of the clusters; "" where it has no name.
	networks []string
	routes   map[[2]string]view.Route
}

func newGrid(m view.NetworkMap) grid {
	g := grid{m: m, routes: map[[2]string]view.Route{}}
	networks := slices.DeleteFunc(slices.Clone(m.Networks), func(n view.MapNetwork) bool { return len(n.Clusters) == 0 })
	place := func(n view.MapNetwork) int {
		return slices.IndexFunc(m.Clusters, func(c view.MapCluster) bool { return c.Cluster == n.Clusters[0] })
	}
	slices.SortStableFunc(networks, func(a, b view.MapNetwork) int { return place(a) - place(b) })
	for _, n := range networks {
		for _, c := range n.Clusters {
			g.clusters, g.networks = append(g.clusters, c), append(g.networks, n.Network)
		}
	}
	for _, r := range m.Routes {
		g.routes[[2]string{r.From, r.To}] = r
	}
	return g
}

// route is the way from one cluster to another; there is none to itself, and between meshes.
func (g grid) route(from, to int) (view.Route, bool) {
	r, ok := g.routes[[2]string{g.clusters[from], g.clusters[to]}]
	return r, ok
}

var routeSigns = map[view.RouteStatus]string{
	view.RouteOK: "✓", view.RouteBroken: "✗", view.RoutePartial: "◐", view.RouteUnknown: "?",
}

// noRoute stands for what has no way: a cluster to itself.
const noRoute = "–"

// matrix is the grid as signs.
func (g grid) matrix() report.Matrix {
	labels := make([]string, len(g.clusters))
	for i, c := range g.clusters {
		labels[i] = c
		if g.networks[i] != "" && g.networks[i] != c {
			labels[i] += " on " + g.networks[i]
		}
	}
	return report.Matrix{
		Corner: "FROM", From: labels, To: labels, Legend: g.legend(),
		Cell: func(from, to int) (string, report.Tone) {
			r, ok := g.route(from, to)
			if !ok {
				return noRoute, report.Tone{}
			}
			return routeSigns[r.Status], report.ToneOf(routeSeverity(r.Status))
		},
	}
}

// legend counts the ways by their status, the worst first, each with its sign.
func (g grid) legend() string {
	count := map[view.RouteStatus]int{}
	for i := range g.clusters {
		for k := range g.clusters {
			if r, ok := g.route(i, k); ok {
				count[r.Status]++
			}
		}
	}
	var out []string
	for _, s := range slices.Backward(view.RouteStatuses) {
		if n := count[s]; n > 0 {
			out = append(out, fmt.Sprintf("%s %d %s", routeSigns[s], n, s))
		}
	}
	return strings.Join(out, ", ")
}

// notes say what a grid does not show: how much there is, gateways with which something is wrong,
// and clusters that have no row.
func (g grid) notes(p *report.Page) {
	networks := 0
	for _, n := range g.m.Networks {
		if len(n.Clusters) > 0 {
			networks++
		}
	}
	p.Wrapped("", fmt.Sprintf("%s on %s.", finding.Plural(len(g.clusters), "cluster"), finding.Plural(networks, "network")))
	var said []string
	where := map[string][]string{}
	severity := map[string]finding.Severity{}
	for _, n := range g.m.Networks {
		for _, gw := range n.Gateways {
			note := gatewayNote(gw)
			if note == "" {
				continue
			}
			if where[note] == nil {
				said = append(said, note)
			}
			where[note], severity[note] = append(where[note], gw.Cluster), gw.Severity
		}
	}
	for _, note := range said {
		p.Toned("", fmt.Sprintf("gateway %s: %s", note, report.Clusters(finding.Distinct(where[note]))), report.ToneOf(severity[note]))
	}
	for _, rest := range []struct {
		title string
		names []string
	}{{"not reached from here", g.m.Unreached}, {"not part of the mesh", g.m.Outside()}} {
		if len(rest.names) > 0 {
			p.Wrapped("", rest.title+": "+report.Clusters(rest.names))
		}
	}
}
