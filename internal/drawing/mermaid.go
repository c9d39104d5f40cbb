package drawing

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"

	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// Mermaid is the map for Markdown.
func Mermaid(m view.NetworkMap) []byte {
	g := newGraph(m)
	var b bytes.Buffer
	b.WriteString("flowchart LR\n")
	for _, group := range g.groups {
		fmt.Fprintf(&b, "  subgraph %s[\"%s\"]\n", group.id, mermaidText(group.title))
		for _, n := range group.nodes {
			fmt.Fprintf(&b, "    %s\n", mermaidNode(n))
		}
		b.WriteString("  end\n")
	}
	for _, n := range g.loose {
		fmt.Fprintf(&b, "  %s\n", mermaidNode(n))
	}
	for _, e := range g.edges {
		arrow := "-->"
		switch e.status {
		case view.RouteBroken:
			arrow = "-.-x"
		case view.RoutePartial, view.RouteUnknown:
			arrow = "-.->"
		case view.RouteOK: // as above
		}
		if e.label != "" {
			arrow += `|"` + mermaidText(e.label) + `"|`
		}
		fmt.Fprintf(&b, "  %s %s %s\n", e.from, arrow, e.to)
	}
	for i, e := range g.edges {
		if s := routeSeverity(e.status); s != "" {
			fmt.Fprintf(&b, "  linkStyle %d stroke:%s\n", i, mapColor(s))
		}
	}
	for _, group := range g.groups {
		for _, n := range group.nodes {
			if n.severity != "" {
				fmt.Fprintf(&b, "  style %s stroke:%s\n", n.id, mapColor(n.severity))
			}
		}
	}
	return b.Bytes()
}

func mermaidNode(n node) string {
	lines := make([]string, len(n.lines))
	for i, l := range n.lines {
		lines[i] = mermaidText(l)
	}
	text := strings.Join(lines, "<br/>")
	if n.gateway {
		return n.id + `>"` + text + `"]`
	}
	return n.id + `("` + text + `")`
}

// mermaidText writes all but letters, digits and a few signs as entities by
// their number, so that nothing in a text is Markdown, HTML or syntax.
func mermaidText(s string) string {
	plain := func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" .:/,-", r)
	}
	return escapeRunes(s, plain, func(r rune) string { return fmt.Sprintf("#%d;", r) })
}
