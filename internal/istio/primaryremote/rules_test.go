package primaryremote_test

import (
	"slices"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/primaryremote"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ruletest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/topology"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

var area = ruletest.Area{Rules: primaryremote.Rules()}

func TestRulesAreDeclared(t *testing.T) {
	if err := rule.Validate(primaryremote.Rules()); err != nil {
		t.Error(err)
	}
}

func TestHealthyFleets(t *testing.T) {
	for _, c := range slices.Concat(istiotest.NetworkHealthy, istiotest.HealthyCases) {
		t.Run(c.Name, func(t *testing.T) { area.Check(t, c) })
	}
}

func TestFaults(t *testing.T) { area.Faults(t, istiotest.NetworkFaults) }

// Whatever cannot be read, nothing is taken for absent, and nothing for fine.
func TestNothingReadIsNothingFound(t *testing.T) {
	for _, f := range []*facts.Fleet{istiotest.Networked("east", "west").Facts(), istiotest.PrimaryAndRemote("east", "west").Facts()} {
		area.NothingRead(t, f, resources.All)
	}
}

// What a rule only uses need not be missed: most of it is read of remote clusters, or of
// primaries, alone.
func TestEachReadAlone(t *testing.T) {
	area.EachReadAlone(t, istiotest.NetworkHealthy, func(_ *istiotest.Cluster, row resource.Resource) bool {
		return !slices.ContainsFunc(area.Rules, func(r *rule.Rule[*model.Mesh]) bool { return slices.Contains(r.Needs, rule.Need(row)) })
	})
}

// Where what a rule uses is not read of a remote cluster, the rule is unknown there.
func TestReadsOfARemoteCluster(t *testing.T) {
	for row, code := range map[resource.Resource]string{
		resources.RootCert: "PR008", resources.SystemSlices: "PR001", resources.ReaderRights: "PR007",
	} {
		fleet := istiotest.PrimaryAndRemote("east", "west").Facts()
		row.SetState(&fleet.Clusters[1], facts.Forbidden, "")
		r := area.Run(t, fleet, model.Options{})
		if got := ruletest.Unchecked(r, "west"); len(r.Findings) > 0 || len(got) == 0 || !slices.Contains(got, finding.Code(code)) {
			t.Errorf("%s: not checked %v, found %v", row, got, istiotest.Summarize(r))
		}
	}
}

// Of a primary that reads virtual services of its own, none are known.
func TestRoutesOfAPrimary(t *testing.T) {
	fleet := istiotest.PrimaryAndRemote("east", "west").Facts()
	resources.VirtualServices.SetState(&fleet.Clusters[0], facts.Forbidden, "")
	r := area.Run(t, fleet, model.Options{})
	if got := ruletest.Unchecked(r, "west"); len(r.Findings) > 0 || !slices.Equal(got, []finding.Code{"PR006"}) {
		t.Errorf("not checked %v, found %v", got, istiotest.Summarize(r))
	}
}

func TestAnUnreachedClusterHidesNothingOfTheOthers(t *testing.T) {
	f := istiotest.Networked("east", "north", "west")
	f.Get("west").NoControlPlane(f.Get("east"))
	f.Get("west").Published = istiotest.Root(istiotest.Spec{Name: "cluster.local"}).PEM()
	area.Unreached(t, f.Facts(), "north", "PR008 error west")
}

// Whatever a fleet consists of, findings are complete, have names of their own, and come
// out the same each time.
func TestRandomFleets(t *testing.T) {
	for seed := range uint64(300) {
		f := topology.Draw(seed)
		area.Steady(t, f.Facts(), model.Options{Hosts: f.Hosts})
	}
}

// In a fleet that is drawn healthy nothing is found, and everything is checked.
func TestRandomHealthyFleets(t *testing.T) {
	for seed := range uint64(300) {
		r := area.Run(t, istiotest.RandomHealthy(seed).Facts(), model.Options{})
		if len(r.Findings)+len(r.Unknowns) > 0 {
			t.Errorf("seed %d: %+v %+v", seed, r.Findings, r.Unknowns)
		}
	}
}
