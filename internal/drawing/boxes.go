package drawing

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// box is a frame of a drawing: a network, or clusters that are on none.
type box struct {
	title string
	lines []boxLine
}

// boxLine is a line in a box.
type boxLine struct {
	text    string
	cluster bool
	// severity of what it says is wrong; "" for nothing.
	severity finding.Severity
}

// boxes are the networks, each cluster with its gateways beneath it, and then
// what is on no network.
func boxes(m view.NetworkMap) []box {
	var out []box
	for _, n := range m.Networks {
		b := box{title: networkTitle(m, n)}
		for _, c := range n.Clusters {
			b.lines = append(b.lines, boxLine{text: c, cluster: true})
			for _, g := range n.Gateways {
				if g.Cluster == c && !g.IsStatic() {
					b.lines = append(b.lines, gatewayLines("  ", g, "")...)
				}
			}
		}
		for _, g := range n.Gateways {
			switch {
			case g.IsStatic():
				b.lines = append(b.lines, gatewayLines("", g, " of meshNetworks")...)
			case !slices.Contains(n.Clusters, g.Cluster):
				b.lines = append(b.lines, gatewayLines("", g, " in "+g.Cluster)...)
			}
		}
		out = append(out, b)
	}
	for _, rest := range []struct {
		title string
		names []string
	}{{"not reached from here", m.Unreached}, {"not part of the mesh", m.Outside()}} {
		if len(rest.names) == 0 {
			continue
		}
		b := box{title: rest.title}
		for _, name := range rest.names {
			b.lines = append(b.lines, boxLine{text: name, cluster: true})
		}
		out = append(out, b)
	}
	return out
}

// networkTitle is the name of a network, or words for one that has none.
func networkTitle(m view.NetworkMap, n view.MapNetwork) string {
	switch {
	case n.Network != "":
		return n.Network
	case n.Mesh != "":
		return n.Mesh
	case len(m.Networks) == 1:
		return "one network"
	default:
		return "no network"
	}
}

// gatewayLines say where a gateway is, and what is wrong with it.
func gatewayLines(indent string, g view.Gateway, of string) []boxLine {
	var out []boxLine
	for _, where := range gatewayAddresses(g) {
		out = append(out, boxLine{text: indent + "gateway " + where + of, severity: g.Severity})
	}
	if note := gatewayNote(g); note != "" {
		if len(out) == 0 {
			return []boxLine{{text: indent + "gateway" + of + ": " + note, severity: g.Severity}}
		}
		out = append(out, boxLine{text: indent + "  " + note, severity: g.Severity})
	}
	return out
}

// gatewayAddresses are address and port of a gateway, one by one.
func gatewayAddresses(g view.Gateway) []string {
	var out []string
	for _, a := range g.Addresses {
		text := net.JoinHostPort(a.Address, strconv.FormatUint(uint64(max(g.Port, g.HBONEPort)), 10))
		if len(a.Resolved) > 0 {
			text += " (" + strings.Join(a.Resolved, ", ") + ")"
		}
		out = append(out, text)
	}
	return out
}

// gatewayNote is the status of a gateway with its codes; "" where it is ok.
func gatewayNote(g view.Gateway) string {
	if g.Status == view.StatusOK {
		return ""
	}
	codes := make([]string, len(g.Codes))
	for i, c := range g.Codes {
		codes[i] = string(c)
	}
	if len(codes) == 0 {
		return g.Status
	}
	return g.Status + " (" + strings.Join(codes, ", ") + ")"
}

// routeSeverity is the colour of a route; "" where it is ok.
func routeSeverity(s view.RouteStatus) finding.Severity {
	switch s {
	case view.RouteBroken:
		return finding.Error
	case view.RoutePartial:
		return finding.Warning
	case view.RouteUnknown:
		return finding.Note
	default:
		return ""
	}
}
