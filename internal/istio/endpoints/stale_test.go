package endpoints

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ruletest"
)

// A control plane that reads a cluster no more goes on with what it has read.
func TestStale(t *testing.T) {
	flat := istiotest.Serving(istiotest.OneNetwork("network1", "east", "west"))
	far := istiotest.Serving(istiotest.Networked("east", "west"))
	addresses := func(f *istiotest.Fleet, more ...string) facts.Addresses {
		out := facts.Addresses{}
		for _, e := range f.Get("west").Slice("helloworld").Endpoints {
			out.Add("sample/helloworld", e.Addresses[0], true)
		}
		for _, a := range more {
			out.Add("sample/helloworld", a, true)
		}
		return out
	}
	without := func(a facts.Addresses, address string) facts.Addresses {
		delete(a["sample/helloworld"], address)
		return a
	}
	replica := func(name string, a facts.Addresses) facts.IstiodView {
		return facts.IstiodView{
			Pod:    name,
			Shards: facts.Read[map[string]facts.Addresses]{State: facts.OK, Value: map[string]facts.Addresses{"west": a}},
		}
	}
	silent := facts.IstiodView{Pod: "istiod-1", Shards: facts.Read[map[string]facts.Addresses]{State: facts.Failed}}
	one := flat.Get("west").Slice("helloworld").Endpoints[0].Addresses[0]
	for name, c := range map[string]struct {
		fleet *istiotest.Fleet
		cause finding.Code
		says  []facts.IstiodView
		paths []string
		found []string
		text  string
	}{
		"all that there is": {flat, "SEC012", []facts.IstiodView{replica("istiod-0", addresses(flat)), replica("istiod-1", addresses(flat))}, nil,
			[]string{"EP030 warning east < SEC012", "SEC012 error east,west"}, ", until istiod of east restarts: a cause"},
		"one replica has nothing": {flat, "SEC012", []facts.IstiodView{replica("istiod-0", addresses(flat)), replica("istiod-1", nil)},
			[]string{"east > west: broken SEC012"},
			[]string{"EP030 error east < SEC012", "SEC012 error east,west"}, "a cause"},
		"one replica does not say": {flat, "SEC012", []facts.IstiodView{replica("istiod-0", addresses(flat)), silent},
			[]string{"east > west: broken SEC012"},
			[]string{"EP030 error east < SEC012", "SEC012 error east,west"}, "a cause"},
		"nobody was asked": {
			flat,
			"SEC017",
			nil,
			[]string{"east > west: broken SEC017"},
			[]string{"EP030 error east < SEC017", "SEC017 error east,west"},
			"a cause",
		},
		"a pod that is gone": {flat, "SEC015", []facts.IstiodView{replica("istiod-0", addresses(flat, "10.9.9.9"))},
			[]string{"east > west: partial SEC015"}, []string{"EP030 error east < SEC015", "SEC015 error east,west"}, "a cause"},
		"a new pod": {flat, "SEC013", []facts.IstiodView{replica("istiod-0", without(addresses(flat), one))},
			[]string{"east > west: partial SEC013"}, []string{"EP030 error east < SEC013", "SEC013 error east,west"}, "a cause"},
		"behind a gateway one is as good as all": {far, "SEC012", []facts.IstiodView{
			replica("istiod-0", facts.Addresses{"sample/helloworld": {"10.9.9.9": true}}),
		}, nil,
			[]string{"EP030 warning east < SEC012", "SEC012 error east,west"}, "until istiod of east restarts"},
		"never good": {flat, "SEC008", []facts.IstiodView{replica("istiod-0", addresses(flat))}, []string{"east > west: broken SEC008"},
			[]string{"EP030 error east < SEC008", "SEC008 error east,west"}, "a cause"},
		"only other services are behind": {
			flat,
			"SEC019",
			[]facts.IstiodView{replica("istiod-0", addresses(flat))},
			nil,
			nil,
			"directly to 2 pods",
		},
	} {
		t.Run(name, func(t *testing.T) {
			known := finding.Result{Findings: []finding.Finding{{
				Code: c.cause, Severity: finding.Error, Clusters: []string{"east", "west"}, Title: "a cause", Effect: "x",
				Evidence: []finding.Evidence{{Field: "a", Value: "b"}}, Fix: []finding.Step{finding.Say("Do x.")},
			}}}
			seen := facts.Seen{Istiods: map[string]facts.Read[[]facts.IstiodView]{"east": {State: facts.OK, Value: c.says}}}
			d, result := diagnose(t, c.fleet.Facts(), known, refusing(seen), Options{})
			if diff := cmp.Diff(c.paths, paths(d)); diff != "" {
				t.Errorf("paths (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.found, istiotest.Summarize(result)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if p := d.Paths[0]; !strings.Contains(p.Summary, c.text) || p.From.Cluster != "east" {
				t.Errorf("%+v", p)
			}
			ruletest.Complete(t, result)
		})
	}
}

// What keeps one control plane from reading the other says nothing of the other way.
func TestOneWay(t *testing.T) {
	f := istiotest.Serving(istiotest.Networked("east", "west")).Facts()
	known := finding.Result{
		Findings: []finding.Finding{{Code: "SEC012", Severity: finding.Error, Clusters: []string{"east", "west"}, Title: "refused"}},
	}
	d, _ := diagnose(t, f, known, refusing(facts.Seen{}), Options{})
	if diff := cmp.Diff([]string{"east > west: broken SEC012"}, paths(d)); diff != "" {
		t.Error(diff)
	}
}

// Where it is not known whether a remote secret is the one that is missed, nothing is said of it.
func TestUnsure(t *testing.T) {
	f := fleetOf(t, "no remote secret").Facts()
	other := facts.RemoteSecret{Name: "istio-remote-secret-north", Namespace: istiotest.System, ClusterID: "north", Server: "https://x"}
	resources.RemoteSecrets.Edit(&f.Clusters[0]).Value = []facts.RemoteSecret{other}
	d, result := diagnose(t, f, finding.Result{}, facts.Seen{}, Options{})
	if diff := cmp.Diff([]string{"east > west: unknown"}, paths(d)); diff != "" || len(result.Findings) > 0 || len(result.Unknowns) != 1 {
		t.Errorf("%s\n%+v", diff, result)
	}
}

// A title names a code only where there is such a finding beside it.
func TestNamedCodes(t *testing.T) {
	for _, name := range []string{
		"no remote secret",
		"both clusters have the same ID",
		"a remote cluster under another ID than its own",
		"no remote secret for a remote cluster",
	} {
		result := verify(t, fleetOf(t, name).Facts(), Options{})
		for _, f := range result.Findings {
			if strings.Contains(f.Title, "SEC") || len(f.Fix) == 0 {
				t.Errorf("%s: %+v", name, f)
			}
		}
	}
	known := finding.Result{
		Findings: []finding.Finding{{Code: "SEC001", Severity: finding.Error, Clusters: []string{"east", "west"}, Title: "none"}},
	}
	result := verify(t, fleetOf(t, "no remote secret").Facts(), Options{}, finds(known))
	if len(result.Findings) != 1 || !strings.HasSuffix(result.Findings[0].Title, "(SEC001)") {
		t.Errorf("%+v", result.Findings)
	}
}

// A secret that is made unusable in place takes nothing away from a control plane that has
// read the cluster before; one that never was good does.
func TestUnusableInPlace(t *testing.T) {
	for name, c := range map[string]struct {
		held facts.Addresses
		want []string
	}{
		"read before": {facts.Addresses{"sample/helloworld": {"10.9.9.9": true}}, []string{"east > west: partial EP030"}},
		"never read":  {facts.Addresses{}, []string{"east > west: broken EP030"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := istiotest.Serving(istiotest.OneNetwork("network1", "east", "west")).Facts()
			for i := range f.Clusters {
				if c := &f.Clusters[i]; c.Context == "east" {
					resources.RemoteSecrets.Of(c).Value[0].Invalid = "the kubeconfig is empty"
				}
			}
			seen := facts.Seen{Istiods: map[string]facts.Read[[]facts.IstiodView]{"east": {State: facts.OK, Value: []facts.IstiodView{
				{Pod: "istiod-0", Shards: facts.Read[map[string]facts.Addresses]{State: facts.OK, Value: map[string]facts.Addresses{"west": c.held}}},
			}}}}
			d, result := diagnose(t, f, finding.Result{}, seen, Options{})
			if diff := cmp.Diff(c.want, paths(d)); diff != "" {
				t.Errorf("paths (-want +got):\n%s\n%+v", diff, d.Paths[0])
			}
			ruletest.Complete(t, result)
		})
	}
}
