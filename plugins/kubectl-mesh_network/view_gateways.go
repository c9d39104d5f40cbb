package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/views"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

// mostGateways are the rows of gateways up to which those that are ok are shown too.
const mostGateways = 12

// bySeverity is the order of gateways: the worst first.
var bySeverity = append(slices.Clone(finding.Severities), "")

// gatewaysTable writes a row for each gateway, those with which something is wrong first. Of many
// those that are ok are counted, unless wide.
func gatewaysTable(p *report.Page, l views.GatewayList, now time.Time, wide bool) error {
	if len(l.Gateways) == 0 {
		p.Line("No gateway between networks of Istio was found.")
		return nil
	}
	header := []string{"CLUSTER", "STATUS", "NETWORK", "ADDRESS", "PORT", "READY", "AGE", "GATEWAY", "TYPE"}
	if wide {
		header = append(header, "NETWORK FROM", "ADDRESS FROM", "PORT FROM", "VISIBLE TO", "CODES")
	}
	order := slices.Clone(l.Gateways)
	slices.SortStableFunc(order, func(a, b views.Gateway) int {
		return cmp.Compare(slices.Index(bySeverity, a.Severity), slices.Index(bySeverity, b.Severity))
	})
	var rows [][]string
	var tones []report.Tone
	left := 0
	for _, g := range order {
		if g.Severity == "" && len(order) > mostGateways && !wide {
			left++
			continue
		}
		status := g.Status
		if !wide && len(g.Codes) > 0 && g.Severity != "" {
			status += " " + string(g.Codes[0])
		}
		row := []string{g.Cluster, status, g.Network, g.Where(), ports(g), ready(g), age(g, now), g.Object.String(), g.Type}
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
		rows, tones = append(rows, row), append(tones, report.ToneOf(g.Severity))
	}
	if err := p.Table(header, rows, report.Status(1, tones)); err != nil {
		return err
	}
	if left > 0 {
		p.Toned("", fmt.Sprintf("%s: %d of %s, listed by -o wide", views.StatusOK, left, finding.Plural(len(order), "gateway")), report.Good)
	}
	return nil
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
