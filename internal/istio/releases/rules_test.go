package releases

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ruletest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

func area() ruletest.Area {
	return ruletest.Area{Rules: slices.Concat(EndpointRules(), NetworkRules())}
}

// of are the findings about one bug.
func of(r finding.Result, bug istio.Bug) finding.Result {
	var out finding.Result
	for _, f := range r.Findings {
		if f.Object.Name == istio.KnownBugs[bug].Issue {
			out.Add(f)
		}
	}
	return out
}

// Each bug is found in its fleet, not in one that does not meet its condition, and not in a
// release without it.
func TestFaults(t *testing.T) {
	found := map[istio.Bug]bool{}
	for _, c := range istiotest.ReleaseFaults {
		t.Run(c.Name, func(t *testing.T) {
			found[c.Bug] = true
			result := area().Run(t, c.Make(c.Image), model.Options{})
			ruletest.Complete(t, result)
			got := of(result, c.Bug)
			if diff := cmp.Diff([]string{c.Want}, istiotest.Summarize(got)); diff != "" {
				t.Fatalf("findings (-want +got):\n%s\n%+v", diff, result.Findings)
			}
			steps := got.Findings[0].Fix
			if last := steps[len(steps)-1].Say; !strings.Contains(last, " "+c.Fixed+" or later") {
				t.Errorf("told to go elsewhere than to %s: %q", c.Fixed, last)
			}
			for name, fleet := range map[string]*facts.Fleet{"without the condition": c.Healthy(c.Image), "in the fixed release": c.Make(c.Fixed)} {
				if got := of(area().Run(t, fleet, model.Options{}), c.Bug); len(got.Findings) > 0 {
					t.Errorf("found %s: %v", name, got.Findings)
				}
			}
		})
	}
	for _, r := range slices.Concat(endpointRows(), networkRows()) {
		if !found[r.bug] {
			t.Errorf("no fleet has the bug %q", r.bug)
		}
	}
}

// The pages of other rules know what those bugs do; the others have a row.
func TestEveryBugIsUsed(t *testing.T) {
	elsewhere := []istio.Bug{istio.BugOneRoot, istio.BugMeshUnread}
	for bug := range istio.KnownBugs {
		has := slices.ContainsFunc(slices.Concat(endpointRows(), networkRows()), func(r row) bool { return r.bug == bug })
		if has == slices.Contains(elsewhere, bug) {
			t.Errorf("%q has a row: %v", bug, has)
		}
	}
}

// A release whose version is not known, or that has no bug, says nothing in any healthy fleet of
// sidecars.
func TestHealthyFleets(t *testing.T) {
	for _, c := range slices.Concat(istiotest.HealthyCases, istiotest.NetworkHealthy) {
		t.Run(c.Name, func(t *testing.T) {
			r := area().Run(t, c.Fleet().Facts(), model.Options{})
			for _, f := range r.Findings {
				if f.Severity != finding.Note {
					t.Errorf("%+v", f)
				}
			}
			if len(r.Unknowns) > 0 {
				t.Errorf("everything was readable, and yet not checked: %+v", r.Unknowns)
			}
		})
	}
}

// What the condition is about and was not read leaves the bug unknown, where the release has it.
func TestUnknown(t *testing.T) {
	rows := slices.Concat(endpointRows(), networkRows())
	for _, c := range istiotest.ReleaseFaults {
		i := slices.IndexFunc(rows, func(r row) bool { return r.bug == c.Bug })
		only := rows[i : i+1]
		for _, need := range only[0].reads {
			read, ok := need.(interface {
				SetState(*facts.Cluster, facts.State, string)
			})
			if !ok {
				continue
			}
			fleet := c.Make(c.Image)
			for k := range fleet.Clusters {
				read.SetState(&fleet.Clusters[k], facts.Forbidden, "")
			}
			got := ruletest.Area{Rules: rules(EndpointCode, only)}.Run(t, fleet, model.Options{})
			if len(got.Findings) > 0 || len(got.Unknowns) == 0 {
				t.Errorf("%s without %s: %+v", c.Name, need, got)
			}
		}
	}
	fleet := istiotest.Networked("east", "west").Facts()
	resources.Istiods.SetState(&fleet.Clusters[1], facts.Forbidden, "")
	if got := ruletest.Unchecked(area().Run(t, fleet, model.Options{}), "west"); len(got) != 2 {
		t.Errorf("not checked: %v", got)
	}
}

func TestDeclarations(t *testing.T) {
	if err := rule.Validate(area().Rules); err != nil {
		t.Error(err)
	}
}
