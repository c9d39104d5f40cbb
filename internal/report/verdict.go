package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fatih/color"
	"github.com/mattn/go-runewidth"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/verdict"
)

// ClusterTable is what there is of one mesh in each cluster of a fleet.
type ClusterTable struct {
	// Header heads the columns, of which the first has the clusters' names.
	Header []string
	Rows   [][]string
	// Tones are how rows stand out, in their first cell.
	Tones []Tone
	// Silent says for clusters that have no row why not; each has the cluster's name, and why.
	Silent [][2]string
}

// Overview is a verdict as it is printed.
type Overview struct {
	Verdict verdict.Verdict
	// Result is what the verdict is made of.
	Result finding.Result
	// Tables are those of the meshes in the fleet.
	Tables []ClusterTable
	// Last is the line that stands alone.
	Last string
	// Deeper are the commands that tell more of a cause.
	Deeper func(verdict.Cause) []finding.Command
}

var stateStyle = map[verdict.State][]color.Attribute{
	verdict.OK:      {color.FgGreen},
	verdict.Warning: severityStyle[finding.Warning],
	verdict.Error:   severityStyle[finding.Error],
	verdict.Unknown: {color.FgCyan, color.Bold},
	verdict.Skipped: {color.Faint},
}

// Verdict writes how the areas are, and the causes of what is wrong; short leaves out how
// to fix them, wide shows every finding in full instead.
func (p *Page) Verdict(o Overview, short, wide bool) error {
	for _, t := range o.Tables {
		if err := p.clusters(t); err != nil {
			return err
		}
		p.Blank()
	}
	p.areas(o.Verdict.Areas)
	if wide {
		if len(o.Result.Findings)+len(o.Result.Unknowns) > 0 {
			p.Blank()
		}
		p.Findings(o.Result, slices.Concat(o.Verdict.Causes, o.Verdict.Notes), true)
	} else {
		p.causes(o, short)
		if !short {
			p.apart(o.Result, false)
		}
		if !short && len(o.Result.Unknowns) > 0 {
			p.Blank()
			p.notChecked(o.Result.Unknowns, false)
		}
	}
	p.Blank()
	p.Wrapped("", o.Last, color.Bold)
	return nil
}

// clusters writes the table of a mesh, and beneath it the clusters without a row.
func (p *Page) clusters(t ClusterTable) error {
	if err := p.Table(t.Header, t.Rows, Status(0, t.Tones)); err != nil {
		return err
	}
	width := 0
	for _, row := range append([][]string{t.Header}, t.Rows...) {
		width = max(width, runewidth.StringWidth(p.Text(row[0])))
	}
	for _, s := range t.Silent {
		name := p.Text(s[0])
		p.Wrapped(name+strings.Repeat(" ", max(0, width-runewidth.StringWidth(name))+len(between)), s[1])
	}
	return nil
}

// ReadyTone is how a row stands out that counts what is ready: only what is not does.
func ReadyTone(counts ...*verdict.Count) Tone {
	for _, c := range counts {
		if c != nil && c.Ready < c.Total {
			return Doubtful
		}
	}
	return Tone{}
}

const (
	stateWidth = len("warning") + len(between)
	areaWidth  = len("control plane") + len(between)
)

func (p *Page) areas(areas []verdict.Area) {
	if p.Headers {
		p.Line("%-*s%-*s%s", stateWidth, "STATUS", areaWidth, "AREA", "WHAT")
	}
	for _, a := range areas {
		name := fmt.Sprintf("%-*s", areaWidth, a.Area)
		for i, line := range wrap(p.Text(a.What), p.Width-stateWidth-areaWidth) {
			head := strings.Repeat(" ", stateWidth+areaWidth)
			if i == 0 {
				head = p.style(string(a.State), stateStyle[a.State]...) + strings.Repeat(" ", stateWidth-len(a.State)) + name
			}
			fmt.Fprintln(p.w, strings.TrimRight(head+line, " "))
		}
	}
}

// causes writes the causes of what is wrong, numbered in the order in which to fix them.
func (p *Page) causes(o Overview, short bool) {
	n := len(o.Verdict.Causes)
	if n == 0 {
		return
	}
	p.Blank()
	p.order(n)
	if short {
		p.Headlines(o.Verdict.Causes)
		return
	}
	if n > 1 {
		p.Blank()
	}
	for i, c := range o.Verdict.Causes {
		p.headline(fmt.Sprintf("%d ", i+1), c)
		p.cause(c, o.Deeper(c))
		if i+1 < n {
			p.Blank()
		}
	}
}

// Overview writes the causes of what is wrong in a line each, numbered in the order in which to
// fix them; of a single one nothing, which says it itself.
func (p *Page) Overview(causes []verdict.Cause) {
	if len(causes) < 2 {
		return
	}
	p.order(len(causes))
	p.Headlines(causes)
}

// Headlines writes causes in a line each, numbered.
func (p *Page) Headlines(causes []verdict.Cause) {
	for i, c := range causes {
		p.headline(fmt.Sprintf("%d ", i+1), c)
	}
}

// order says what the numbers of causes are.
func (p *Page) order(n int) {
	if n > 1 {
		p.Wrapped("", fmt.Sprintf("%d causes. Fix them in this order:", n))
	}
}

// headline is a cause in one line, which is wrapped.
func (p *Page) headline(prefix string, c verdict.Cause) {
	mark := strings.ToUpper(string(c.Severity)) + " " + string(c.Code)
	indent := strings.Repeat(" ", len(prefix))
	for i, line := range wrap(p.Text(Headline(c)), p.Width-len(prefix)) {
		if rest, ok := strings.CutPrefix(line, mark); ok && i == 0 {
			line = p.style(mark, severityStyle[c.Severity]...) + p.style(rest, color.Bold)
		} else {
			line = p.style(line, color.Bold)
		}
		fmt.Fprintln(p.w, prefix+line)
		prefix = indent
	}
}

// Headline says a cause in one line.
func Headline(c verdict.Cause) string {
	text := fmt.Sprintf("%s %s %s: %s", strings.ToUpper(string(c.Severity)), c.Code, Clusters(c.Clusters), c.Title)
	if n := len(c.Findings); n > 1 {
		text += fmt.Sprintf(" (%d times)", n)
	}
	return text
}

// Clusters names clusters, or counts those beyond a few.
func Clusters(names []string) string {
	if len(names) <= mostNames+1 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more clusters", strings.Join(names[:mostNames], ", "), len(names)-mostNames)
}

// mostNames are the names of clusters in a row, unless there is only one more.
const mostNames = 4

// causeFixes are the fixes of a cause that are shown at most, if its findings have several.
const causeFixes = 2

// cause writes what a cause rests on, what it does, and how to fix it; deeper are the commands that
// tell more of it.
func (p *Page) cause(c verdict.Cause, deeper []finding.Command) {
	first := c.Findings[0]
	evidence := gatherEvidence(first.Evidence, false)
	if len(c.Findings) == 1 {
		if first.Object != (finding.Object{}) {
			p.Wrapped(fmt.Sprintf(field, "object"), first.Object.String())
		}
	} else {
		evidence = nil
		for _, f := range c.Findings {
			evidence = append(evidence, instance(c, f))
		}
	}
	label := "evidence"
	for i, e := range evidence {
		if i == mostEvidence-1 && len(evidence) > mostEvidence {
			p.Wrapped(fmt.Sprintf(field, label), fmt.Sprintf("and %d more: -o wide", len(evidence)-i))
			break
		}
		p.Wrapped(fmt.Sprintf(field, label), e)
		label = ""
	}
	if first.Effect != "" {
		p.Wrapped(fmt.Sprintf(field, "effect"), first.Effect)
	}
	label = "causes"
	for _, line := range caused(c.Caused) {
		p.Wrapped(fmt.Sprintf(field, label), line)
		label = ""
	}
	p.fix(causeFix(c, causeFixes))
	for _, command := range deeper {
		p.Command(fmt.Sprintf(field, "more"), command)
	}
}

// instance is one finding of several of a kind: where it is, and what is wrong there if they
// differ in that.
func instance(c verdict.Cause, f finding.Finding) string {
	text := Clusters(f.Clusters)
	if f.Object != (finding.Object{}) {
		text += ": " + f.Object.String()
	}
	if f.Title != c.Title {
		text += ": " + f.Title
	}
	return text
}

// caused counts what a cause leads to, by code.
func caused(findings []finding.Finding) []string {
	var codes []finding.Code
	of := map[finding.Code][]finding.Finding{}
	for _, f := range findings {
		if of[f.Code] == nil {
			codes = append(codes, f.Code)
		}
		of[f.Code] = append(of[f.Code], f)
	}
	const most = 3
	var out []string
	for i, code := range codes {
		if i == most-1 && len(codes) > most {
			var rest []string
			for _, code := range codes[i:] {
				rest = append(rest, string(code))
			}
			return append(out, finding.List(rest))
		}
		fs := of[code]
		text := string(code)
		if len(fs) == 1 {
			text += " " + Clusters(fs[0].Clusters) + ": " + fs[0].Title
		} else {
			text += fmt.Sprintf(" %d times", len(fs))
			if !slices.ContainsFunc(fs, func(f finding.Finding) bool { return f.Title != fs[0].Title }) {
				text += ": " + fs[0].Title
			}
		}
		out = append(out, text)
	}
	return out
}

// causeFix are the steps that fix a cause: those of its findings, each once; of many of a
// kind those of the first ones, most.
func causeFix(c verdict.Cause, most int) []finding.Step {
	var out []finding.Step
	seen := map[string]bool{}
	different := 0
	for _, f := range c.Findings {
		var text strings.Builder
		for _, s := range f.Fix {
			text.WriteString(s.Say + "\n")
			for _, command := range s.Run {
				text.WriteString(command.String() + "\n")
			}
		}
		if seen[text.String()] {
			continue
		}
		seen[text.String()] = true
		if different++; different <= most {
			out = append(out, f.Fix...)
		}
	}
	if n := different - most; n > 0 {
		out = append(out, finding.Say("The fixes of %s are shown by -o wide.", finding.Plural(n, "more finding")))
	}
	return out
}

// notChecked says what could not be checked: equal reasons of several clusters once. Of many
// reasons, clusters and codes only wide has all.
func (p *Page) notChecked(unknowns []finding.Unknown, wide bool) {
	if len(unknowns) == 0 {
		return
	}
	p.Wrapped("", "Not checked:", color.Bold)
	gaps := gatherUnknowns(unknowns)
	for i, g := range gaps {
		if i == mostGaps && len(gaps) > mostGaps+1 && !wide {
			p.Wrapped("  ", fmt.Sprintf("and %d more reasons: -o wide", len(gaps)-i))
			break
		}
		where := Clusters(g.clusters)
		if wide {
			where = strings.Join(g.clusters, ", ")
		}
		p.Wrapped("  ", fmt.Sprintf("%s: %s (%s)", where, g.reason, someCodes(g.codes, wide)))
	}
	p.rights(unknowns)
}

// gap is what could not be checked for one reason.
type gap struct {
	reason   string
	clusters []string
	codes    []finding.Code
}

// mostGaps are the reasons that are shown, unless there is only one more.
const mostGaps = 3

// gatherUnknowns gathers what could not be checked by its reason, that of most rules first.
func gatherUnknowns(unknowns []finding.Unknown) []*gap {
	var gaps []*gap
	rules := map[*gap]int{}
	for _, u := range unknowns {
		i := slices.IndexFunc(gaps, func(g *gap) bool { return g.reason == u.Reason.Text })
		if i < 0 {
			i = len(gaps)
			gaps = append(gaps, &gap{reason: u.Reason.Text})
		}
		g := gaps[i]
		if !slices.Contains(g.clusters, u.Cluster) {
			g.clusters = append(g.clusters, u.Cluster)
		}
		for _, c := range u.Codes {
			if !slices.Contains(g.codes, c) {
				g.codes = append(g.codes, c)
			}
		}
		rules[g] += len(u.Codes)
	}
	slices.SortStableFunc(gaps, func(a, b *gap) int { return rules[b] - rules[a] })
	return gaps
}

// mostCodes that an unknown lists, unless everything is wanted.
const mostCodes = 4

// someCodes lists codes, or counts those beyond a few.
func someCodes(codes []finding.Code, wide bool) string {
	shown := make([]string, len(codes))
	for i, c := range codes {
		shown[i] = string(c)
	}
	if len(codes) > mostCodes+1 && !wide {
		return fmt.Sprintf("%s and %d more rules", strings.Join(shown[:mostCodes], " "), len(codes)-mostCodes)
	}
	return strings.Join(shown, " ")
}
