package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/fatih/color"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/verdict"
)

// Report is the document of a "verify".
type Report struct {
	Meta
	// Command is what was run, e.g. "mesh-certs verify".
	Command string `json:"command"`
	// At is when the facts were read.
	At       time.Time           `json:"at"`
	Clusters []Cluster           `json:"clusters"`
	Summary  Summary             `json:"summary"`
	Findings []IdentifiedFinding `json:"findings"`
	Unknowns []finding.Unknown   `json:"unknowns"`
	// Known are findings of the baseline, and Suppressed those that somebody suppressed.
	Known      []IdentifiedFinding `json:"known,omitempty"`
	Suppressed []SuppressedFinding `json:"suppressed,omitempty"`
}

// Cluster is one cluster of a document.
type Cluster struct {
	Context string `json:"context"`
	Server  string `json:"server,omitempty"`
	// Reached says whether anything could be read of it.
	Reached bool `json:"reached"`
}

// Summary counts findings by severity, and rules by cluster that could not be checked.
type Summary struct {
	Errors    int `json:"errors"`
	Warnings  int `json:"warnings"`
	Notes     int `json:"notes"`
	Unchecked int `json:"notChecked"`
	// Known and Suppressed count findings that are not among the others.
	Known      int `json:"known,omitempty"`
	Suppressed int `json:"suppressed,omitempty"`
}

// IdentifiedFinding is a finding with its ID.
type IdentifiedFinding struct {
	ID string `json:"id"`
	finding.Finding
}

// NewReport makes the document of a result.
func NewReport(command string, fleet *facts.Fleet, result finding.Result) Report {
	r := Report{
		Meta: NewMeta("Report"), Command: command, At: fleet.At.UTC(), Clusters: fleetClusters(fleet),
		Summary: Summary{
			Errors: result.Count(finding.Error), Warnings: result.Count(finding.Warning),
			Notes: result.Count(finding.Note), Unchecked: result.Unchecked(),
		},
		Findings: []IdentifiedFinding{}, Unknowns: []finding.Unknown{},
	}
	for _, f := range result.Findings {
		r.Findings = append(r.Findings, IdentifiedFinding{f.ID(), f})
	}
	r.Unknowns = append(r.Unknowns, result.Unknowns...)
	r.Known, r.Suppressed = apartOf(result)
	r.Summary.Known, r.Summary.Suppressed = result.CountApart()
	return r
}

// fleetClusters lists the clusters of a fleet for a document.
func fleetClusters(fleet *facts.Fleet) []Cluster {
	out := []Cluster{}
	for _, c := range fleet.Clusters {
		out = append(out, Cluster{Context: c.Context, Server: c.Server, Reached: c.Unreached == nil})
	}
	return out
}

// Names writes the IDs of all findings, one a line.
func Names(w io.Writer, result finding.Result) {
	p := NewPage(w, false, 0, false)
	for _, f := range result.Findings {
		p.Line("%s", f.ID())
	}
}

// Findings writes a result for people: an overview, if there are several causes; then root
// causes in the order in which to fix them, what they cause beneath them; then what could not be
// checked. Many of one kind are one block, unless wide, which shows consequences in full too. Causes
// are all that nothing else causes, notes as well; they are nil where each is shown in the order of
// the result.
func (p *Page) Findings(result finding.Result, causes []verdict.Cause, wide bool) {
	toFix := slices.DeleteFunc(slices.Clone(causes), func(c verdict.Cause) bool { return !c.Severity.AtLeast(finding.Warning) })
	p.Overview(toFix)
	first := len(toFix) < 2
	begin := func() {
		if !first {
			p.Blank()
		}
		first = false
	}
	shown := map[string]bool{}
	for _, c := range causes {
		for _, f := range c.Findings {
			shown[f.ID()] = true
		}
		if len(c.Findings) > mostAlike && !wide {
			begin()
			p.headline("", c)
			p.cause(c, nil)
			continue
		}
		for _, f := range c.Findings {
			begin()
			p.finding(result, f, wide)
		}
	}
	for _, f := range result.RootCauses() {
		if !shown[f.ID()] {
			begin()
			p.finding(result, f, wide)
		}
	}
	p.apart(result, wide)
	if len(result.Findings)+len(result.Apart) > 0 && len(result.Unknowns) > 0 {
		p.Blank()
	}
	p.notChecked(result.Unknowns, wide)
}

// mostAlike are the findings of one kind that have a block each.
const mostAlike = 3

// rights says where the roles are, if something is forbidden.
func (p *Page) rights(unknowns []finding.Unknown) {
	if slices.ContainsFunc(unknowns, func(u finding.Unknown) bool { return u.Reason.Kind == finding.Forbidden }) {
		p.Wrapped("", "Roles with the rights to what is forbidden:")
		p.Wrapped("  ", rightsPage)
	}
}

// rightsPage has the roles that the plugins need.
const rightsPage = "https://github.com/kubectl-mesh/kubectl-mesh/blob/main/docs/rbac.yaml"

// field is how the parts of a finding are labelled.
const field = "  %-10s"

func (p *Page) finding(result finding.Result, f finding.Finding, wide bool) {
	p.heading("", f, wide)
	if f.Object != (finding.Object{}) {
		p.Wrapped(fmt.Sprintf(field, "object"), f.Object.String())
	}
	p.body(f, wide)
	p.consequences(result, f, wide, map[string]bool{f.ID(): true})
}

// consequences writes what a finding causes, and what that causes in turn; of many only wide has
// each.
func (p *Page) consequences(result finding.Result, f finding.Finding, wide bool, seen map[string]bool) {
	if all := result.Following(f); len(all) > mostAlike && !wide {
		label := "causes"
		for _, line := range caused(all) {
			p.Wrapped(fmt.Sprintf(field, label), line)
			label = ""
		}
		return
	}
	for _, c := range result.Consequences(f.ID()) {
		if seen[c.ID()] {
			continue
		}
		seen[c.ID()] = true
		p.heading(fmt.Sprintf(field, "causes"), c, wide)
		if wide {
			p.body(c, wide)
		}
		p.consequences(result, c, wide, seen)
	}
}

func (p *Page) heading(prefix string, f finding.Finding, wide bool) {
	mark := fmt.Sprintf("%s %s", strings.ToUpper(string(f.Severity)), f.Code)
	where := Clusters(f.Clusters)
	if wide {
		where = strings.Join(f.Clusters, ", ")
	}
	lines := wrap(p.Text(fmt.Sprintf("%s %s: %s", mark, where, f.Title)), p.Width-len(prefix))
	for i, line := range lines {
		if i == 0 {
			if rest, ok := strings.CutPrefix(line, mark); ok {
				line = p.style(mark, severityStyle[f.Severity]...) + p.style(rest, color.Bold)
			}
		} else {
			prefix = strings.Repeat(" ", len(prefix))
			line = p.style(line, color.Bold)
		}
		fmt.Fprintln(p.w, prefix+line)
	}
}

// mostEvidence is how many lines of evidence a finding shows, unless everything is wanted.
const mostEvidence = 3

// gatherEvidence renders evidence, in one line where the same was seen in several clusters.
// Of many clusters only wide has each.
func gatherEvidence(evidence []finding.Evidence, wide bool) []string {
	type line struct {
		clusters []string
		text     string
	}
	var lines []*line
	for _, e := range evidence {
		text := e.Field + ": " + e.Value
		i := slices.IndexFunc(lines, func(l *line) bool { return l.text == text && len(l.clusters) > 0 && e.Cluster != "" })
		switch {
		case i >= 0:
			lines[i].clusters = append(lines[i].clusters, e.Cluster)
		case e.Cluster != "":
			lines = append(lines, &line{[]string{e.Cluster}, text})
		default:
			lines = append(lines, &line{nil, text})
		}
	}
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = l.text
		switch {
		case len(l.clusters) > 0 && wide:
			out[i] = strings.Join(l.clusters, ", ") + ": " + l.text
		case len(l.clusters) > 0:
			out[i] = Clusters(l.clusters) + ": " + l.text
		}
	}
	return out
}

func (p *Page) body(f finding.Finding, wide bool) {
	label := "evidence"
	shown := gatherEvidence(f.Evidence, wide)
	for i, e := range shown {
		if i == mostEvidence-1 && len(shown) > mostEvidence && !wide {
			p.Wrapped(fmt.Sprintf(field, ""), fmt.Sprintf("and %d more: -o wide", len(shown)-i))
			break
		}
		p.Wrapped(fmt.Sprintf(field, label), e)
		label = ""
	}
	if f.Effect != "" {
		p.Wrapped(fmt.Sprintf(field, "effect"), f.Effect)
	}
	p.fix(f.Fix)
}

// fix writes the steps of a fix: sentences wrapped, and commands, which are pasted,
// each on a line of its own beneath them.
func (p *Page) fix(steps []finding.Step) {
	label := "fix"
	for _, s := range steps {
		if s.Say != "" {
			p.Wrapped(fmt.Sprintf(field, label), s.Say)
			label = ""
		}
		for _, c := range s.Run {
			if label != "" {
				p.Command(fmt.Sprintf(field, label), c)
				label = ""
				continue
			}
			p.Command(fmt.Sprintf(field, "")+"  ", c)
		}
	}
}

// SummaryLine says in one line what a result comes to.
func SummaryLine(fleet *facts.Fleet, result finding.Result) string {
	parts := []string{finding.Plural(len(fleet.Clusters), "cluster") + ":"}
	counted := false
	for _, s := range []struct {
		severity finding.Severity
		noun     string
	}{{finding.Error, "error"}, {finding.Warning, "warning"}, {finding.Note, "note"}} {
		if n := result.Count(s.severity); n > 0 {
			parts = append(parts, finding.Plural(n, s.noun)+",")
			counted = true
		}
	}
	n := result.Unchecked()
	if apart := ApartWords(result); apart != "" {
		if !counted {
			parts = append(parts, "nothing new,")
		}
		parts = append(parts, apart+",")
		counted = true
	}
	switch unchecked := finding.Plural(n, "rule") + " not checked"; {
	case !counted && n > 0: // that nothing was found is not said first
		parts = append(parts, "INCOMPLETE,", unchecked+";", "nothing found in the rest")
	case !counted:
		parts = append(parts, "nothing found, every rule checked")
	case n > 0:
		parts = append(parts, unchecked)
	default:
		parts = append(parts, "every rule checked")
	}
	return strings.Join(parts, " ")
}
