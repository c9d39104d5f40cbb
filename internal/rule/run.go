package rule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// Options are how rules are run.
type Options struct {
	// Topics are what the run asked for besides: rules of others do not run.
	Topics []Topic
	// Violated is called where a rule does what it did not declare; for tests.
	Violated func(string)
}

// Run checks a model by rules, in an order in which causes are found before what they
// cause, and else in the one given. A rule that panics is unknown everywhere.
func Run[M Model](model M, rules []*Rule[M], options Options) finding.Result {
	r := &run{violated: options.Violated}
	inForce := slices.DeleteFunc(Sorted(rules), func(rule *Rule[M]) bool {
		return rule.When != "" && !slices.Contains(options.Topics, rule.When)
	})
	fleet := model.Facts()
	for i := range fleet.Clusters {
		if c := &fleet.Clusters[i]; c.Unreached != nil {
			r.result.NotChecked(c.Context, finding.ClusterUnreached, CodesOf(inForce)...)
		}
	}
	for _, rule := range inForce {
		p := &Pass[M]{Model: model, rule: rule, able: map[string]bool{}, run: r}
		for i := range fleet.Clusters {
			c := &fleet.Clusters[i]
			if c.Unreached == nil && p.checks(c) {
				p.able[c.Context] = true
			}
		}
		p.do()
	}
	r.result.Sort()
	return r.result
}

// checks reports whether the rule can check a cluster, and says why it cannot.
func (p *Pass[M]) checks(c *facts.Cluster) bool {
	for _, need := range p.rule.Needs {
		if why, lacks := Lacks(c, need); lacks {
			p.NotChecked(c.Context, why)
			return false
		}
	}
	if p.rule.Everywhere {
		return true
	}
	scope := p.Model.Scope(c)
	if scope.Doubt != (finding.Reason{}) {
		p.NotChecked(c.Context, scope.Doubt)
		return false
	}
	return !scope.Out
}

// do runs the rule; what it found before a panic is kept.
func (p *Pass[M]) do() {
	defer func() {
		failure := recover()
		if failure == nil {
			return
		}
		if p.run.violated != nil {
			panic(failure)
		}
		for context := range p.able {
			p.NotChecked(context, finding.Reason{Kind: finding.Failed, Text: fmt.Sprintf("the rule itself failed (%v); please report it", failure)})
		}
	}()
	p.rule.Run(p)
}

// Sorted is the order in which rules run: each after those that find what it may name
// as a cause, and else as they are given. In a circle, which Validate refuses, the order
// is the given one.
func Sorted[M Model](rules []*Rule[M]) []*Rule[M] {
	finds := map[finding.Code][]*Rule[M]{}
	for _, r := range rules {
		for _, code := range r.Codes() {
			finds[code] = append(finds[code], r)
		}
	}
	var out []*Rule[M]
	visited := map[*Rule[M]]bool{}
	var visit func(*Rule[M])
	visit = func(r *Rule[M]) {
		if visited[r] {
			return
		}
		visited[r] = true
		for _, code := range r.After {
			for _, before := range finds[code] {
				visit(before)
			}
		}
		out = append(out, r)
	}
	for _, r := range rules {
		visit(r)
	}
	return out
}

// CodesOf are the codes that rules can find, sorted, each once.
func CodesOf[M Model](rules []*Rule[M]) []finding.Code {
	var out []finding.Code
	for _, r := range rules {
		out = append(out, r.Codes()...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// NeedsOf are what the rules need and use that can find one of the codes, in the order of the rules.
func NeedsOf[M Model](rules []*Rule[M], codes ...finding.Code) []Need {
	var out []Need
	for _, r := range rules {
		if slices.ContainsFunc(r.Codes(), func(code finding.Code) bool { return slices.Contains(codes, code) }) {
			out = slices.Concat(out, r.Needs, r.Uses)
		}
	}
	return out
}

// Severities are those with which rules can find a code, worst first.
func Severities[M Model](rules []*Rule[M], code finding.Code) []finding.Severity {
	var out []finding.Severity
	for _, severity := range finding.Severities {
		for _, r := range rules {
			for _, report := range r.Reports {
				if report.Code == code && slices.Contains(report.Severities, severity) && !slices.Contains(out, severity) {
					out = append(out, severity)
				}
			}
		}
	}
	return out
}

// Area is the area of a code: CERT of CERT004.
func Area(code finding.Code) string { return strings.TrimRight(string(code), "0123456789") }
