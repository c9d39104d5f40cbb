package network_test

import (
	"slices"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/network"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/primaryremote"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ruletest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// area is the rules under test, with those that find what they name as causes.
func area() ruletest.Area {
	return ruletest.Area{Rules: network.Rules(), Others: primaryremote.Rules()}
}

func TestRulesAreDeclared(t *testing.T) {
	if err := rule.Validate(network.Rules()); err != nil {
		t.Error(err)
	}
}

func TestHealthyFleets(t *testing.T) {
	for _, c := range slices.Concat(istiotest.NetworkHealthy, istiotest.HealthyCases) {
		t.Run(c.Name, func(t *testing.T) { area().Check(t, c) })
	}
}

func TestFaults(t *testing.T) { area().Faults(t, istiotest.NetworkFaults) }
