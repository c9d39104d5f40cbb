package ambient_test

import (
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/topology"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

func TestNothingReadIsNothingFound(t *testing.T) {
	area().NothingRead(t, istiotest.Networked("east", "west").Facts(), resources.All)
}

func TestEachReadAlone(t *testing.T) {
	area().EachReadAlone(t, istiotest.NetworkHealthy, func(*istiotest.Cluster, resource.Resource) bool { return false })
}

func TestRandomFleets(t *testing.T) {
	for seed := range uint64(300) {
		f := topology.Draw(seed)
		area().Steady(t, f.Facts(), model.Options{Hosts: f.Hosts})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// In a fleet that is drawn healthy nothing is found, and everything is checked.
func TestRandomHealthyFleets(t *testing.T) {
	for seed := range uint64(300) {
		r := area().Run(t, istiotest.RandomHealthy(seed).Facts(), model.Options{})
		if len(r.Findings)+len(r.Unknowns) > 0 {
			t.Errorf("seed %d: %v %+v %+v", seed, istiotest.Summarize(r), r.Findings, r.Unknowns)
		}
	}
}
