package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	probes "github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

// probeTable writes a row for each attempt, beneath the vantage from which it was
// made.
func probeTable(p *report.Page, trials probes.Trials, wide bool) error {
	var vantages []string
	for _, t := range trials {
		if !slices.Contains(vantages, t.From) {
			vantages = append(vantages, t.From)
		}
	}
	for i, from := range vantages {
		if i > 0 {
			p.Blank()
		}
		p.Line("From %s:", from)
		seen := slices.DeleteFunc(slices.Clone(trials), func(t probes.Trial) bool { return t.From != from })
		if err := vantageTable(p, seen, wide); err != nil {
			return err
		}
	}
	return nil
}

// vantageTable writes what was seen from one vantage: in rows; where these are too
// long with what was seen beneath them; or, where even that does not fit, without
// columns.
func vantageTable(p *report.Page, trials probes.Trials, wide bool) error {
	header := []string{"CLUSTER", "NETWORK", "ADDRESS", "TIME", "RESULT"}
	if wide {
		header = []string{
			"CLUSTER",
			"NETWORK",
			"ADDRESS",
			"TIME",
			"NAME",
			"CONNECT",
			"TLS",
			"GATEWAY",
			"SERVER NAME",
			"TOOL",
			"CERTIFICATE",
			"RESULT",
		}
	}
	used := slices.ContainsFunc(trials, func(t probes.Trial) bool { return t.Purpose != probes.Requests })
	if used {
		header = slices.Insert(header, 3, "FOR")
	}
	var full, short [][]string
	for _, t := range trials {
		ms := t.Milliseconds
		row := []string{t.Cluster, t.Network, t.Where(), span(ms.Name + ms.Connect + ms.TLS)}
		if wide {
			shown := ""
			if t.Certificate != nil {
				shown = t.Certificate.Describe()
			}
			row = append(row, span(ms.Name), span(ms.Connect), span(ms.TLS), t.Object.String(), t.ServerName, t.Tool, shown)
		}
		if used {
			row = slices.Insert(row, 3, t.Use())
		}
		full = append(full, append(slices.Clone(row), t.Says()))
		short = append(short, append(row, t.Result.String()))
	}
	switch {
	case p.Fits(header, full):
		return p.Table(header, full)
	case p.Fits(header, short):
		if err := p.Table(header, short); err != nil {
			return err
		}
	default:
		for i, t := range trials {
			use := ""
			if used {
				use = ", for " + t.Use()
			}
			p.Wrapped("", fmt.Sprintf("%s, %s: %s%s", t.Cluster, t.Network, t.Where(), use))
			p.Wrapped("  ", fmt.Sprintf("%s (%s)", t.Says(), cmp.Or(short[i][slices.Index(header, "TIME")], "not timed")))
		}
		return nil
	}
	for _, t := range trials {
		where := t.Where()
		if t.Purpose != probes.Requests {
			where += ", for " + t.Use()
		}
		switch {
		case t.Result == probes.Trusted:
			p.Wrapped("  "+where+": ", "trusted "+t.Detail)
		case t.Detail != "":
			p.Wrapped("  "+where+": ", t.Detail)
		}
	}
	return nil
}

// span is a time for people, "" where none was taken.
func span(milliseconds float64) string {
	d := time.Duration(milliseconds * float64(time.Millisecond))
	switch {
	case d <= 0:
		return ""
	case d < time.Millisecond:
		return "<1ms"
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	default:
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
}
