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
	"github.com/kubectl-mesh/kubectl-mesh/internal/known"
	"github.com/kubectl-mesh/kubectl-mesh/internal/verdict"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// WhatIf is the document of a command with --with: what manifests would change, if they were applied.
type WhatIf struct {
	Meta
	// Command is what was run, e.g. "mesh-certs verify".
	Command string `json:"command"`
	// At is when the facts were read.
	At       time.Time `json:"at"`
	Clusters []Cluster `json:"clusters"`
	// With are the files, as the user named them.
	With []string `json:"with"`
	// Complete: everything in the files was taken in, with all that follows from it.
	Complete bool `json:"complete"`
	// Summary is about the fleet as it would be; what is open is counted as there.
	Summary Summary             `json:"summary"`
	Fixed   []IdentifiedFinding `json:"fixed"`
	Appears []IdentifiedFinding `json:"appears"`
	// Open are findings of which it is not known whether they are there then.
	Open     []IdentifiedFinding `json:"open"`
	Stays    []IdentifiedFinding `json:"stays"`
	NotTaken []NotTaken          `json:"notTaken"`
	Unknowns []finding.Unknown   `json:"unknowns"`
	// Paths are those of a diagnosis, before and after.
	Paths []PathChange `json:"paths,omitempty"`
	// Rotation is who refuses whom until all proxies have renewed, where a CA changes.
	Rotation *view.Rotation `json:"rotation,omitempty"`
}

// NotTaken is an object that was not taken in, or of which something that follows is not known.
type NotTaken struct {
	Clusters []string       `json:"clusters"`
	Object   finding.Object `json:"object"`
	// InPart: the object was taken in, and Reason says what is not known.
	InPart bool   `json:"inPart,omitempty"`
	Reason string `json:"reason"`
	// Matters: the result may be another one with it.
	Matters bool `json:"matters"`
}

// PathChange is what becomes of the requests of a source to a cluster.
type PathChange struct {
	From string `json:"from"`
	To   string `json:"to"`
	// Now and Then are verdicts as of a Diagnosis; Then is unknown where control planes and proxies answer what
	// decides it.
	Now  string `json:"now"`
	Then string `json:"then"`
	// Why is the reason of the verdict then, in a few words.
	Why string `json:"why"`
}

// Files are the files of a WhatIf, in words.
func (w *WhatIf) Files() string { return finding.List(w.With) }

// NewWhatIf makes the document of a change. after is what is found then.
func NewWhatIf(command string, fleet *facts.Fleet, files []string, change known.Change, after finding.Result, notTaken []NotTaken) WhatIf {
	r := NewReport(command, fleet, change.Then(after))
	w := WhatIf{
		Meta: NewMeta("WhatIf"), Command: command, At: r.At, Clusters: r.Clusters, With: files, Complete: true, Summary: r.Summary,
		Fixed: identified(change.Fixed), Appears: identified(change.Appears), Open: identified(change.Open),
		Stays: identified(change.Stays), NotTaken: append([]NotTaken{}, notTaken...), Unknowns: r.Unknowns,
	}
	w.Complete = !slices.ContainsFunc(notTaken, func(n NotTaken) bool { return n.Matters })
	return w
}

func identified(findings []finding.Finding) []IdentifiedFinding {
	out := []IdentifiedFinding{}
	for _, f := range findings {
		out = append(out, IdentifiedFinding{f.ID(), f})
	}
	return out
}

// Names writes the IDs of what changes, one a line, each behind what becomes of it.
func (w *WhatIf) Names(out io.Writer) {
	p := NewPage(out, false, 0, false)
	for _, part := range []struct {
		word     string
		findings []IdentifiedFinding
	}{{"fixed", w.Fixed}, {"appears", w.Appears}, {"open", w.Open}} {
		for _, f := range part.findings {
			p.Line("%s %s", part.word, f.ID)
		}
	}
	if w.Rotation != nil {
		for _, f := range w.Rotation.Refusals {
			p.Line("refuses %s/%s %s/%s", f.Refusing, f.RefusingHas, f.Refused, f.RefusedHas)
		}
	}
}

// Forecast is what a WhatIf shows to people, besides the document.
type Forecast struct {
	WhatIf
	Change known.Change
	// Causes are those of what appears.
	Causes []verdict.Cause
	// Again is the command that shows what stays.
	Again finding.Command
	// Rows are the paths that change: from, now, then, to, and why.
	Rows [][]string
}

// mostHeadings are the findings that have a line each, unless all are wanted.
const mostHeadings = 12

// Forecast writes what would be fixed, what would appear, what is not known, what stays, and in the last line
// what it comes to.
func (p *Page) Forecast(f Forecast, short, wide bool) error {
	if len(f.Rows) > 0 {
		if err := p.Table([]string{"FROM", "NOW", "THEN", "TO", "WHY THEN"}, f.Rows); err != nil {
			return err
		}
		p.Blank()
	}
	p.headings("Would be fixed:", f.Change.Fixed, wide)
	if short {
		p.headings("Would appear:", f.Change.Appears, wide)
	} else if len(f.Change.Appears) > 0 {
		p.Wrapped("", "Would appear:", color.Bold)
		p.Blank()
		p.Findings(finding.Result{Findings: f.Change.Appears}, f.Causes, wide)
		p.Blank()
	}
	p.rotation(f.Rotation)
	p.headings("Not known whether fixed: what runs now is not what would run then:", f.Change.Open, wide)
	blank := false
	for _, n := range f.NotTaken {
		what := "not taken"
		if n.InPart {
			what = "not all known"
		}
		p.Wrapped("", fmt.Sprintf("%s: %s in %s: %s", what, n.Object, Clusters(n.Clusters), n.Reason))
		blank = true
	}
	if len(f.Change.Lost) > 0 && !short {
		p.notChecked(f.Change.Lost, wide)
		blank = true
	}
	if n := len(f.Change.Stays); n > 0 {
		if blank {
			p.Blank()
		}
		verb := "stay"
		if n == 1 {
			verb = "stays"
		}
		p.Wrapped("", finding.Plural(n, "finding")+" "+verb+" as now:")
		p.Command("  ", f.Again)
		blank = true
	}
	if blank {
		p.Blank()
	}
	p.Wrapped("", f.Last(), color.Bold)
	return nil
}

// headings writes a line for each of some findings beneath a headline; nothing for none.
func (p *Page) headings(head string, findings []finding.Finding, wide bool) {
	if len(findings) == 0 {
		return
	}
	p.Wrapped("", head, color.Bold)
	for i, f := range findings {
		if i == mostHeadings-1 && len(findings) > mostHeadings && !wide {
			p.Line("  and %d more: -o wide", len(findings)-i)
			break
		}
		p.heading("  ", f, wide)
	}
	p.Blank()
}

// Last says in one line what it comes to.
func (f *Forecast) Last() string {
	text := finding.Plural(len(f.Clusters), "cluster") + " with " + f.Files() + ": "
	unchecked := finding.Plural(f.Summary.Unchecked, "rule") + " not checked"
	if f.Summary.Unchecked == 0 {
		unchecked = "every rule checked"
	}
	var parts []string
	switch {
	case f.Complete:
	case slices.ContainsFunc(f.NotTaken, func(n NotTaken) bool { return n.Matters && !n.InPart }):
		text += "INCOMPLETE, not all of it was taken in; "
	default:
		text += "INCOMPLETE, not all that follows is known; "
	}
	count := func(n int, one, more, none string) {
		switch {
		case n == 1:
			parts = append(parts, "1 "+one)
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %s", n, more))
		case none != "":
			parts = append(parts, none)
		}
	}
	if len(f.Paths) > 0 {
		parts = append(parts, fmt.Sprintf("%d of %s would change", len(f.Rows), finding.Plural(len(f.Paths), "path")))
	}
	count(len(f.Fixed), "would be fixed", "would be fixed", "nothing would be fixed")
	appears := "would appear" + severities(f.Change.Appears)
	count(len(f.Appears), appears, appears, "nothing would appear")
	count(len(f.Open), "not known", "not known", "")
	count(len(f.Stays), "stays", "stay", "")
	if f.Rotation != nil && len(f.Rotation.Refusals) > 0 {
		parts = append(parts, "mTLS fails while proxies renew")
	}
	return text + strings.Join(append(parts, unchecked), ", ")
}

// severities counts findings by how bad they are: " (1 error, 2 notes)".
func severities(findings []finding.Finding) string {
	var parts []string
	r := finding.Result{Findings: findings}
	for _, s := range finding.Severities {
		if n := r.Count(s); n > 0 {
			parts = append(parts, finding.Plural(n, string(s)))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}
