package controlplane_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kubectl-mesh/kubectl-mesh/cases"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/controlplane"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ruletest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

func TestRulesAreDeclared(t *testing.T) {
	if err := rule.Validate(controlplane.Rules()); err != nil {
		t.Error(err)
	}
}

// all is what the rules of all areas find in a fleet.
func all(t *testing.T, f *facts.Fleet, options model.Options) finding.Result {
	t.Helper()
	return istiomesh.Judge(model.New(f, options), rule.Options{Violated: func(s string) { t.Error(s) }},
		mesh.ControlPlane, mesh.Certs, mesh.Network, mesh.Endpoints)
}

// worth are findings of this area's rules, and errors and warnings of the others.
func worth(r finding.Result) finding.Result {
	return finding.Result{Findings: slices.DeleteFunc(slices.Clone(r.Findings), func(f finding.Finding) bool {
		return f.Severity == finding.Note && rule.Area(f.Code) != "CP"
	})}
}

// Each fault alone is found, with what it causes, and no rule of any area finds another error or warning.
func TestFaults(t *testing.T) {
	found := map[finding.Code]bool{}
	for _, c := range istiotest.ControlPlaneFaults {
		t.Run(c.Name, func(t *testing.T) {
			f, seen := c.Make()
			r := all(t, f, model.Options{Seen: seen})
			if diff := cmp.Diff(c.Want, istiotest.Summarize(worth(r)), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("findings (-want +got):\n%s\n%+v", diff, r.Findings)
			}
			ruletest.Complete(t, worth(r))
			unchecked(t, r)
		})
		for _, want := range c.Want {
			code, _, _ := strings.Cut(want, " ")
			found[finding.Code(code)] = true
		}
	}
	for _, code := range rule.CodesOf(controlplane.Rules()) {
		if !found[code] && code != "CP047" { // which takes hundreds of proxies: TestOneReplica
			t.Errorf("no fleet has %s", code)
		}
	}
}

// unchecked reports rules of this area that could not check a fleet of which everything can be read.
func unchecked(t *testing.T, r finding.Result) {
	t.Helper()
	codes := rule.CodesOf(controlplane.Rules())
	if unknown := r.Of(codes).Unknowns; len(unknown) > 0 {
		t.Errorf("everything was readable, and yet not checked: %+v", unknown)
	}
}

func TestLookAlikes(t *testing.T) {
	for _, c := range istiotest.ControlPlaneHealthy {
		t.Run(c.Name, func(t *testing.T) {
			f, seen := c.Make()
			r := all(t, f, model.Options{Seen: seen})
			if diff := cmp.Diff(c.Want, istiotest.Summarize(worth(r)), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("findings (-want +got):\n%s\n%+v", diff, worth(r).Findings)
			}
			unchecked(t, r)
		})
	}
}

// In healthy fleets of all areas, of which most hold little of control planes, nothing is found.
func TestHealthyFleets(t *testing.T) {
	fleets := map[string]*facts.Fleet{}
	for _, c := range slices.Concat(istiotest.HealthyCases, istiotest.NetworkHealthy) {
		fleets[c.Name] = c.Fleet().Facts()
	}
	for _, c := range istiotest.EndpointHealthy {
		fleets[c.Name] = c.Fleet().Facts()
	}
	for _, c := range istiotest.RemoteHealthy {
		fleets["secrets: "+c.Name], _ = c.Make()
	}
	dir := os.DirFS("../../../cases")
	reported, err := cases.All(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range reported {
		if c.Kind != cases.Healthy {
			continue
		}
		if fleets["case "+c.Name], err = c.Facts(dir, resources.All); err != nil {
			t.Fatal(err)
		}
	}
	for name, f := range fleets {
		r := rule.Run(model.New(f, model.Options{}), controlplane.Rules(), rule.Options{Violated: func(s string) { t.Error(s) }})
		for _, x := range r.Findings {
			if x.Severity != finding.Note {
				t.Errorf("%s: %s %s: %s %v", name, x.Severity, x.ID(), x.Title, x.Evidence)
			}
		}
	}
}

// What the rules find in faults of other areas and in reported ones.
func TestReportedFaults(t *testing.T) {
	dir := os.DirFS("../../../cases")
	reported, err := cases.All(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, c := range reported {
		if c.Kind == cases.Healthy {
			continue
		}
		f, err := c.Facts(dir, resources.All)
		if err != nil {
			t.Fatal(err)
		}
		r := rule.Run(model.New(f, model.Options{}), controlplane.Rules(), rule.Options{})
		for _, x := range r.Findings {
			if x.Severity != finding.Note {
				got = append(got, fmt.Sprintf("%s: %s %s", c.Name, x.Severity, x.ID()))
			}
		}
	}
	if diff := cmp.Diff(expected, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// expected is what they find, each of which is a part of what was reported.
var expected = []string{
	"api-server-cannot-reach-the-injector: error CP024/west/injection/webhook",
	"gke-quota-forbids-ztunnel: error CP050/west/ztunnel",
	"istio-csr-cluster-id: error CP040/east/proxies",
	"istio-csr-cluster-id: error CP040/west/proxies",
	"label-of-a-revision-that-is-not-there: error CP020/west/namespace/shop",
	"pod-security-forbids-istio-init: error CP034/west/namespace/shop",
	"remote-ca-bundle-of-another-root: error CP024/west/injection/webhook",
	"remote-injection-url-not-in-the-certificate: error CP024/west/injection/webhook",
	"remote-without-injection-path: error CP040/west/proxies",
	"webhook-of-an-old-installation: error CP024/west/injection/webhook",
	"webhook-of-an-old-installation: error CP026/west/mutatingwebhookconfiguration/istio-sidecar-injector-istio-system",
	"webhook-of-an-old-installation: warning CP021/west/namespace/shop",
}

// A read that is not there makes rules unknown, and nothing is found.
func TestNothingReadIsNothingFound(t *testing.T) {
	f := istiotest.Installed("east", "west").Facts()
	seen := istiotest.Connected(f, nil)
	for _, state := range []facts.State{facts.NotAsked, facts.Forbidden, facts.Failed} {
		g := *f
		g.Clusters = slices.Clone(f.Clusters)
		for _, row := range resources.All {
			row.SetState(&g.Clusters[1], state, "")
		}
		r := rule.Run(model.New(&g, model.Options{Seen: seen}), controlplane.Rules(), rule.Options{})
		if len(r.Findings) > 0 {
			t.Errorf("%q: %v", state, istiotest.Summarize(r))
		}
		if diff := cmp.Diff(rule.CodesOf(controlplane.Rules()), ruletest.Unchecked(r, "west")); diff != "" {
			t.Errorf("%q: not checked (-want +got):\n%s", state, diff)
		}
	}
}

// Each read alone that is forbidden makes rules unknown, and nothing is found.
func TestEachReadAlone(t *testing.T) {
	f := istiotest.Installed("east").Facts()
	seen := istiotest.Connected(f, nil)
	for _, row := range (ruletest.Area{Rules: controlplane.Rules()}).Reads() {
		g := *f
		g.Clusters = slices.Clone(f.Clusters)
		row.SetState(&g.Clusters[0], facts.Forbidden, "")
		r := rule.Run(model.New(&g, model.Options{Seen: seen}), controlplane.Rules(), rule.Options{})
		for _, x := range r.Findings {
			t.Errorf("%s: %s: %s", row, x.ID(), x.Title)
		}
		if len(r.Unknowns) == 0 && !row.About().Later &&
			!slices.Contains([]string{resources.Nodes.String(), resources.Sidecars.String()}, row.String()) {
			t.Errorf("%s: everything was checked", row)
		}
	}
}

// What proxies refused once they may have accepted since.
func TestAskedTwice(t *testing.T) {
	f := istiotest.Installed("east").Facts()
	refuse := func(_ string, p *facts.ConnectedProxy) {
		if strings.HasPrefix(p.Pod, "httpbin") {
			p.Rejected = []facts.Rejection{{Type: "Listener", Error: "no such filter"}}
		}
	}
	first, later := istiotest.Connected(f, refuse), istiotest.Connected(f, nil)
	run := func(seen facts.Seen) finding.Result {
		return rule.Run(model.New(f, model.Options{Seen: seen}), controlplane.Rules(), rule.Options{})
	}
	once := run(first)
	if len(once.Findings) > 0 || !slices.Contains(ruletest.Unchecked(once, "east"), "CP042") {
		t.Errorf("asked once: %v, %v", istiotest.Summarize(once), once.Unknowns)
	}
	first.Again = &facts.Later{Istiods: later.Istiods}
	if r := run(first); len(r.Findings)+len(r.Unknowns) > 0 {
		t.Errorf("accepted meanwhile: %v, %v", istiotest.Summarize(r), r.Unknowns)
	}
	first.Again = &facts.Later{Istiods: first.Istiods}
	if got := istiotest.Summarize(run(first)); !slices.Equal(got, []string{"CP042 error east"}) {
		t.Errorf("refused twice: %v", got)
	}
}

// Connections that one of two replicas has.
func TestOneReplica(t *testing.T) {
	f := istiotest.Installed("east").Facts()
	replica := func(name string, n int) facts.IstiodView {
		v := facts.IstiodView{
			Pod: name, Clusters: facts.Read[[]facts.ClusterState]{State: facts.OK}, Proxies: facts.Read[[]facts.ConnectedProxy]{State: facts.OK},
		}
		for i := range n {
			v.Proxies.Value = append(v.Proxies.Value, facts.ConnectedProxy{Cluster: "east", Namespace: "sample", Pod: fmt.Sprint(name, i)})
		}
		return v
	}
	for want, views := range map[string][]facts.IstiodView{
		"[CP047 note east]": {replica("a", 190), replica("b", 20)},
		"[]":                {replica("a", 120), replica("b", 90)},
	} {
		seen := facts.Seen{Istiods: map[string]facts.Read[[]facts.IstiodView]{"east": {State: facts.OK, Value: views}}}
		r := rule.Run(model.New(f, model.Options{Seen: seen}), controlplane.Rules(), rule.Options{})
		if got := fmt.Sprint(istiotest.Summarize(r)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// What is read only where it matters is not known where it could not be read: how much memory istiod
// uses where it has a limit, and whether there are objects that it does not read.
func TestWhatMattersSometimes(t *testing.T) {
	for name, c := range map[string]struct {
		fleet string
		row   resource.Resource
		state facts.State
		code  finding.Code
	}{
		"without a metrics API":      {"an istiod with memory to spare", resources.Usage, facts.Absent, "CP070"},
		"usage that is forbidden":    {"an istiod that uses nearly all of its memory", resources.Usage, facts.Forbidden, "CP070"},
		"routes that are forbidden":  {"routes of gRPC of an older Gateway API than istiod reads", resources.GRPCRoutes, facts.Forbidden, "CP014"},
		"proxies, and no second try": {"a proxy that was ready, and whose credentials istiod does not accept any more", nil, "", "CP044"},
	} {
		t.Run(name, func(t *testing.T) {
			all := slices.Concat(istiotest.ControlPlaneFaults, istiotest.ControlPlaneHealthy)
			f, seen := all[slices.IndexFunc(all, func(f istiotest.ControlPlaneCase) bool { return f.Name == c.fleet })].Make()
			if c.row != nil {
				c.row.SetState(&f.Clusters[0], c.state, "")
			} else {
				seen.Again.Refusals = nil
			}
			r := rule.Run(model.New(f, model.Options{Seen: seen}), controlplane.Rules(), rule.Options{})
			if len(r.Findings) > 0 || !slices.Contains(ruletest.Unchecked(r, "east"), c.code) {
				t.Errorf("found %v, not checked %v", istiotest.Summarize(r), ruletest.Unchecked(r, "east"))
			}
		})
	}
}
