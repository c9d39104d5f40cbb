package drawing

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// DOT is the map for Graphviz.
func DOT(m view.NetworkMap) []byte {
	g := newGraph(m)
	var b bytes.Buffer
	b.WriteString("digraph mesh {\n  rankdir=LR;\n  compound=true;\n" +
		"  fontname=\"sans-serif\";\n  node [fontname=\"sans-serif\"];\n  edge [fontname=\"sans-serif\", fontsize=10];\n")
	for _, group := range g.groups {
		fmt.Fprintf(&b, "  subgraph cluster_%s {\n    label=%s;\n    style=rounded;\n    color=\"#6e7781\";\n", group.id, dotQuote(group.title))
		for _, n := range group.nodes {
			fmt.Fprintf(&b, "    %s\n", dotNode(n))
		}
		b.WriteString("  }\n")
	}
	for _, n := range g.loose {
		fmt.Fprintf(&b, "  %s\n", dotNode(n))
	}
	for _, e := range g.edges {
		attributes := fmt.Sprintf("color=%q", mapColor(routeSeverity(e.status)))
		if e.label != "" {
			attributes = "label=" + dotQuote(e.label) + ", " + attributes
		}
		switch e.status {
		case view.RouteBroken:
			attributes += ", style=dashed, arrowhead=tee"
		case view.RoutePartial:
			attributes += ", style=dashed"
		case view.RouteUnknown:
			attributes += ", style=dotted"
		case view.RouteOK: // a plain line
		}
		fmt.Fprintf(&b, "  %s -> %s [%s];\n", e.from, e.to, attributes)
	}
	b.WriteString("}\n")
	return b.Bytes()
}

func dotNode(n node) string {
	shape := "box, style=\"rounded,bold\""
	if n.gateway {
		shape = fmt.Sprintf("cds, color=%q", mapColor(n.severity))
	}
	lines := make([]string, len(n.lines))
	for i, l := range n.lines {
		lines[i] = dotText(l)
	}
	return fmt.Sprintf("%s [label=\"%s\", shape=%s];", n.id, strings.Join(lines, `\n`), shape)
}

func dotQuote(s string) string { return `"` + dotText(s) + `"` }

// dotText escapes for a quoted string that is a label: there backslashes begin
// escapes, and ampersands HTML entities.
func dotText(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
