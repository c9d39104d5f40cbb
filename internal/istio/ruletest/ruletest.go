// Package ruletest runs rules in tests: on fleets with known faults, and on fleets of
// which something cannot be read. What a rule does and did not declare fails the test.
package ruletest

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// Area is the rules under test.
type Area struct {
	Rules []*rule.Rule[*model.Mesh]
	// Others find what the rules name as causes. What else they find is left out.
	Others []*rule.Rule[*model.Mesh]
	// BareNotes: notes of the rules may have neither evidence nor a fix.
	BareNotes bool
}

// Codes are those of the rules that run without a topic.
func (a Area) Codes() []finding.Code {
	return rule.CodesOf(slices.DeleteFunc(slices.Clone(a.Rules), func(r *rule.Rule[*model.Mesh]) bool { return r.When != "" }))
}

// Run is what the rules find in a fleet.
func (a Area) Run(t *testing.T, fleet *facts.Fleet, options model.Options, topics ...rule.Topic) finding.Result {
	t.Helper()
	all := slices.Concat(a.Rules, a.Others)
	result := rule.Run(model.New(fleet, options), all, rule.Options{Topics: topics, Violated: func(s string) { t.Error(s) }})
	own := rule.CodesOf(a.Rules)
	var out finding.Result
	for _, f := range result.Findings {
		if slices.Contains(own, f.Code) {
			out.Add(f)
		}
	}
	for _, u := range result.Unknowns {
		codes := slices.DeleteFunc(slices.Clone(u.Codes), func(c finding.Code) bool { return !slices.Contains(own, c) })
		if len(codes) > 0 {
			out.NotChecked(u.Cluster, u.Reason, codes...)
		}
	}
	return out
}

// Check compares what the rules find in a case with what it wants of their codes; a cause
// that none of the rules finds is left out. Everything has to be checked, and every finding
// complete and of its own ID.
func (a Area) Check(t *testing.T, c istiotest.Case) {
	t.Helper()
	result := a.Run(t, c.Fleet().Facts(), model.Options{})
	if diff := cmp.Diff(a.wanted(c), istiotest.Summarize(result)); diff != "" {
		t.Errorf("findings (-want +got):\n%s\n%+v", diff, result.Findings)
	}
	if len(result.Unknowns) > 0 {
		t.Errorf("everything was readable, and yet not checked: %+v", result.Unknowns)
	}
	complete(t, result, a.BareNotes)
}

func (a Area) wanted(c istiotest.Case) []string {
	own, all := rule.CodesOf(a.Rules), rule.CodesOf(slices.Concat(a.Rules, a.Others))
	var out []string
	for _, want := range c.Want {
		code, _, _ := strings.Cut(want, " ")
		if !slices.Contains(own, finding.Code(code)) {
			continue
		}
		if is, cause, ok := strings.Cut(want, " < "); ok && !slices.Contains(all, finding.Code(cause)) {
			want = is
		}
		out = append(out, want)
	}
	slices.Sort(out)
	return out
}

// Faults checks cases, and that each code of the rules is wanted of one of them.
func (a Area) Faults(t *testing.T, cases []istiotest.Case) {
	t.Helper()
	found := map[finding.Code]bool{}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) { a.Check(t, c) })
		for _, want := range c.Want {
			code, _, _ := strings.Cut(want, " ")
			found[finding.Code(code)] = true
		}
	}
	for _, code := range a.Codes() {
		if !found[code] {
			t.Errorf("no fleet has %s", code)
		}
	}
}

// Reads are the resources that the rules read.
func (a Area) Reads() []resource.Resource {
	var out []resource.Resource
	for _, r := range a.Rules {
		for _, need := range slices.Concat(r.Needs, r.Uses) {
			if row, ok := need.(resource.Resource); ok && !slices.Contains(out, row) {
				out = append(out, row)
			}
		}
	}
	return out
}

// Unchecked are the codes that were not checked in a cluster, sorted.
func Unchecked(r finding.Result, context string) []finding.Code {
	var out []finding.Code
	for _, u := range r.Unknowns {
		if u.Cluster == context {
			out = append(out, u.Codes...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
