package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fatih/color"
	"github.com/mattn/go-runewidth"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// verdictWords are the verdicts as they are printed.
var verdictWords = map[view.Verdict]string{
	view.Broken: "BROKEN", view.Partial: "PARTIAL", view.Unknown: "unknown",
	view.Local: "local", view.Nothing: "nothing", view.Reaches: "reaches",
}

var verdictStyles = map[view.Verdict][]color.Attribute{
	view.Broken: {color.FgRed, color.Bold}, view.Partial: {color.FgYellow, color.Bold}, view.Unknown: {color.FgYellow},
	view.Reaches: {color.FgGreen},
}

// diagnosisPage writes a line for each path, the worst first, then the findings.
func diagnosisPage(p *report.Page, d *view.Diagnosis, result finding.Result, wide bool) error {
	if len(d.Paths) == 0 {
		p.Wrapped("", fmt.Sprintf("%s.%s is in %s, and there is no other cluster to reach it from.", d.Name, d.Namespace, clustersOf(d)))
	}
	ways := make([]string, len(d.Paths))
	width := 0
	for i, path := range d.Paths {
		ways[i] = way(d, path)
		width = max(width, runewidth.StringWidth(ways[i]))
	}
	for _, i := range worstFirst(d) {
		path := d.Paths[i]
		text := path.Summary
		if path.Code != "" {
			text = string(path.Code) + " " + text
		}
		p.Wrapped(
			fmt.Sprintf("%s  %-7s  ", ways[i]+strings.Repeat(" ", width-runewidth.StringWidth(ways[i])), verdictWords[path.Verdict]),
			text,
			verdictStyles[path.Verdict]...)
	}
	if wide {
		for i, path := range d.Paths {
			if err := walked(p, ways[i], path); err != nil {
				return err
			}
		}
	}
	if len(result.Findings)+len(result.Unknowns) > 0 {
		p.Blank()
		p.Findings(result, nil, wide)
	}
	return nil
}

// worstFirst are the paths by their verdicts, those with a cause first.
func worstFirst(d *view.Diagnosis) []int {
	order := make([]int, len(d.Paths))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		p, q := d.Paths[a], d.Paths[b]
		if p.Verdict == q.Verdict && p.Code != "" && q.Code == "" {
			return -1
		}
		if p.Verdict == q.Verdict && p.Code == "" && q.Code != "" {
			return 1
		}
		return cmp.Compare(slices.Index(view.Verdicts, p.Verdict), slices.Index(view.Verdicts, q.Verdict))
	})
	return order
}

// way is from where to where; the network where a cluster has sources on several.
func way(d *view.Diagnosis, path view.Path) string {
	from := path.From.Cluster
	if path.From.Gateway {
		return printable.Line(fmt.Sprintf("%s (gateway %s) → %s", from, path.From.Pod, path.To))
	}
	if path.From.Ambient {
		from += " (ambient)"
	}
	for _, o := range d.Paths {
		if o.From.Cluster == path.From.Cluster && !path.From.Ambient && !o.From.Ambient && !o.From.Gateway &&
			o.From.Network != path.From.Network {
			from += " (" + cmp.Or(path.From.Network, "no network") + ")"
			break
		}
	}
	return printable.Line(from + " → " + path.To)
}

// walked shows the steps of a path and what the source is given.
func walked(p *report.Page, way string, path view.Path) error {
	if len(path.Steps) == 0 {
		return nil
	}
	p.Blank()
	source := "a proxy as the injector would make it"
	if path.From.Pod != "" {
		source = "pod " + path.From.Pod
	}
	p.Wrapped("", fmt.Sprintf("%s, as %s sees it", way, source), color.Bold)
	for _, s := range path.Steps {
		p.Wrapped(fmt.Sprintf("  %-20s %-8s", s.Name, s.Outcome), s.Detail)
	}
	var rows [][]string
	for _, port := range path.Ports {
		name := strconv.Itoa(port.Port)
		for _, e := range port.Endpoints {
			what := cmp.Or(e.Pod, "endpoint")
			if e.Behind > 0 {
				what = fmt.Sprintf("gateway, %d behind", e.Behind)
			}
			rows = append(rows, []string{
				name, fmt.Sprintf("%s:%d", e.Address, e.Port), what, e.Network,
				strconv.FormatUint(uint64(e.Priority), 10), e.Health, e.Route,
			})
		}
		for _, e := range port.Dropped {
			why := strings.Join(slices.DeleteFunc([]string{e.Reason, e.Detail}, func(s string) bool { return s == "" }), ": ")
			rows = append(rows, []string{name, e.Address, cmp.Or(e.Pod, "endpoint"), "", "", "dropped", why})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return p.Table([]string{"  PORT", "ADDRESS", "WHAT", "NETWORK", "PRIORITY", "HEALTH", "WHY"}, indented(rows))
}

func indented(rows [][]string) [][]string {
	for _, r := range rows {
		r[0] = "  " + r[0]
	}
	return rows
}

func clustersOf(d *view.Diagnosis) string {
	var out []string
	for _, c := range d.Clusters {
		out = append(out, c.Cluster)
	}
	return strings.Join(out, ", ")
}

// diagnosisSummary says in one line what a diagnosis comes to.
func diagnosisSummary(d *view.Diagnosis) string {
	count := map[view.Verdict]int{}
	for _, p := range d.Paths {
		count[p.Verdict]++
	}
	var parts []string
	for _, v := range view.Verdicts {
		if n := count[v]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, strings.ToLower(verdictWords[v])))
		}
	}
	return printable.Line(fmt.Sprintf("%s.%s: %s", d.Name, d.Namespace, cmp.Or(strings.Join(parts, ", "), "no paths")))
}
