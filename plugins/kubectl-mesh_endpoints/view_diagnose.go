package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fatih/color"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
	"github.com/kubectl-mesh/kubectl-mesh/internal/ways"
)

// verdictWords are the verdicts as they are printed.
var verdictWords = map[view.Verdict]string{
	view.Broken: "broken", view.Partial: "partly broken", view.Unknown: "unknown",
	view.Local: "local by design", view.Nothing: "nothing", view.Reaches: "ok",
}

// tone is how a verdict stands out.
func tone(v view.Verdict) report.Tone {
	switch v {
	case view.Broken:
		return report.Bad
	case view.Partial:
		return report.Doubtful
	case view.Unknown:
		return report.Noted
	case view.Reaches:
		return report.Good
	default:
		return report.Tone{}
	}
}

// diagnosisPage writes a row for each path, the worst first, and those alike in one; then the
// findings. wide has each path, and every step of it.
func diagnosisPage(p *report.Page, d *view.Diagnosis, result finding.Result, wide bool) error {
	if len(d.Paths) == 0 {
		p.Wrapped("", fmt.Sprintf("%s.%s is in %s, and there is no other cluster to reach it from.", d.Name, d.Namespace, clustersOf(d)))
	}
	if err := pathTable(p, d, wide); err != nil {
		return err
	}
	if wide {
		for _, path := range d.Paths {
			if err := walked(p, source(d, path)+" → "+path.To, path); err != nil {
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

// mostPaths are the rows of paths that end well, which are counted where there are more.
const mostPaths = 6

// pathTable writes the paths, the worst first.
func pathTable(p *report.Page, d *view.Diagnosis, wide bool) error {
	order := worstFirst(d)
	at := func(i int) view.Path { return d.Paths[order[i]] }
	pair := func(i int) (from, to string) { return source(d, at(i)), at(i).To }
	groups := make([]ways.Group, len(order))
	if wide {
		for i := range order {
			from, to := pair(i)
			groups[i] = ways.Group{From: []string{from}, To: []string{to}, At: []int{i}}
		}
	} else {
		groups = ways.Gather(len(order), pair, func(i, j int) bool {
			a, b := at(i), at(j)
			return a.Verdict == b.Verdict && a.Code == b.Code && a.Summary == b.Summary
		})
		slices.SortStableFunc(groups, func(a, b ways.Group) int { return a.At[0] - b.At[0] })
	}
	well := 0
	for _, g := range groups {
		if isWell(at(g.At[0])) {
			well++
		}
	}
	left := map[view.Verdict]int{}
	var rows [][]string
	var tones []report.Tone
	add := func(v view.Verdict, from, to, why string) {
		rows, tones = append(rows, []string{from, verdictWords[v], to, why}), append(tones, tone(v))
	}
	for _, g := range groups {
		path := at(g.At[0])
		if isWell(path) && well > mostPaths && !wide {
			left[path.Verdict] += len(g.At)
			continue
		}
		why := path.Summary
		if path.Code != "" {
			why = string(path.Code) + " " + why
		}
		from, to := g.Ends(report.Clusters)
		add(path.Verdict, from, to, why)
	}
	for _, v := range view.Verdicts {
		if n := left[v]; n > 0 {
			add(v, "", "", finding.Plural(n, "other path")+": -o wide")
		}
	}
	return p.Table([]string{"FROM", "STATUS", "TO", "WHY"}, rows, report.Status(1, tones))
}

// isWell reports whether nothing of a path needs a look.
func isWell(path view.Path) bool {
	return path.Verdict == view.Reaches || path.Verdict == view.Local || path.Verdict == view.Nothing
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

// source is from where a path leads; with the network where a cluster has sources on several.
func source(d *view.Diagnosis, path view.Path) string {
	from := path.From.Cluster
	if path.From.Gateway {
		return fmt.Sprintf("%s (gateway %s)", from, path.From.Pod)
	}
	if path.From.Ambient {
		from += " (ambient)"
	}
	for _, o := range d.Paths {
		if o.From.Cluster == path.From.Cluster && !path.From.Ambient && !o.From.Ambient && !o.From.Gateway &&
			o.From.Network != path.From.Network {
			return from + " (" + cmp.Or(path.From.Network, "no network") + ")"
		}
	}
	return from
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
			parts = append(parts, fmt.Sprintf("%d %s", n, verdictWords[v]))
		}
	}
	return printable.Line(fmt.Sprintf("%s.%s: %s", d.Name, d.Namespace, cmp.Or(strings.Join(parts, ", "), "no paths")))
}
