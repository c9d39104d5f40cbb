package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fatih/color"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/proxies"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

// listDocument is what -o json and yaml print.
type listDocument struct {
	report.Meta
	proxies.Listing
}

func printListing(f *command.Frame, output *command.Output, format report.Format, l proxies.Listing, istiod bool) error {
	var err error
	switch format.Kind() {
	case report.JSON, report.YAML:
		err = report.Encode(f.Out, format, listDocument{report.NewMeta("EndpointList"), l})
	case report.Name:
		for _, s := range l.Sources {
			for _, d := range s.Destinations {
				for _, e := range d.Endpoints {
					fmt.Fprintln(f.Out, printable.Line(fmt.Sprintf("%s/%s/%s/%d/%s", s.Cluster, s.Namespace, s.Pod, d.Port, e.HostPort())))
				}
			}
		}
	default:
		err = listTables(f.Page(output), l, format == report.Wide)
	}
	if err != nil {
		return err
	}
	for _, g := range l.Gaps {
		fmt.Fprintln(f.ErrOut, printable.Line("no source in "+g.Cluster+": "+g.Reason))
	}
	fmt.Fprintln(f.ErrOut, printable.Line(listSummary(l)))
	if from := firstDifferent(l); from != "" && !istiod {
		again := append(strings.Fields(f.Display), "list", l.Name(), "--from-pod", from, "--source", "istiod")
		fmt.Fprintln(f.ErrOut, "What its istiod has sent: "+printable.Line(finding.Shell(append(again, f.Again()...)...).String()))
	}
	return nil
}

// firstDifferent is the first source that does not have what is expected; "" for none.
func firstDifferent(l proxies.Listing) string {
	for _, s := range l.Sources {
		for _, d := range s.Destinations {
			if d.Verdict == proxies.Different {
				return sourceName(s)
			}
		}
	}
	return ""
}

// listSummary is the last line, for people in a hurry.
func listSummary(l proxies.Listing) string {
	n := map[proxies.Verdict]int{}
	var different []string
	for _, s := range l.Sources {
		verdict := proxies.Same
		for _, d := range s.Destinations {
			if d.Verdict == proxies.Different || verdict == proxies.Same {
				verdict = d.Verdict
			}
		}
		if n[verdict]++; verdict == proxies.Different {
			different = append(different, sourceName(s))
		}
	}
	text := l.Name() + ", " + finding.Plural(len(l.Sources), "source")
	switch {
	case n[proxies.Same] == len(l.Sources):
		return text + ": as expected"
	case n[proxies.Unknown] == len(l.Sources):
		return text + ": not known whether it is as expected"
	case len(different) > 0:
		text += fmt.Sprintf(": not as expected for %s", strings.Join(different[:min(3, len(different))], ", "))
		if len(different) > 3 {
			text += fmt.Sprintf(" and %d more", len(different)-3)
		}
		if n[proxies.Unknown] > 0 {
			text += fmt.Sprintf("; %d not known", n[proxies.Unknown])
		}
		return text
	}
	return text + fmt.Sprintf(": %d as expected, %d not known", n[proxies.Same], n[proxies.Unknown])
}

var listMarks = map[proxies.Verdict]string{
	proxies.Same: "=", proxies.Different: "!", proxies.Missing: "-", proxies.Unexpected: "+", proxies.Unknown: "?",
}

var listStyles = map[proxies.Verdict]color.Attribute{
	proxies.Different: color.FgRed, proxies.Missing: color.FgRed, proxies.Unexpected: color.FgRed, proxies.Unknown: color.FgYellow,
}

// Sources and endpoints up to which each is shown, unless wide; of more, those that are not as
// expected are, and a few of the others.
const (
	mostSources   = 2
	mostEndpoints = 8
)

// listTables writes a table for each port of each source, those first in which something is not as
// expected. Of many sources the others are named.
func listTables(p *report.Page, l proxies.Listing, wide bool) error {
	sources := slices.Clone(l.Sources)
	if !wide {
		slices.SortStableFunc(sources, func(a, b proxies.SourceListing) int { return worth(b) - worth(a) })
	}
	var left []proxies.SourceListing
	if len(sources) > mostSources && !wide {
		sources, left = sources[:mostSources], sources[mostSources:]
	}
	written := false
	for _, s := range sources {
		for j, d := range s.Destinations {
			if written {
				p.Blank()
			}
			written = true
			p.Wrapped("", fmt.Sprintf("%s, %s, to %s port %s", sourceName(s), networkWords(s), l.Name(), d.Title()), color.Bold)
			if s.Unknown != "" && j == 0 {
				p.Wrapped("  ", "what it has is not known ("+s.Unknown+"); this is what it should have", color.FgYellow)
			}
			if uncertain(s) && j == 0 {
				p.Wrapped("  ", "what it should have is not certain; not read: "+strings.Join(s.Unread, "; "), color.FgYellow)
			}
			if err := listTable(p, l, s, d, wide); err != nil {
				return err
			}
		}
	}
	restOfSources(p, left)
	return nil
}

// restOfSources says of the sources that are not shown how they are.
func restOfSources(p *report.Page, left []proxies.SourceListing) {
	if len(left) == 0 {
		return
	}
	p.Blank()
	words := []string{"as expected", "not known whether it is as expected", "not as expected"}
	tones := []report.Tone{report.Good, report.Noted, report.Bad}
	names := make([][]string, len(words))
	for _, s := range left {
		names[worth(s)] = append(names[worth(s)], sourceName(s))
	}
	for i, n := range slices.Backward(names) {
		if len(n) > 0 {
			p.Toned("", fmt.Sprintf("%s: %s (-o wide)", finding.List(n), words[i]), tones[i])
		}
	}
}

// worth is how much a source is worth a look: 0 where all is as expected, 1 where that is not known, 2
// where something is not.
func worth(s proxies.SourceListing) int {
	out := 0
	for _, d := range s.Destinations {
		switch d.Verdict {
		case proxies.Same:
		case proxies.Unknown:
			out = max(out, 1)
		default:
			out = 2
		}
	}
	return out
}

// sourceName is context/namespace/pod.
func sourceName(s proxies.SourceListing) string { return s.Cluster + "/" + s.Namespace + "/" + s.Pod }

// uncertain reports whether what was not read may be why something is not as expected.
func uncertain(s proxies.SourceListing) bool {
	return len(s.Unread) > 0 && slices.ContainsFunc(s.Destinations, func(d proxies.Destination) bool { return d.Verdict != proxies.Same })
}

func networkWords(s proxies.SourceListing) string {
	if s.Network == "" {
		return "on no network"
	}
	return "on network " + s.Network
}

func listTable(p *report.Page, l proxies.Listing, s proxies.SourceListing, d proxies.Destination, wide bool) error {
	if d.Note != "" {
		p.Wrapped("  ", d.Note)
	}
	if len(d.Endpoints) == 0 && d.Note == "" {
		p.Wrapped("  ", "no endpoints")
	}
	left := 0
	if !wide {
		d.Endpoints, left = firstEndpoints(d.Endpoints)
	}
	if header, rows := listRows(l, s, d, wide); p.Fits(header, rows) {
		tone := func(row, column int) report.Tone {
			if s.Unknown != "" || column != 0 {
				return report.Tone{}
			}
			return listTones[d.Endpoints[row].Verdict]
		}
		if err := p.Table(header, rows, tone); err != nil {
			return err
		}
		for _, e := range d.Endpoints {
			if e.Reason != "" {
				p.Wrapped(listMarks[e.Verdict]+"  "+e.HostPort()+"  ", e.Reason, listStyles[e.Verdict])
			}
		}
	} else {
		for _, e := range d.Endpoints {
			listLines(p, l, s, e)
		}
	}
	if left > 0 {
		p.Wrapped("   ", fmt.Sprintf("and %d more: -o wide", left))
	}
	withheld := withheldLines(l, d)
	for i, w := range withheld {
		if i == mostEndpoints && len(withheld) > mostEndpoints+1 && !wide {
			p.Wrapped("not given: ", fmt.Sprintf("%d more groups: -o wide", len(withheld)-i))
			break
		}
		p.Wrapped("not given: ", w)
	}
	return nil
}

// firstEndpoints are those that are shown, what is not as expected first, and how many are left.
func firstEndpoints(all []proxies.Endpoint) (shown []proxies.Endpoint, left int) {
	if len(all) <= mostEndpoints+1 {
		return all, 0
	}
	ordered := slices.Clone(all)
	slices.SortStableFunc(ordered, func(a, b proxies.Endpoint) int {
		return cmp.Compare(boolInt(a.Verdict == proxies.Same), boolInt(b.Verdict == proxies.Same))
	})
	return ordered[:mostEndpoints], len(all) - mostEndpoints
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

var listTones = map[proxies.Verdict]report.Tone{
	proxies.Same: report.Good, proxies.Different: report.Bad, proxies.Missing: report.Bad, proxies.Unexpected: report.Bad,
	proxies.Unknown: report.Noted,
}

// lineTone is how the line of an endpoint stands out: only what is not as expected does.
func lineTone(s proxies.SourceListing, e proxies.Endpoint) report.Tone {
	if s.Unknown != "" || e.Verdict == proxies.Same {
		return report.Tone{}
	}
	return listTones[e.Verdict]
}

// listLines is a row for pages on which the table has no room.
func listLines(p *report.Page, l proxies.Listing, s proxies.SourceListing, e proxies.Endpoint) {
	mark := listMarks[e.Verdict] + "  "
	if s.Unknown != "" {
		mark = "   "
	}
	is := whatItIs(l, e)
	if e.Cluster != "" {
		is += " in " + e.Cluster
	}
	p.Toned("", mark+e.HostPort()+"  "+is, lineTone(s, e))
	words := []string{fmt.Sprintf("priority %d", e.Settings().Priority), healthWord(e.Settings())}
	if locality := e.Settings().Locality; locality != "" {
		words = append([]string{locality}, words...)
	}
	switch tls := securityWord(e.Settings()); tls {
	case "none":
		words = append(words, "no TLS")
	case "mutual":
		words = append(words, "mutual TLS")
	default:
		words = append(words, tls)
	}
	p.Wrapped("     ", strings.Join(words, ", "))
	if e.Reason != "" {
		p.Wrapped("     ", e.Reason, listStyles[e.Verdict])
	}
}

func listRows(l proxies.Listing, s proxies.SourceListing, d proxies.Destination, wide bool) (header []string, rows [][]string) {
	header = []string{"", "ADDRESS", "PORT", "WHAT", "CLUSTER", "LOCALITY", "PRIORITY", "HEALTH", "TLS"}
	if s.Unknown != "" {
		header = header[1:]
	}
	if wide {
		header = append(header, "WEIGHT", "NETWORK", "WHY", "BEHIND")
	}
	for _, e := range d.Endpoints {
		is := e.Settings()
		row := []string{
			listMarks[e.Verdict], e.Address, strconv.Itoa(int(e.Port)), whatItIs(l, e), e.Cluster,
			is.Locality, strconv.Itoa(int(is.Priority)), healthWord(is), securityWord(is),
		}
		if s.Unknown != "" {
			row = row[1:]
		}
		if wide {
			var behind []string
			for _, b := range e.Behind {
				behind = append(behind, cmp.Or(shortPod(l, b.Pod), b.Address)+" in "+b.Cluster)
			}
			row = append(row, strconv.Itoa(int(is.Weight)), e.Network, e.Route, strings.Join(behind, ", "))
		}
		rows = append(rows, row)
	}
	return header, rows
}

// whatItIs says what an endpoint is.
func whatItIs(l proxies.Listing, e proxies.Endpoint) string {
	switch e.Kind {
	case proxies.Pod:
		return "pod " + shortPod(l, e.Pod)
	case proxies.Gateway:
		text := "gateway of " + cmp.Or(e.Network, "no network")
		if len(e.Behind) > 0 {
			text += ", " + finding.Plural(len(e.Behind), "pod")
		}
		return text
	default:
		return "unknown"
	}
}

// shortPod leaves the namespace out where it goes without saying.
func shortPod(l proxies.Listing, pod string) string { return strings.TrimPrefix(pod, l.Namespace+"/") }

// healthWord is what Envoy makes of an endpoint, in plain words.
func healthWord(s proxies.Settings) string {
	switch {
	case slices.Contains(s.Flags, "failed_outlier_check"):
		return "ejected"
	case s.Health == "" || s.Health == "UNKNOWN":
		return "healthy"
	}
	return strings.ToLower(s.Health)
}

// securityWord is how the source speaks to an endpoint.
func securityWord(s proxies.Settings) string {
	switch {
	case s.Tunnel:
		return "HBONE"
	case s.MTLS:
		return "mutual"
	}
	return "none"
}

// withheldLines are the endpoints that a source is not given, by cluster and reason.
func withheldLines(l proxies.Listing, d proxies.Destination) []string {
	type group struct{ cluster, reason string }
	var groups []group
	pods := map[group][]string{}
	for _, w := range d.Withheld {
		g := group{w.Cluster, w.Reason}
		if w.Detail != "" {
			g.reason += " (" + w.Detail + ")"
		}
		if pods[g] == nil {
			groups = append(groups, g)
		}
		pods[g] = append(pods[g], cmp.Or(shortPod(l, w.Pod), w.Address))
	}
	var out []string
	for _, g := range groups {
		names := pods[g]
		text := strings.Join(names[:min(len(names), 3)], ", ")
		if len(names) > 3 {
			text += fmt.Sprintf(" and %d more", len(names)-3)
		}
		out = append(out, fmt.Sprintf("%s in %s: %s", text, g.cluster, g.reason))
	}
	return out
}
