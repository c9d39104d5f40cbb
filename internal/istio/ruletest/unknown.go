package ruletest

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// NothingRead checks that in a healthy fleet of which nothing was read of the last cluster
// nothing is found, and all rules are unknown there. What is not known is neither taken
// for absent nor for right.
func (a Area) NothingRead(t *testing.T, fleet *facts.Fleet, rows []resource.Resource) {
	t.Helper()
	at := len(fleet.Clusters) - 1
	for _, state := range []facts.State{facts.NotAsked, facts.Forbidden, facts.Failed} {
		f := *fleet
		f.Clusters = slices.Clone(f.Clusters)
		for _, row := range rows {
			row.SetState(&f.Clusters[at], state, "")
		}
		r := a.Run(t, &f, model.Options{})
		if len(r.Findings) > 0 {
			t.Errorf("%q: %v", state, istiotest.Summarize(r))
		}
		if diff := cmp.Diff(a.Codes(), Unchecked(r, f.Clusters[at].Context)); diff != "" {
			t.Errorf("%q: not checked (-want +got):\n%s", state, diff)
		}
	}
}

// EachReadAlone checks that in healthy fleets each read of a cluster that is forbidden
// makes rules unknown there, and that none finds anything. idle says where a read that is
// forbidden leaves nothing unknown.
func (a Area) EachReadAlone(t *testing.T, cases []istiotest.Case, idle func(*istiotest.Cluster, resource.Resource) bool) {
	t.Helper()
	a.Others = nil // nothing is found, so that nothing has a cause
	for _, c := range cases {
		fleet := c.Fleet()
		made := fleet.Facts()
		for _, row := range a.Reads() {
			for at := range made.Clusters {
				f := *made
				f.Clusters = slices.Clone(f.Clusters)
				row.SetState(&f.Clusters[at], facts.Forbidden, "")
				r := a.Run(t, &f, model.Options{})
				if len(r.Findings) > 0 {
					t.Errorf("%s, %s: %v", c.Name, row, istiotest.Summarize(r))
				}
				if len(Unchecked(r, f.Clusters[at].Context)) == 0 && !idle(fleet.Clusters[at], row) {
					t.Errorf("%s, %s: everything was checked in %s", c.Name, row, f.Clusters[at].Context)
				}
			}
		}
	}
}

// Unreached checks that a cluster of a fleet that was not reached is unknown, and that
// all else is found.
func (a Area) Unreached(t *testing.T, fleet *facts.Fleet, context string, want ...string) {
	t.Helper()
	f := *fleet
	f.Clusters = slices.Clone(f.Clusters)
	for i := range f.Clusters {
		if f.Clusters[i].Context == context {
			f.Clusters[i] = facts.Cluster{Context: context, Unreached: &facts.Unreached{Kind: facts.TimedOut, Reason: "no answer"}}
		}
	}
	r := a.Run(t, &f, model.Options{})
	if diff := cmp.Diff(want, istiotest.Summarize(r)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(a.Codes(), Unchecked(r, context)); diff != "" {
		t.Errorf("not checked (-want +got):\n%s", diff)
	}
}

// Steady checks that what is found in a fleet is complete, names causes that are found,
// and comes out the same again.
func (a Area) Steady(t *testing.T, fleet *facts.Fleet, options model.Options) {
	t.Helper()
	r := a.Run(t, fleet, options)
	Complete(t, r)
	if diff := cmp.Diff(r, a.Run(t, fleet, options), cmp.AllowUnexported(finding.Command{})); diff != "" {
		t.Errorf("not the same again:\n%s", diff)
	}
}
