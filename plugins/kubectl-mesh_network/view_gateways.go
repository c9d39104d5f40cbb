package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/views"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

// gatewaysTable writes a row for each gateway.
func gatewaysTable(p *report.Page, l views.GatewayList, now time.Time, wide bool) error {
	header := []string{"CLUSTER", "NETWORK", "GATEWAY", "TYPE", "ADDRESS", "PORT", "READY", "AGE", "STATUS"}
	if wide {
		header = append(header, "NETWORK FROM", "ADDRESS FROM", "PORT FROM", "VISIBLE TO", "CODES")
	}
	var rows [][]string
	for _, g := range l.Gateways {
		row := []string{g.Cluster, g.Network, g.Object.String(), g.Type, g.Where(), ports(g), ready(g), age(g, now), g.Status}
		if wide {
			var from []string
			for _, a := range g.Addresses {
				text := a.From
				if a.Node != "" {
					text += " of node " + a.Node
				}
				if len(from) == 0 || from[len(from)-1] != text {
					from = append(from, text)
				}
			}
			codes := make([]string, len(g.Codes))
			for i, c := range g.Codes {
				codes[i] = string(c)
			}
			row = append(row, g.NetworkFrom, strings.Join(from, ", "), g.PortFrom, strings.Join(g.VisibleTo, ", "), strings.Join(codes, " "))
		}
		rows = append(rows, row)
	}
	return p.Table(header, rows)
}

func ports(g views.Gateway) string {
	var out []string
	if g.Port != 0 {
		out = append(out, strconv.Itoa(int(g.Port)))
	}
	if g.HBONEPort != 0 && g.HBONEPort != g.Port {
		out = append(out, fmt.Sprintf("%d (HBONE)", g.HBONEPort))
	}
	return strings.Join(out, ", ")
}

func ready(g views.Gateway) string {
	if g.Pods == nil || g.Ready == nil {
		return ""
	}
	return fmt.Sprintf("%d/%d", *g.Ready, *g.Pods)
}

// age is how long the object has been there, as kubectl shows it.
func age(g views.Gateway, now time.Time) string {
	if g.Created == nil || g.Created.IsZero() {
		return ""
	}
	return finding.Age(now.Sub(*g.Created))
}
