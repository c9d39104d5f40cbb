package endpoints

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/envoy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ruletest"
)

// What a proxy has ejected of the endpoints that it is given decides, where it was asked.
func TestEjected(t *testing.T) {
	fleet := istiotest.Serving(istiotest.Networked("east", "west")).Facts()
	asked := func(live Live) (*Diagnosis, finding.Result) {
		return diagnose(t, fleet, finding.Result{}, facts.Seen{}, Options{Live: live})
	}
	d, _ := asked(nil)
	sources := d.Sources()
	if len(sources) != 2 || sources[0].Cluster != "east" {
		t.Fatalf("sources %+v", sources)
	}
	proxy := func(flags ...string) facts.Read[[]envoy.Cluster] {
		return facts.Read[[]envoy.Cluster]{State: facts.OK, Value: []envoy.Cluster{{
			Name: "outbound|5000||helloworld.sample.svc.cluster.local",
			Endpoints: []envoy.Endpoint{
				{Address: "203.0.113.11", Port: 15443, Flags: flags},
				{Address: "192.0.2.1", Port: 1, Flags: []string{envoy.FailedOutlierCheck}},
			},
		}}}
	}
	for name, c := range map[string]struct {
		live    facts.Read[[]envoy.Cluster]
		verdict Verdict
		found   []string
		unknown bool
	}{
		"nothing":         {live: proxy(), verdict: Reaches},
		"another flag":    {live: proxy("pending_dynamic_removal"), verdict: Reaches},
		"ejected":         {live: proxy(envoy.FailedOutlierCheck), verdict: Broken, found: []string{"EP023 error east,west"}},
		"not answered":    {live: facts.Read[[]envoy.Cluster]{State: facts.Forbidden}, verdict: Reaches, unknown: true},
		"the pod is gone": {live: facts.Read[[]envoy.Cluster]{State: facts.Absent}, verdict: Reaches, unknown: true},
		"none of them":    {live: facts.Read[[]envoy.Cluster]{State: facts.OK}, verdict: Reaches, unknown: true},
	} {
		t.Run(name, func(t *testing.T) {
			d, result := asked(Live{sources[0]: c.live})
			if diff := cmp.Diff(c.found, istiotest.Summarize(result)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if p := d.Paths[0]; p.Verdict != c.verdict || p.From != sources[0] {
				t.Errorf("%+v", p)
			}
			if p := d.Paths[1]; p.Verdict != Reaches {
				t.Errorf("the other way: %+v", p)
			}
			if c.unknown != (len(result.Unknowns) > 0) {
				t.Errorf("unknowns %+v", result.Unknowns)
			}
			if judged := slices.ContainsFunc(d.Paths[0].Steps, func(s Step) bool { return s.Name == stepProxy }); judged == c.unknown {
				t.Errorf("steps %+v", d.Paths[0].Steps)
			}
			ruletest.Complete(t, result)
		})
	}
}
