// Package simulatetest is the harness of the tests that run the commands of all fixes on facts, and write the pages
// that say which fixes are proven. It knows no mesh.
package simulatetest

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/golden"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate"
)

// Exception is a fix of a code that does not pass, and why that is right.
type Exception struct {
	Code finding.Code
	// Added are errors and warnings that may come with its commands alone.
	Added []finding.Code
	// Left: the finding may stay after its commands alone.
	Left bool
	Why  string
}

// Fleet is one with findings whose fixes are tried.
type Fleet struct {
	Name string
	// Said is what rules say of it, and Before what they say without the answers of running clusters, which a
	// simulation cannot ask.
	Said, Before finding.Result
	// Judge is what rules say of a fleet, without such answers.
	Judge func(*facts.Fleet) finding.Result
	// World is the fleet, to run commands in.
	World func() *simulate.World
	// Settle has controllers do what they do some time after the commands; nil where nobody waits for them.
	Settle func(*simulate.World)
	// Drawn: its faults were drawn, and hide one another: what a fix uncovers is none of its doing.
	Drawn bool
	// Missed: what is found in it is not yet what is the matter, so that fixes need not help.
	Missed bool
}

// aside reports whether what becomes of fixes in the fleet says nothing of their codes.
func (f Fleet) aside() bool { return f.Drawn || f.Missed }

// Proofs are what became of the fixes of all codes, in all fleets.
type Proofs struct {
	exceptions []Exception
	used       map[int]bool
	codes      map[finding.Code]*outcome
}

// outcome is what became of the fixes of a code.
type outcome struct {
	proven bool
	// why are the reasons for which some could not be proven.
	why map[string]bool
}

// New are proofs of all fixes, but for some exceptions.
func New(exceptions []Exception) *Proofs {
	return &Proofs{exceptions: exceptions, used: map[int]bool{}, codes: map[finding.Code]*outcome{}}
}

// words say why a command is not simulated.
var words = map[simulate.Kind]string{
	simulate.Asks:      "a person edits something, or says what only a person knows",
	simulate.Foreign:   "it takes a file or a program that only a person has",
	simulate.NotRead:   "it changes what no rule reads",
	simulate.Uncertain: "a cloud, an installation or the manifest of a workload decides what follows",
}

const (
	shows    = "it shows where to look"
	live     = "the finding rests on what running clusters answer"
	byPerson = "a person does the steps that have no command"
	byCause  = "its cause is fixed instead"
)

func (p *Proofs) of(code finding.Code) *outcome {
	if p.codes[code] == nil {
		p.codes[code] = &outcome{why: map[string]bool{}}
	}
	return p.codes[code]
}

// note says why a fix of a code is not proven; "" where that is said elsewhere.
func (p *Proofs) note(f Fleet, code finding.Code, why string) {
	if f.aside() {
		return
	}
	if of := p.of(code); why != "" {
		of.why[why] = true
	}
}

// stays reports whether the finding of a code may stay after its fix.
func (p *Proofs) stays(code finding.Code) bool {
	return p.takes(func(e Exception) bool { return e.Code == code && e.Left })
}

// adds reports whether the fix of a code may cause another one.
func (p *Proofs) adds(code, other finding.Code) bool {
	return p.takes(func(e Exception) bool { return e.Code == code && slices.Contains(e.Added, other) })
}

// takes reports whether there is an exception that fits, which is used then.
func (p *Proofs) takes(fits func(Exception) bool) bool {
	i := slices.IndexFunc(p.exceptions, fits)
	if i >= 0 {
		p.used[i] = true
	}
	return i >= 0
}

// Try runs the commands of each way of the fixes of a fleet's root causes, one after the other, on what was read: they
// have to remove the finding, to cause no other error or warning, and none of them may be refused.
func (p *Proofs) Try(t *testing.T, f Fleet) {
	t.Helper()
	for _, x := range f.Said.Findings {
		switch {
		case x.CausedBy != "":
			p.note(f, x.Code, byCause)
		case !slices.ContainsFunc(f.Before.Findings, func(o finding.Finding) bool { return o.ID() == x.ID() }):
			p.note(f, x.Code, live)
		}
	}
	for _, x := range f.Before.RootCauses() {
		for n, way := range finding.Ways(x.Fix) {
			p.way(f, x, way, func(format string, args ...any) {
				t.Helper()
				t.Errorf("%s: %s, way %d: %s\n%s", f.Name, x.ID(), n+1, fmt.Sprintf(format, args...), printed(way))
			})
		}
	}
}

// way tries one way of a fix.
func (p *Proofs) way(f Fleet, x finding.Finding, way []finding.Step, fail func(string, ...any)) {
	commands := finding.Commands(way)
	if len(commands) == 0 {
		p.note(f, x.Code, byPerson)
		return
	}
	world := f.World()
	outcomes := world.Run(commands...)
	is := func(kinds ...simulate.Kind) func(simulate.Outcome) bool {
		return func(o simulate.Outcome) bool { return slices.Contains(kinds, o.Kind) }
	}
	for i, o := range outcomes {
		if o.Kind == simulate.Refused {
			fail("command %d is refused: %s", i+1, o.Why)
		}
	}
	for _, o := range outcomes {
		if !is(simulate.Done, simulate.Reads)(o) {
			p.note(f, x.Code, words[o.Kind])
			return
		}
	}
	if !slices.ContainsFunc(outcomes, is(simulate.Done)) {
		p.note(f, x.Code, shows)
		return
	}
	if f.Settle != nil {
		f.Settle(world)
	}
	r := f.compare(world.Fleet(), x)
	if !r.left && len(r.added) == 0 {
		if !f.aside() {
			p.of(x.Code).proven = true
		}
		return
	}
	p.note(f, x.Code, byPerson)
	same := !f.aside() || f.Drawn && cmp.Equal(x.Evidence, r.after.Evidence)
	if r.left && !slices.ContainsFunc(outcomes, is(simulate.Reads)) && same && !p.stays(x.Code) {
		fail("it is still there: %s %v", r.after.Title, r.unknown)
	}
	if f.aside() {
		return
	}
	for _, a := range r.added {
		if !p.adds(x.Code, a.Code) {
			fail("it causes %s: %s %v", a.ID(), a.Title, a.Evidence)
		}
	}
}

// After says what is wrong with a fleet as it is once the fix of a finding was run: the finding is still there, or
// errors and warnings have come that no exception takes. It is for fixes that were run elsewhere than in a world.
func (p *Proofs) After(f Fleet, x finding.Finding, then *facts.Fleet) (wrong []string) {
	r := f.compare(then, x)
	if r.left && !p.stays(x.Code) {
		wrong = append(wrong, fmt.Sprintf("it is still there: %s %v", r.after.Title, r.unknown))
	}
	for _, a := range r.added {
		if !p.adds(x.Code, a.Code) {
			wrong = append(wrong, fmt.Sprintf("it causes %s: %s %v", a.ID(), a.Title, a.Evidence))
		}
	}
	return wrong
}

// result is what rules say of a finding's fleet once its fix was run.
type result struct {
	// left: the finding is still there, or no longer checked.
	left bool
	// after is the finding as it is then, unknown is where it is no longer checked.
	after   finding.Finding
	unknown []finding.Unknown
	// added are errors and warnings that were not there before.
	added []finding.Finding
}

func (f Fleet) compare(fleet *facts.Fleet, x finding.Finding) result {
	var out result
	id, worst := x.ID(), map[string]finding.Severity{}
	for _, o := range f.Before.Findings {
		worst[o.ID()] = o.Severity
	}
	after := f.Judge(fleet)
	for _, o := range after.Findings {
		if o.ID() == id {
			out.left, out.after = true, o
		}
		if was, there := worst[o.ID()]; o.Severity.AtLeast(finding.Warning) && (!there || !was.AtLeast(o.Severity)) {
			out.added = append(out.added, o)
		}
	}
	for _, u := range after.Unknowns {
		if !isAsked(u.Reason) && slices.Contains(u.Codes, x.Code) && slices.Contains(x.Clusters, u.Cluster) && !f.unknown(u.Cluster, x.Code) {
			out.left, out.unknown = true, append(out.unknown, u)
		}
	}
	return out
}

// isAsked reports whether something is unknown because nobody was asked, which a simulation cannot do.
func isAsked(why finding.Reason) bool {
	return why.Kind == finding.NotRead || why.Kind == finding.NotAsked
}

// unknown reports whether a code was not checked in a cluster before.
func (f Fleet) unknown(cluster string, code finding.Code) bool {
	return slices.ContainsFunc(f.Before.Unknowns, func(u finding.Unknown) bool {
		return u.Cluster == cluster && slices.Contains(u.Codes, code)
	})
}

// printed are steps as a person reads them.
func printed(steps []finding.Step) string {
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "    %s\n", s.Say)
		for _, c := range s.Run {
			fmt.Fprintf(&b, "        %s\n", c)
		}
	}
	return b.String()
}

// Used fails the test where no fleet takes an exception.
func (p *Proofs) Used(t *testing.T) {
	t.Helper()
	for i, e := range p.exceptions {
		if !p.used[i] {
			t.Errorf("no fleet takes the exception of %s: %s", e.Code, e.Why)
		}
	}
}

// Document holds a page of docs to what was tried: go test -update writes it. It begins with a head, which ends with
// that of the table; marks are further columns of it, with the codes that are marked. docs is the way to that folder.
func (p *Proofs) Document(t *testing.T, docs, page, head string, marks ...map[finding.Code]bool) {
	t.Helper()
	yes := map[bool]string{true: "yes"}
	var b strings.Builder
	b.WriteString(head)
	for _, code := range slices.Sorted(maps.Keys(p.codes)) {
		r := p.codes[code]
		if r.proven || len(r.why) > 1 {
			delete(r.why, byCause)
		}
		fmt.Fprintf(&b, "| [%s](findings/%s.md) | %s |", code, code, yes[r.proven])
		for _, marked := range marks {
			fmt.Fprintf(&b, " %s |", yes[marked[code]])
		}
		fmt.Fprintf(&b, " %s |\n", strings.Join(slices.Sorted(maps.Keys(r.why)), "; "))
	}
	if len(p.exceptions) > 0 {
		b.WriteString("\n## Commands that alone do not do\n\n" +
			"In these fixes a person's step belongs to the commands. The commands alone leave the finding, or show what they uncover.\n\n" +
			"| code | what then shows | why |\n| --- | --- | --- |\n")
	}
	for _, e := range p.exceptions {
		var shown []string
		if e.Left {
			shown = append(shown, "the finding itself")
		}
		for _, a := range e.Added {
			shown = append(shown, string(a))
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", e.Code, strings.Join(shown, ", "), e.Why)
	}
	golden.Compare(t, filepath.Join("..", docs, page), b.String())
}
