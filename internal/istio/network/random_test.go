package network

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/topology"
)

// Whatever a fleet consists of, findings are complete, have names of their own,
// and come out the same each time.
func TestRandomFleets(t *testing.T) {
	for seed := range uint64(300) {
		f := topology.Draw(seed)
		facts := f.Facts()
		options := Options{Hosts: f.Hosts}
		r := Verify(facts, options)
		ids := map[string]bool{}
		for _, found := range r.Findings {
			complete(t, found)
			if ids[found.ID()] {
				t.Errorf("seed %d: two findings are %s", seed, found.ID())
			}
			ids[found.ID()] = true
		}
		for _, found := range r.Findings {
			if found.CausedBy != "" && !ids[found.CausedBy] {
				t.Errorf("seed %d: %s is caused by %s, which there is not", seed, found.ID(), found.CausedBy)
			}
		}
		if diff := cmp.Diff(istiotest.Summarize(r), istiotest.Summarize(Verify(facts, options))); diff != "" {
			t.Errorf("seed %d: not the same again:\n%s", seed, diff)
		}
		if diff := cmp.Diff(List(facts, options), List(facts, options), cmp.AllowUnexported(Gateway{})); diff != "" {
			t.Errorf("seed %d: gateways are not the same again:\n%s", seed, diff)
		}
		Compare(facts)
		for _, target := range Targets(facts, options) {
			if target.Address == "" || target.Port == 0 || (target.Protocol == "") != (target.Blind != "") {
				t.Errorf("seed %d: target %+v", seed, target)
			}
		}
	}
}

// In a fleet that is drawn healthy nothing is found, and everything is judged.
func TestRandomHealthyFleets(t *testing.T) {
	for seed := range uint64(300) {
		r := Verify(istiotest.RandomHealthy(seed).Facts(), Options{})
		if len(r.Findings)+len(r.Unknowns) > 0 {
			t.Errorf("seed %d: %v %+v %+v", seed, istiotest.Summarize(r), r.Findings, r.Unknowns)
		}
	}
}
