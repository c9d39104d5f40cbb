package endpoints

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ruletest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// area are the rules.
func area(others ...*rule.Rule[*model.Mesh]) ruletest.Area {
	return ruletest.Area{Rules: Rules(), Others: others}
}

// verify is what the rules find in a fleet of which nobody asked the control planes.
func verify(t *testing.T, fleet *facts.Fleet, options Options, others ...*rule.Rule[*model.Mesh]) finding.Result {
	t.Helper()
	result := area(others...).Run(t, fleet, model.Options{Given: []any{options}})
	result.Unknowns = slices.DeleteFunc(result.Unknowns, func(u finding.Unknown) bool { return u.Reason.Kind == finding.NotAsked })
	return result
}

// diagnose asks for the service of the test fleets.
func diagnose(t *testing.T, fleet *facts.Fleet, known finding.Result, seen facts.Seen, options Options) (*Diagnosis, finding.Result) {
	t.Helper()
	d, result, err := Diagnose(model.New(fleet, model.Options{Seen: seen}), known, "sample", "helloworld", options)
	if err != nil {
		t.Fatal(err)
	}
	return d, result
}

// finds is a rule that finds what is known.
func finds(known finding.Result) *rule.Rule[*model.Mesh] {
	r := &rule.Rule[*model.Mesh]{Everywhere: true, Run: func(p *rule.Pass[*model.Mesh]) {
		for _, f := range known.Findings {
			p.Report(f)
		}
		for _, u := range known.Unknowns {
			p.NotChecked(u.Cluster, u.Reason, u.Codes...)
		}
	}}
	for _, f := range known.Findings {
		r.Reports = append(r.Reports, rule.May(f.Code, f.Severity))
	}
	for _, u := range known.Unknowns {
		for _, code := range u.Codes {
			r.Reports = append(r.Reports, rule.May(code, finding.Error))
		}
	}
	return r
}

// Declarations are what the pages say, and each may only name causes that run before.
func TestDeclarations(t *testing.T) {
	if err := rule.Validate(Rules()); err != nil {
		t.Error(err)
	}
}

func TestHealthyFleets(t *testing.T) {
	for _, c := range istiotest.EndpointHealthy {
		t.Run(c.Name, func(t *testing.T) { check(t, c) })
	}
	for _, c := range slices.Concat(istiotest.NetworkHealthy, istiotest.HealthyCases) {
		t.Run(c.Name, func(t *testing.T) { checkVerify(t, c) })
	}
}

// Each fault alone gives its finding, and no other.
func TestFaults(t *testing.T) {
	found := map[finding.Code]bool{"EP032": true, "EP023": true, "EP020": true} // TestKnownCauses, TestEjected, TestConnections
	for _, c := range istiotest.EndpointFaults {
		t.Run(c.Name, func(t *testing.T) {
			check(t, c)
			for _, want := range slices.Concat(c.Want, c.Asked) {
				code, _, _ := strings.Cut(want, " ")
				found[finding.Code(code)] = true
			}
		})
	}
	for _, code := range rule.CodesOf(Rules()) {
		if !found[code] {
			t.Errorf("no fleet has %s", code)
		}
	}
}

func checkVerify(t *testing.T, c istiotest.Case) {
	t.Helper()
	result := verify(t, c.Fleet().Facts(), Options{})
	if diff := cmp.Diff(slices.Sorted(slices.Values(c.Want)), istiotest.Summarize(result)); diff != "" {
		t.Errorf("findings (-want +got):\n%s\n%+v", diff, result.Findings)
	}
	if len(result.Unknowns) > 0 {
		t.Errorf("everything was readable, and yet not checked: %+v", result.Unknowns)
	}
	ruletest.Complete(t, result)
}

func check(t *testing.T, c istiotest.EndpointCase) {
	t.Helper()
	checkVerify(t, c.Case)
	d, result := diagnose(t, c.Fleet().Facts(), finding.Result{}, facts.Seen{}, Options{})
	want := c.Asked
	if want == nil {
		want = c.Want
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), istiotest.Summarize(result)); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	ruletest.Complete(t, result)
	if diff := cmp.Diff(c.Paths, paths(d), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("paths (-want +got):\n%s\n%+v", diff, d.Paths)
	}
	for _, p := range d.Paths {
		if p.Summary == "" || len(p.Steps) == 0 {
			t.Errorf("a path without summary or steps: %+v", p)
		}
		if p.Verdict.Failed() && (p.Code == "" || p.Cause == "" || p.Steps[len(p.Steps)-1].Detail == "") {
			t.Errorf("a broken path without its cause: %+v", p)
		}
	}
}

// paths are those that do not just reach.
func paths(d *Diagnosis) []string {
	var out []string
	for _, p := range d.Paths {
		if p.Verdict != Reaches {
			out = append(out, strings.TrimSpace(fmt.Sprintf("%s > %s: %s %s", p.From.Cluster, p.To, p.Verdict, p.Code)))
		}
	}
	slices.Sort(out)
	return out
}

// What fixes a cluster that is not watched is in one place: its cause, where one is known.
func TestFixOfTheCause(t *testing.T) {
	f := fleetOf(t, "no remote secret").Facts()
	cause := finding.Finding{
		Code: "SEC001", Severity: finding.Error, Clusters: []string{"east", "west"}, Title: "no remote secret",
		Fix: []finding.Step{finding.Run(finding.Shell("the", "command"))},
	}
	for name, known := range map[string]finding.Result{"known": {Findings: []finding.Finding{cause}}, "not known": {}} {
		_, result := diagnose(t, f, known, facts.Seen{}, Options{})
		var commands []string
		for _, found := range result.Findings {
			for _, c := range finding.Commands(found.Fix) {
				commands = append(commands, c.String())
			}
		}
		if len(commands) != 1 || (commands[0] == "the command") != (name == "known") {
			t.Errorf("%s: %q", name, commands)
		}
	}
}

// A credential that was refused comes before an address that may lead nowhere.
func TestRefusedCredential(t *testing.T) {
	f := istiotest.Serving(istiotest.Networked("east", "west")).Facts()
	known := finding.Result{}
	for _, code := range []finding.Code{"SEC010", "SEC012", "SEC015"} {
		known.Add(finding.Finding{Code: code, Severity: finding.Error, Clusters: []string{"east", "west"}, Title: string(code)})
	}
	d, _ := diagnose(t, f, known, refusing(facts.Seen{}), Options{})
	if diff := cmp.Diff("east > west: broken SEC012", paths(d)[0]); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}

// refusing is what was seen where west refuses the credential of east.
func refusing(seen facts.Seen) facts.Seen {
	key := facts.SecretKey{Context: "east", Namespace: istiotest.System, Name: "istio-remote-secret-west", ClusterID: "west"}
	seen.Connected = map[facts.SecretKey]facts.Connected{key: {Outcome: facts.ConnectRefused, Reason: "401"}}
	return seen
}

func fleetOf(t *testing.T, name string) *istiotest.Fleet {
	t.Helper()
	if name == "gateway pod not ready" {
		f := istiotest.Serving(istiotest.Networked("east", "west"))
		f.Get("west").Network.GatewayPods[0].Status.Conditions[0].Status = corev1.ConditionFalse
		return f
	}
	for _, c := range slices.Concat(istiotest.EndpointFaults, istiotest.EndpointHealthy) {
		if c.Name == name {
			return c.Fleet()
		}
	}
	t.Fatalf("no fleet %q", name)
	return nil
}

// One cause that breaks many services is one finding with their number.
func TestFolding(t *testing.T) {
	f := istiotest.Networked("east", "west")
	for _, c := range f.Clusters {
		c.Serve("helloworld")
		c.Serve("httpbin")
		c.Serve("curl")
	}
	f.Get("west").Network.Gateway.Status = corev1.ServiceStatus{}
	east := f.Get("east")
	for range 4 {
		name := fmt.Sprintf("more-%d", len(east.Network.More))
		for _, c := range f.Clusters {
			c.Serve(name)
			c.Slice(name).Endpoints = c.Slice("httpbin").Endpoints
		}
	}
	result := verify(t, f.Facts(), Options{})
	if diff := cmp.Diff([]string{"EP031 error west"}, istiotest.Summarize(result)); diff != "" {
		t.Fatal(diff)
	}
	last := result.Findings[0].Evidence[len(result.Findings[0].Evidence)-1]
	if last.Field != "services concerned" || !strings.HasPrefix(last.Value, "7: curl.sample, helloworld.sample, httpbin.sample and 4 more") {
		t.Errorf("%+v", last)
	}
	narrow := verify(t, f.Facts(), Options{Selects: func(labels map[string]string) bool { return labels["app"] == "curl" }})
	last = narrow.Findings[0].Evidence[len(narrow.Findings[0].Evidence)-1]
	if last.Value != "1: curl.sample" {
		t.Errorf("%+v", last)
	}
	if other := verify(t, f.Facts(), Options{Namespace: "other"}); len(other.Findings) > 0 {
		t.Errorf("%+v", other.Findings)
	}
}

// What could not be read is unknown: no finding, and not passed either.
func TestUnreadable(t *testing.T) {
	forbidden := func(do func(east, west *facts.Cluster)) *facts.Fleet {
		f := istiotest.Serving(istiotest.Networked("east", "west")).Facts()
		do(&f.Clusters[0], &f.Clusters[1])
		return f
	}
	for name, c := range map[string]struct {
		fleet *facts.Fleet
		want  []string
	}{
		"pods": {forbidden(func(_, west *facts.Cluster) {
			resources.Pods.Set(west, facts.Read[[]facts.Pod]{State: facts.Forbidden})
		}),
			[]string{"east > west: unknown", "west > east: unknown"}},
		"endpoint slices": {forbidden(func(_, west *facts.Cluster) {
			resources.EndpointSlices.Set(west, facts.Read[[]discoveryv1.EndpointSlice]{State: facts.Forbidden})
		}), []string{"east > west: unknown", "west > east: unknown"}},
		"remote secrets": {forbidden(func(east, _ *facts.Cluster) {
			resources.RemoteSecrets.Set(east, facts.Read[[]facts.RemoteSecret]{State: facts.Forbidden})
		}), []string{"east > west: unknown"}},
		"deployments": {forbidden(func(east, _ *facts.Cluster) {
			resources.Istiods.Set(east, facts.Read[[]appsv1.Deployment]{State: facts.Failed, Reason: "no answer in time"})
		}), []string{"east > west: unknown"}},
		// What only some rules need leaves the rest judged.
		"sidecars": {forbidden(func(east, _ *facts.Cluster) {
			resources.Sidecars.Set(east, facts.Read[[]api.Sidecar]{State: facts.Forbidden})
		}), nil},
		"policies": {forbidden(func(_, west *facts.Cluster) {
			resources.AuthorizationPolicies.Set(west, facts.Read[[]api.AuthorizationPolicy]{State: facts.Forbidden})
			resources.VirtualServices.Set(west, facts.Read[[]api.VirtualService]{State: facts.Forbidden})
		}), nil},
		"deployments of the other": {forbidden(func(east, west *facts.Cluster) {
			resources.Istiods.Set(west, facts.Read[[]appsv1.Deployment]{State: facts.Forbidden})
			resources.RemoteSecrets.Of(east).Value[0].Server = "https://another.example"
		}), []string{"east > west: unknown", "west > east: unknown"}},
		"exported services": {forbidden(func(east, west *facts.Cluster) {
			container := &resources.Istiods.Of(east).Value[0].Spec.Template.Spec.Containers[0]
			container.Env = append(container.Env, corev1.EnvVar{Name: istio.EnvMCSDiscovery, Value: "true"})
			resources.ServiceExports.Set(west, facts.Read[[]api.ServiceExport]{State: facts.Forbidden})
		}), []string{"east > west: unknown"}},
		"mesh config": {forbidden(func(east, _ *facts.Cluster) {
			resources.MeshConfigs.Set(east, facts.Read[[]corev1.ConfigMap]{State: facts.Forbidden})
		}),
			[]string{"east > west: unknown"}},
	} {
		t.Run(name, func(t *testing.T) {
			d, result := diagnose(t, c.fleet, finding.Result{}, facts.Seen{}, Options{})
			if diff := cmp.Diff(c.want, paths(d)); diff != "" {
				t.Errorf("paths (-want +got):\n%s", diff)
			}
			if len(result.Findings) > 0 || len(result.Unknowns) == 0 {
				t.Errorf("%+v", result)
			}
			for _, u := range result.Unknowns {
				if u.Reason.Kind != finding.Forbidden && u.Reason.Kind != finding.Failed {
					t.Errorf("%s: %+v", u.Cluster, u.Reason)
				}
			}
		})
	}
}

// Of services that are not known nothing is judged, and that is said of the cluster.
func TestUnnamedServices(t *testing.T) {
	fleet := istiotest.Serving(istiotest.Networked("east", "west")).Facts()
	resources.Services.Set(&fleet.Clusters[1], facts.Read[[]corev1.Service]{State: facts.Forbidden})
	want := []finding.Unknown{
		{Cluster: "west", Reason: finding.Reason{Kind: finding.Forbidden, Text: "services: forbidden"}, Codes: rule.CodesOf(Rules())},
	}
	if diff := cmp.Diff(want, verify(t, fleet, Options{}).Unknowns); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Where other rules could not judge what would stop requests, that is not known here either.
func TestDoubts(t *testing.T) {
	fleet := istiotest.Serving(istiotest.Networked("east", "west")).Facts()
	known := finding.Result{}
	forbidden := func(what string) finding.Reason { return rule.Unread(what, facts.Forbidden, "forbidden") }
	known.NotChecked("west", forbidden("gateways of networking.istio.io"), "GW010", "GW011")
	known.NotChecked("east", forbidden("review of the token by west"), "SEC012")
	known.NotChecked("east", forbidden("workloadentries"), "NET011") // which stops nothing
	gateway := finding.Unknown{Cluster: "west", Reason: forbidden("gateways of networking.istio.io"), Codes: []finding.Code{"EP032"}}
	token := finding.Unknown{Cluster: "east", Reason: forbidden("review of the token by west"), Codes: []finding.Code{"EP030"}}
	_, asked := diagnose(t, fleet, known, facts.Seen{}, Options{})
	if diff := cmp.Diff([]finding.Unknown{token, gateway}, asked.Unknowns); diff != "" {
		t.Errorf("diagnose (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]finding.Unknown{gateway}, verify(t, fleet, Options{}, finds(known)).Unknowns); diff != "" {
		t.Errorf("verify (-want +got):\n%s", diff)
	}
}

// A cluster that was not reached hides nothing of the others.
func TestUnreached(t *testing.T) {
	f := istiotest.Serving(istiotest.Networked("east", "north", "west"))
	f.Get("west").Network.Gateway.Status = corev1.ServiceStatus{}
	fleet := f.Facts()
	fleet.Clusters[1] = facts.Cluster{
		Context:   "north",
		Server:    fleet.Clusters[1].Server,
		Unreached: &facts.Unreached{Kind: facts.TimedOut, Reason: "no answer"},
	}
	_, result := diagnose(t, fleet, finding.Result{}, facts.Seen{}, Options{})
	if diff := cmp.Diff([]string{"EP031 error west"}, istiotest.Summarize(result)); diff != "" {
		t.Error(diff)
	}
	if len(result.Unknowns) != 1 || result.Unknowns[0].Cluster != "north" || result.Unknowns[0].Reason != finding.ClusterUnreached {
		t.Errorf("%+v", result.Unknowns)
	}
	_, _, err := Diagnose(model.New(fleet, model.Options{}), finding.Result{}, "other", "helloworld", Options{})
	if err == nil || !strings.Contains(err.Error(), "there is helloworld.sample") {
		t.Error(err)
	}
}
