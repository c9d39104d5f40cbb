package drawing

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// graph is the map as nodes and edges, for programs that lay them out. All
// text in it is printable.
type graph struct {
	groups []nodeGroup
	// loose are nodes that are in no group.
	loose []node
	edges []edge
}

type nodeGroup struct {
	id, title string
	nodes     []node
}

type node struct {
	id      string
	lines   []string
	gateway bool
	// severity of what is wrong with it; "" for nothing.
	severity finding.Severity
}

type edge struct {
	from, to, label string
	status          view.RouteStatus
}

// newGraph draws requests from clusters to gateways, and from there to clusters.
// What all clusters have in common comes from one node that stands for them.
func newGraph(m view.NetworkMap) graph {
	var g graph
	clusters := map[string]string{}
	add := func(n *nodeGroup, name string) {
		id := fmt.Sprintf("c%d", len(clusters))
		clusters[name] = id
		n.nodes = append(n.nodes, node{id: id, lines: []string{printable.Line(name)}})
	}
	type drawnGateway struct {
		view.Gateway
		id string
	}
	var gateways []drawnGateway
	for i, n := range m.Networks {
		group := nodeGroup{id: fmt.Sprintf("n%d", i), title: printable.Line(networkTitle(m, n))}
		for _, c := range n.Clusters {
			add(&group, c)
		}
		for _, gw := range n.Gateways {
			d := drawnGateway{gw, fmt.Sprintf("g%d", len(gateways))}
			gateways = append(gateways, d)
			lines := append([]string{"gateway"}, gatewayAddresses(gw)...)
			if note := gatewayNote(gw); note != "" {
				lines = append(lines, note)
			}
			for k := range lines {
				lines[k] = printable.Line(lines[k])
			}
			group.nodes = append(group.nodes, node{d.id, lines, true, gw.Severity})
		}
		g.groups = append(g.groups, group)
	}
	for i, rest := range [][]string{m.Unreached, m.Outside()} {
		if len(rest) == 0 {
			continue
		}
		group := nodeGroup{id: fmt.Sprintf("r%d", i), title: []string{"not reached from here", "not part of the mesh"}[i]}
		for _, c := range rest {
			add(&group, c)
		}
		g.groups = append(g.groups, group)
	}
	everybody := ""
	connect := func(e edge) {
		if !slices.Contains(g.edges, e) {
			g.edges = append(g.edges, e)
		}
	}
	for _, a := range m.Arrows() {
		var from []string
		if a.Group.AllFrom {
			if everybody == "" {
				everybody = "all"
				g.loose = append(g.loose, node{id: everybody, lines: []string{"all other clusters"}})
			}
			from = []string{everybody}
		} else {
			for _, name := range a.Group.From {
				from = append(from, clusters[name])
			}
		}
		var hops []string
		for _, h := range a.Through {
			i := slices.IndexFunc(gateways, func(d drawnGateway) bool { return d.Leads(h) })
			if i >= 0 && !slices.Contains(hops, gateways[i].id) {
				hops = append(hops, gateways[i].id)
			}
		}
		for _, source := range from {
			for _, target := range a.Group.To {
				if len(hops) == 0 {
					connect(edge{source, clusters[target], edgeLabel(a.Route), a.Status})
				}
				for _, hop := range hops {
					connect(edge{source, hop, edgeLabel(a.Route), a.Status})
					connect(edge{from: hop, to: clusters[target], status: view.RouteOK})
				}
			}
		}
	}
	return g
}

// edgeLabel is a word on how a route leads, or what is wrong with it.
func edgeLabel(r view.Route) string {
	switch {
	case len(r.Codes) > 0:
		return string(r.Status) + ": " + r.CodeList()
	case r.Status == view.RouteUnknown:
		return string(r.Status)
	case r.Status != view.RouteOK:
		return string(r.Status) + ": " + printable.Line(r.Reason)
	case r.Via == view.Direct:
		return "direct"
	default:
		return ""
	}
}

// colours of what is wrong, and of what is not, that are seen on white and on black.
func mapColor(s finding.Severity) string {
	switch s {
	case finding.Error:
		return "#d1242f"
	case finding.Warning:
		return "#bf8700"
	case finding.Note:
		return "#6e7781"
	default:
		return "#1a7f37"
	}
}

// escapeRunes writes every rune that is not among the plain ones by escape.
func escapeRunes(s string, plain func(rune) bool, escape func(rune) string) string {
	var b strings.Builder
	for _, r := range s {
		if plain(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(escape(r))
		}
	}
	return b.String()
}
