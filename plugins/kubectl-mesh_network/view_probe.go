package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	probes "github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// mostTrials are the attempts from one vantage up to which each is shown.
const mostTrials = 12

// probeTable writes a row for each attempt, beneath the vantage from which it was made. Those that
// failed are first; of many those with one outcome are counted, unless wide.
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
		slices.SortStableFunc(seen, func(a, b probes.Trial) int {
			return cmp.Compare(slices.Index(probeOrder, probeStatus(a)), slices.Index(probeOrder, probeStatus(b)))
		})
		if len(seen) > mostTrials && !wide {
			vantageCounts(p, seen)
			continue
		}
		if err := vantageTable(p, seen, wide); err != nil {
			return err
		}
	}
	return nil
}

// probeOrder is the order of attempts: those that failed first.
var probeOrder = []view.Verdict{view.Broken, view.Unknown, view.Reaches}

// probeStatus is what an attempt says of its address: unknown where what is there was not to be seen.
func probeStatus(t probes.Trial) view.Verdict {
	switch {
	case t.Expected():
		return view.Reaches
	case t.Result == probes.Reachable || t.Result == probes.NotTried:
		return view.Unknown
	default:
		return view.Broken
	}
}

// probeTones are the colours of attempts.
var probeTones = map[view.Verdict]report.Tone{
	view.Broken: {Severity: finding.Error}, view.Unknown: {Severity: finding.Warning}, view.Reaches: report.Good,
}

// vantageCounts writes what was seen from one vantage, each outcome once, with some of those that
// ended so.
func vantageCounts(p *report.Page, trials probes.Trials) {
	for len(trials) > 0 {
		first := trials[0]
		says := first.Says()
		if first.Result == probes.Trusted { // by whom differs with each
			says = first.Result.String()
		}
		var where []string
		rest := probes.Trials{}
		for _, t := range trials {
			if t.Result != first.Result || t.Purpose != first.Purpose || t.Result != probes.Trusted && t.Detail != first.Detail {
				rest = append(rest, t)
				continue
			}
			where = append(where, t.Cluster+" "+t.Where())
		}
		trials = rest
		if first.Purpose != probes.Requests {
			says += ", for " + first.Use()
		}
		p.Toned("", fmt.Sprintf("%s: %d %s", probeStatus(first), len(where), says), probeTones[probeStatus(first)])
		if probeStatus(first) == view.Reaches {
			p.Line("  -o wide lists them")
			continue
		}
		text := finding.List(where)
		if len(where) > 4 {
			text += ": -o wide"
		}
		p.Wrapped("  ", text)
	}
}

// vantageTable writes what was seen from one vantage: in rows or, where these are too long, with what
// was seen of those that failed beneath them.
func vantageTable(p *report.Page, trials probes.Trials, wide bool) error {
	header := []string{"CLUSTER", "STATUS", "NETWORK", "ADDRESS", "TIME", "RESULT"}
	if wide {
		header = []string{
			"CLUSTER",
			"STATUS",
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
		header = slices.Insert(header, 4, "FOR")
	}
	var full, short [][]string
	var tones []report.Tone
	for _, t := range trials {
		ms := t.Milliseconds
		row := []string{t.Cluster, string(probeStatus(t)), t.Network, t.Where(), span(ms.Name + ms.Connect + ms.TLS)}
		if wide {
			shown := ""
			if t.Certificate != nil {
				shown = t.Certificate.Describe()
			}
			row = append(row, span(ms.Name), span(ms.Connect), span(ms.TLS), t.Object.String(), t.ServerName, t.Tool, shown)
		}
		if used {
			row = slices.Insert(row, 4, t.Use())
		}
		tones = append(tones, probeTones[probeStatus(t)])
		full = append(full, append(slices.Clone(row), t.Says()))
		short = append(short, append(row, t.Result.String()))
	}
	if p.Fits(header, full) || !p.Fits(header, short) {
		return p.Table(header, full, report.Status(1, tones))
	}
	if err := p.Table(header, short, report.Status(1, tones)); err != nil {
		return err
	}
	for _, t := range trials {
		where := t.Where()
		if t.Purpose != probes.Requests {
			where += ", for " + t.Use()
		}
		if t.Detail != "" && t.Result != probes.Trusted {
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
