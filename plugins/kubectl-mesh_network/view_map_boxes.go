package main

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/network"
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
func boxes(m network.Map) []box {
	var out []box
	for _, n := range m.Networks {
		b := box{title: networkTitle(m, n.Network)}
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
				b.lines = append(b.lines, gatewayLines("", g, " of the mesh networks")...)
			case !slices.Contains(n.Clusters, g.Cluster):
				b.lines = append(b.lines, gatewayLines("", g, " in "+g.Cluster)...)
			}
		}
		out = append(out, b)
	}
	for _, rest := range []struct {
		title string
		names []string
	}{{"not reached from here", m.Unreached}, {"not in this mesh", m.Apart}} {
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
func networkTitle(m network.Map, name string) string {
	switch {
	case name != "":
		return name
	case len(m.Networks) == 1:
		return "one network"
	default:
		return "no network"
	}
}

// gatewayLines say where a gateway is, and what is wrong with it.
func gatewayLines(indent string, g network.Gateway, of string) []boxLine {
	var out []boxLine
	for _, where := range gatewayAddresses(g) {
		out = append(out, boxLine{text: indent + "gateway " + where + of, severity: gatewaySeverity(g)})
	}
	if note := gatewayNote(g); note != "" {
		if len(out) == 0 {
			return []boxLine{{text: indent + "gateway" + of + ": " + note, severity: gatewaySeverity(g)}}
		}
		out = append(out, boxLine{text: indent + "  " + note, severity: gatewaySeverity(g)})
	}
	return out
}

// gatewayAddresses are address and port of a gateway, one by one.
func gatewayAddresses(g network.Gateway) []string {
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
func gatewayNote(g network.Gateway) string {
	if g.Status == network.StatusOK {
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

// harmless are the codes of gateways that work, if not as well as they could.
var harmless = []finding.Code{"GW008", "GW015", "GW020", "GW032", "NET012"}

// gatewaySeverity is the colour of a gateway: what is only not known, or not
// needed, has no codes.
func gatewaySeverity(g network.Gateway) finding.Severity {
	switch {
	case g.Status == network.StatusOK:
		return ""
	case len(g.Codes) == 0:
		return finding.Note
	case !slices.ContainsFunc(g.Codes, func(c finding.Code) bool { return !slices.Contains(harmless, c) }):
		return finding.Warning
	default:
		return finding.Error
	}
}

// routeSeverity is the colour of a route; "" where it is ok.
func routeSeverity(s network.RouteStatus) finding.Severity {
	switch s {
	case network.RouteBroken:
		return finding.Error
	case network.RoutePartly:
		return finding.Warning
	case network.RouteUnknown:
		return finding.Note
	default:
		return ""
	}
}

// ends names the clusters at the beginning and at the end of an arrow.
func ends(a network.Arrow) (from, to string) {
	from, to = strings.Join(a.From, ", "), strings.Join(a.To, ", ")
	if a.AllOthers {
		from = "all others"
		if len(a.To) == len(a.From)+1 {
			to = "every cluster"
		}
	}
	return from, to
}
