package endpoints

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ambient"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/gateways"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/network"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ruletest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// otherRules are those that find why requests stop.
func otherRules() []*rule.Rule[*model.Mesh] {
	return slices.Concat(network.Rules(), gateways.Rules(), ambient.Rules())
}

// found is what the other rules find in a fleet.
func foundIn(t *testing.T, fleet *facts.Fleet) finding.Result {
	t.Helper()
	return ruletest.Area{Rules: otherRules()}.Run(t, fleet, model.Options{})
}

// What other rules know to be the cause is named first, and is part of the result;
// without them the consequence stands for itself.
func TestKnownCauses(t *testing.T) {
	for _, c := range []struct {
		fault string
		want  []string
		paths []string
		text  string
	}{
		{"pending gateway", []string{"EP031 error west < GW001", "GW001 error west < GW002", "GW002 error west"},
			[]string{"east > west: broken GW002"}, "the gateway has no external address"},
		{
			"no gateway",
			[]string{"EP031 error west < GW001", "GW001 error west"},
			[]string{"east > west: broken GW001"},
			"network network2 has no gateway",
		},
		{"clients of no known network", []string{"EP031 error east < NET002", "NET002 error east"}, []string{"east > west: broken NET002"}, ""},
		{"gateway pod not ready", []string{"EP032 error west < GW012", "GW012 error west"}, []string{"east > west: broken GW012"}, ""},
	} {
		t.Run(c.fault, func(t *testing.T) {
			f := fleetOf(t, c.fault).Facts()
			d, result := diagnose(t, f, foundIn(t, f), facts.Seen{}, Options{})
			if diff := cmp.Diff(c.want, istiotest.Summarize(result)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.paths, paths(d)); diff != "" {
				t.Errorf("paths (-want +got):\n%s", diff)
			}
			if !strings.Contains(d.Paths[0].Summary, c.text) {
				t.Errorf("summary: %s", d.Paths[0].Summary)
			}
			ruletest.Complete(t, result)
		})
	}
}

// What is known to keep ambient clients from a cluster is named as the cause.
func TestAmbientClients(t *testing.T) {
	for name, want := range map[string][]string{
		"ambient services that are global":                    nil,
		"ztunnel without a network":                           {"east > west: broken AMB005", "west > east: broken AMB005"},
		"ambient clusters with different trust domains":       {"east > west: broken AMB006", "west > east: broken AMB006"},
		"istiod that does not know ztunnel":                   {"east > west: broken AMB011", "west > east: broken AMB011"},
		"global services without a config that makes them so": {"east > west: broken AMB002", "west > east: broken AMB002"},
		"service that is global in one cluster alone":         {"east > west: local EP041", "west > east: local EP041"},
		"waypoint that is not global, before 1.28":            {"east > west: broken AMB015", "west > east: broken AMB015"},
	} {
		t.Run(name, func(t *testing.T) {
			cases := slices.Concat(istiotest.NetworkFaults, istiotest.NetworkHealthy)
			at := slices.IndexFunc(cases, func(c istiotest.Case) bool { return c.Name == name })
			if at < 0 {
				t.Fatal("no such fleet")
			}
			f := cases[at].Fleet().Facts()
			d, result := diagnose(t, f, foundIn(t, f), facts.Seen{}, Options{})
			if diff := cmp.Diff(want, paths(d)); diff != "" {
				t.Errorf("paths (-want +got):\n%s", diff)
			}
			ruletest.Complete(t, result)
			broken := slices.ContainsFunc(want, func(p string) bool { return strings.Contains(p, "broken") })
			r := verify(t, f, Options{}, otherRules()...)
			if found := slices.ContainsFunc(r.Findings, func(f finding.Finding) bool { return f.Code == "EP040" && f.CausedBy != "" }); found != broken {
				t.Errorf("verify: %+v", r.Findings)
			}
		})
	}
}
