// Package rule is what a rule is: a declared value, from which follow what is
// read for it, what is unknown without that, when it runs, and how bad it may say that
// things are. It knows no mesh; a mesh's rules read a model of type M. The shape is
// that of golang.org/x/tools/go/analysis.
package rule

import (
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// Need is something that is read of a cluster, or asked of it: a row of the resource
// table, or a live question.
type Need interface {
	// String is what people call it, in the plural: "remote secrets".
	String() string
	// State is what became of reading it in a cluster, and why.
	State(c *facts.Cluster) (facts.State, string)
}

// Report is a code, and the severities with which a rule may find it.
type Report struct {
	Code       finding.Code
	Severities []finding.Severity
	// First: an error of the code is fixed before all others, since a control plane that
	// restarts while it is there does not come back.
	First bool
}

// May declares a code with its severities, worst first.
func May(code finding.Code, severities ...finding.Severity) Report {
	return Report{Code: code, Severities: severities}
}

// BeforeAll declares that an error of the code is fixed before all others.
func (r Report) BeforeAll() Report {
	r.First = true
	return r
}

// Rule finds one code, or a few that are found at one place.
type Rule[M Model] struct {
	// Reports are its codes, each with the severities that its page names.
	Reports []Report
	// Needs is what has to be known of a cluster for the rule to check it. A cluster
	// of which one of them is not known is not handed to Run, and is unknown.
	Needs []Need
	// Uses is what the rule reads besides; it says by itself what is unknown without.
	Uses []Need
	// After are the codes that it may name as the cause of what it finds, its own
	// apart. Rules that find them run before.
	After []finding.Code
	// Everywhere: it also checks clusters that are not part of the mesh.
	Everywhere bool
	// When says whether the rule runs at all: "" for always, else only where the
	// run asked for that ("probe").
	When Topic
	// Run checks the clusters that the pass hands over.
	Run func(*Pass[M])
}

// Topic is something that a run asks only where the user wants it.
type Topic string

// Codes are the codes that a rule can find.
func (r *Rule[M]) Codes() []finding.Code {
	out := make([]finding.Code, len(r.Reports))
	for i, report := range r.Reports {
		out[i] = report.Code
	}
	return out
}

// Scope is whether rules are to check a cluster.
type Scope struct {
	// Out: it has nothing to do with the mesh; nothing is said of it.
	Out bool
	// Doubt says why that is not known; the zero Reason where it is.
	Doubt finding.Reason
}

// Model is what rules of one mesh read: built once a run, and never changed.
type Model interface {
	// Facts are what it was built of.
	Facts() *facts.Fleet
	// Scope says whether rules check a cluster that was reached.
	Scope(c *facts.Cluster) Scope
}

// Pass is one rule's run over a model.
type Pass[M Model] struct {
	// Model is what the rule reads.
	Model M
	rule  *Rule[M]
	able  map[string]bool
	run   *run
}

// Able reports whether the rule can check a cluster, by its context: it was reached,
// what the rule needs of it is known, and it belongs to the mesh.
func (p *Pass[M]) Able(context string) bool { return p.able[context] }

// Report says what was found.
func (p *Pass[M]) Report(f finding.Finding) {
	p.mark(&f)
	p.run.check(p.rule.Reports, p.rule.After, f)
	p.run.result.Add(f)
}

// Gather is Report for what several places of one object show: evidence is added to
// the finding of the same ID.
func (p *Pass[M]) Gather(f finding.Finding) {
	p.mark(&f)
	p.run.check(p.rule.Reports, p.rule.After, f)
	p.run.result.Gather(f)
}

// mark says of a finding what is declared of its code.
func (p *Pass[M]) mark(f *finding.Finding) {
	f.First = f.Severity == finding.Error && slices.ContainsFunc(p.rule.Reports, func(r Report) bool { return r.Code == f.Code && r.First })
}

// NotChecked says that codes of the rule, or all of them where none is named, could
// not be checked in a cluster.
func (p *Pass[M]) NotChecked(context string, why finding.Reason, codes ...finding.Code) {
	if len(codes) == 0 {
		codes = p.rule.Codes()
	}
	p.run.result.NotChecked(context, why, codes...)
}

// Found are the findings so far with one of the codes, in the order of the codes and
// then of finding. The rule must be declared to run after them, or find them itself.
func (p *Pass[M]) Found(codes ...finding.Code) []finding.Finding {
	var out []finding.Finding
	for _, code := range codes {
		p.run.after(p.rule.Reports, p.rule.After, code)
		for _, f := range p.run.result.Findings {
			if f.Code == code {
				out = append(out, f)
			}
		}
	}
	return out
}

// run is what the rules of one run fill together.
type run struct {
	result finding.Result
	// violated is told where a rule does what it did not declare; nil where nobody
	// wants to know.
	violated func(string)
}

func (r *run) violation(format string, args ...any) {
	if r.violated != nil {
		r.violated(fmt.Sprintf(format, args...))
	}
}

// check holds a finding against the declaration of the rule that found it.
func (r *run) check(reports []Report, after []finding.Code, f finding.Finding) {
	if r.violated == nil {
		return
	}
	i := slices.IndexFunc(reports, func(report Report) bool { return report.Code == f.Code })
	switch {
	case i < 0:
		r.violation("%s is found by a rule that declares %v", f.Code, reports)
	case !slices.Contains(reports[i].Severities, f.Severity):
		r.violation("%s is found as %s; declared is %v", f.Code, f.Severity, reports[i].Severities)
	}
	if f.CausedBy == "" {
		return
	}
	j := slices.IndexFunc(r.result.Findings, func(o finding.Finding) bool { return o.ID() == f.CausedBy })
	if j < 0 {
		r.violation("%s names the cause %s, which was not found", f.ID(), f.CausedBy)
		return
	}
	r.after(reports, after, r.result.Findings[j].Code)
}

// after holds a code that a rule looks for against its declaration.
func (r *run) after(reports []Report, after []finding.Code, code finding.Code) {
	if r.violated == nil || slices.Contains(after, code) || slices.ContainsFunc(reports, func(o Report) bool { return o.Code == code }) {
		return
	}
	r.violation("a rule for %v looks for %s and does not declare to run after it", reports, code)
}
