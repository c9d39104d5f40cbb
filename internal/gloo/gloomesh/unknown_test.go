package gloomesh_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/gloomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/glootest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// own are all rules of Gloo Mesh that run without a wish.
func own() []*rule.Rule[*model.Mesh] {
	var out []*rule.Rule[*model.Mesh]
	for _, area := range areas {
		out = append(out, gloomesh.Rules(area)...)
	}
	return slices.DeleteFunc(out, func(r *rule.Rule[*model.Mesh]) bool { return r.When != "" })
}

// unread is a fleet of which something could not be read in some of its clusters; the fleet itself stays as it is.
func unread(f *facts.Fleet, row resource.Resource, state facts.State, clusters ...int) *facts.Fleet {
	out := *f
	out.Clusters = slices.Clone(f.Clusters)
	for _, at := range clusters {
		row.SetState(&out.Clusters[at], state, "")
	}
	return &out
}

// unchecked are the codes that were not checked in a cluster, sorted.
func unchecked(r finding.Result, context string) []finding.Code {
	var out []finding.Code
	for _, u := range r.Unknowns {
		if u.Cluster == context {
			out = append(out, u.Codes...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Each need of each rule that cannot be read makes the rule unknown where that is so, with the reason, and nothing is found by it.
func TestEachNeedAlone(t *testing.T) {
	rules := own()
	for _, r := range releases() {
		healthy := glootest.Healthy(r, east, west).Facts()
		for _, row := range resources.All {
			for _, state := range []facts.State{facts.Forbidden, facts.Failed, facts.NotAsked} {
				for at, context := range []string{mgmt, east} {
					result := gloomesh.Judge(model.New(unread(healthy, row, state, at)), options(t))
					if found := alarms(result); len(found) > 0 {
						t.Errorf("%s, %s %q in %s: %s", r.Tag, row, state, context, line(found[0]))
					}
					not := unchecked(result, context)
					for _, of := range rules {
						if !slices.Contains(of.Needs, rule.Need(row)) {
							continue
						}
						for _, code := range of.Codes() {
							if !slices.Contains(not, code) {
								t.Errorf("%s, %s %q in %s: %s is not said to be unknown", r.Tag, row, state, context, code)
							}
						}
					}
					for _, u := range result.Unknowns {
						if u.Reason.Text == "" {
							t.Errorf("%s, %s %q in %s: no reason for %v", r.Tag, row, state, context, u.Codes)
						}
					}
				}
			}
		}
	}
}

// A fault is never taken for well where something that its rule reads could not be read: it is found all the same, or its code is
// unknown, or what it is a consequence of is.
func TestNoFaultIsGreen(t *testing.T) {
	rules := own()
	for _, c := range glootest.Faults {
		code, _, _ := strings.Cut(c.Want, " ")
		needs := rule.NeedsOf(rules, finding.Code(code))
		if len(needs) == 0 {
			continue // Istio's rules find it
		}
		i := slices.IndexFunc(releases(), c.Of)
		if i < 0 {
			continue
		}
		f := glootest.Healthy(releases()[i], glootest.Members...)
		c.Do(f)
		fleet := f.Facts()
		all := make([]int, len(fleet.Clusters))
		for at := range all {
			all[at] = at
		}
		for _, row := range resources.All {
			if !slices.Contains(needs, rule.Need(row)) {
				continue
			}
			result := gloomesh.Judge(model.New(unread(fleet, row, facts.Forbidden, all...)), options(t))
			found := slices.ContainsFunc(result.Findings, func(f finding.Finding) bool { return f.Code == finding.Code(code) })
			unknown := slices.ContainsFunc(result.Unknowns, func(u finding.Unknown) bool { return slices.Contains(u.Codes, finding.Code(code)) })
			if !found && !unknown {
				t.Errorf("%s: without %s nothing is said of %s", c.Name, row, code)
			}
		}
	}
}

// Of a cluster of which nothing was read nothing is found, and every rule is unknown there.
func TestNothingReadIsNothingFound(t *testing.T) {
	for _, state := range []facts.State{facts.Forbidden, facts.Failed} {
		for at, context := range []string{mgmt, east} {
			f := glootest.Healthy(glootest.Gloo11, east, west).Facts()
			for _, row := range resources.All {
				if row != resource.Resource(resources.Namespaces) { // by which Gloo Mesh may be there
					row.SetState(&f.Clusters[at], state, "")
				}
			}
			result := gloomesh.Judge(model.New(f), options(t))
			if found := alarms(result); len(found) > 0 {
				t.Errorf("%q in %s: %s", state, context, line(found[0]))
			}
			if diff := cmp.Diff(rule.CodesOf(own()), unchecked(result, context)); diff != "" {
				t.Errorf("%q in %s: not checked (-want +got):\n%s", state, context, diff)
			}
		}
	}
}

// A member that was not reached is unknown, and hides nothing of the others.
func TestUnreached(t *testing.T) {
	f := glootest.Healthy(glootest.Gloo11, east, west)
	f.Drop(mgmt, "Secret", east)
	fleet := f.Facts()
	fleet.Clusters[2] = facts.Cluster{Context: west, Server: fleet.Clusters[2].Server, Unreached: &facts.Unreached{Kind: facts.TimedOut}}
	result := gloomesh.Judge(model.New(fleet), options(t))
	var got []string
	for _, found := range alarms(result) {
		got = append(got, summary(found))
	}
	if diff := cmp.Diff([]string{"CP204 error mgmt"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(rule.CodesOf(own()), unchecked(result, west)); diff != "" {
		t.Errorf("not checked (-want +got):\n%s", diff)
	}
}

// Each code of the rules is found in some fleet.
func TestEveryCodeIsFound(t *testing.T) {
	found := map[finding.Code]bool{"CERT207": true} // in the case of fleets that have a root from elsewhere
	for _, c := range glootest.Faults {
		code, _, _ := strings.Cut(c.Want, " ")
		found[finding.Code(code)] = true
		for _, code := range c.More {
			found[code] = true
		}
	}
	for _, code := range rule.CodesOf(own()) {
		if !found[code] {
			t.Errorf("no fleet has %s", code)
		}
	}
}
