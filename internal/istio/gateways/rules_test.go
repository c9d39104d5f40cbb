package gateways_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ambient"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/gateways"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/network"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ruletest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/topology"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// area is the rules under test, with those that find what they name as causes.
func area() ruletest.Area {
	return ruletest.Area{Rules: gateways.Rules(), Others: slices.Concat(network.Rules(), ambient.Rules())}
}

func TestRulesAreDeclared(t *testing.T) {
	if err := rule.Validate(gateways.Rules()); err != nil {
		t.Error(err)
	}
}

func TestHealthyFleets(t *testing.T) {
	for _, c := range slices.Concat(istiotest.NetworkHealthy, istiotest.HealthyCases) {
		t.Run(c.Name, func(t *testing.T) { area().Check(t, c) })
	}
}

func TestFaults(t *testing.T) { area().Faults(t, istiotest.NetworkFaults) }

func TestNothingReadIsNothingFound(t *testing.T) {
	area().NothingRead(t, istiotest.Networked("east", "west").Facts(), resources.All)
}

func TestEachReadAlone(t *testing.T) {
	area().EachReadAlone(t, istiotest.NetworkHealthy, func(_ *istiotest.Cluster, row resource.Resource) bool {
		// Events are read of the clusters that need them, and rules for destinations concern
		// those with a gateway for sidecars.
		return row == resource.Resource(resources.GatewayEvents) || row == resource.Resource(resources.DestinationRules)
	})
}

func TestAnUnreachedClusterHidesNothingOfTheOthers(t *testing.T) {
	f := istiotest.Networked("east", "north", "west")
	f.Get("west").Network.Gateway.Status.LoadBalancer.Ingress = nil
	area().Unreached(t, f.Facts(), "north", "GW002 error west")
	got := f.Facts()
	got.Clusters[1] = facts.Cluster{Context: "north", Unreached: &facts.Unreached{Kind: facts.TimedOut, Reason: "no answer"}}
	r := area().Run(t, got, model.Options{})
	if diff := cmp.Diff([]finding.Code{"GW001"}, ruletest.Unchecked(r, "east")); diff != "" {
		t.Errorf("not checked (-want +got):\n%s", diff)
	}
}

// A single cluster is checked as far as it goes: its gateway may be meant for others.
func TestOneClusterOfAMesh(t *testing.T) {
	f := istiotest.Networked("east", "west")
	f.Get("west").Network.Gateway.Status.LoadBalancer.Ingress = nil
	got := f.Facts()
	got.Clusters = got.Clusters[1:]
	if diff := cmp.Diff([]string{"GW002 error west"}, istiotest.Summarize(area().Run(t, got, model.Options{}))); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
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
