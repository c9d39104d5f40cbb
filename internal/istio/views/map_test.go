package views_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/golden"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/topology"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/views"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// draw makes the map of a fleet with what all rules find in it.
func draw(fleet *facts.Fleet, options model.Options) views.NetworkMap {
	m := model.New(fleet, options)
	return views.Map(m, found(m))
}

// drawn writes arrows as a person would say them.
func drawn(m views.NetworkMap) []string {
	var out []string
	for _, a := range m.Arrows() {
		from := strings.Join(a.Group.From, ",")
		if a.Group.AllFrom {
			from = "all"
		}
		out = append(out, string(a.Status)+" "+from+" > "+strings.Join(a.Group.To, ",")+" "+a.Where())
	}
	return out
}

// On a healthy fleet everybody reaches everybody.
func TestHealthyMaps(t *testing.T) {
	for _, c := range slices.Concat(istiotest.NetworkHealthy, istiotest.HealthyCases) {
		t.Run(c.Name, func(t *testing.T) {
			for _, r := range draw(c.Fleet().Facts(), model.Options{}).Routes {
				if r.Status != views.RouteOK || r.Via == model.NoWay {
					t.Errorf("%s to %s: %s %s", r.From, r.To, r.Status, r.Where())
				}
			}
		})
	}
}

// Each fault is seen on the map: by the routes that it breaks and no others, which
// are read in the golden file.
func TestFaultMaps(t *testing.T) {
	var text strings.Builder
	for _, c := range istiotest.NetworkFaults {
		m := draw(c.Fleet().Facts(), model.Options{})
		fmt.Fprintf(&text, "%s\n\t%s\n\n", c.Name, strings.Join(drawn(m), "\n\t"))
		sound(t, c.Name, m)
		errs := slices.ContainsFunc(c.Want, func(s string) bool {
			// Injection, what istiod writes, and waypoints of services do not decide where requests go; GW016
			// is about a second gateway; with GW043 one goes on by the listener that it has.
			code, _, _ := strings.Cut(s, " ")
			elsewhere := []string{"PR002", "PR003", "PR004", "PR005", "PR009", "PR011", "PR012", "PR014", "GW016", "GW043", "AMB009", "AMB015"}
			return strings.Contains(s, " error ") && !slices.Contains(elsewhere, code)
		})
		// Where the path names another cluster, proxies give an ID that the remote secret does not have.
		errs = errs || c.Name == "remote cluster by another name"
		bad := func(r views.Route) bool { return r.Status != views.RouteOK }
		if slices.ContainsFunc(m.Routes, bad) != errs {
			t.Errorf("%s: errors %v, and the routes are %v", c.Name, c.Want, drawn(m))
		}
	}
	golden.Compare(t, "routes.txt", text.String())
}

// sound: a map is complete, and what is not ok says why.
func sound(t *testing.T, name string, m views.NetworkMap) {
	t.Helper()
	seen, places := map[[2]string]bool{}, map[string]int{}
	for _, n := range m.Networks {
		for _, c := range n.Clusters {
			places[c]++
		}
	}
	for _, c := range m.Unreached {
		places[c]++
	}
	for _, r := range m.Routes {
		if seen[[2]string{r.From, r.To}] || r.From == r.To || places[r.From] != 1 || places[r.To] != 1 {
			t.Errorf("%s: the route from %s to %s is there twice, or leads nowhere", name, r.From, r.To)
		}
		seen[[2]string{r.From, r.To}] = true
		if (r.Status == views.RouteOK) != (r.Reason == "") || r.Status == views.RouteOK && (r.Via == model.NoWay || len(r.Codes) > 0) {
			t.Errorf("%s: %+v", name, r)
		}
		if (r.Via == model.ThroughGateway) != (len(r.Through) > 0) {
			t.Errorf("%s: a way and no gateway, or the reverse: %+v", name, r)
		}
		for _, h := range r.Through {
			if slices.Contains(r.Codes, "GW039") { // a waypoint, which is no gateway and is not drawn
				continue
			}
			if !slices.ContainsFunc(m.Networks, func(n views.MapNetwork) bool {
				return slices.ContainsFunc(n.Gateways, func(g views.Gateway) bool { return g.Leads(h) })
			}) {
				t.Errorf("%s: %s goes through %+v, which is not drawn", name, r.From, h)
			}
		}
	}
	if n := len(places); len(m.Routes) != n*(n-1) {
		t.Errorf("%s: %d routes between %d clusters", name, len(m.Routes), n)
	}
	arrows := 0
	for _, a := range m.Arrows() {
		arrows += len(a.Group.At)
	}
	known := len(places) - len(m.Unreached)
	if arrows != known*(known-1) {
		t.Errorf("%s: arrows for %d of %d routes: %q", name, arrows, known*(known-1), drawn(m))
	}
}

// What could not be read makes routes unknown, and none broken.
func TestMapsOfWhatCannotBeRead(t *testing.T) {
	for _, row := range []resource.Resource{
		resources.Pods, resources.Services, resources.Namespaces, resources.Nodes, resources.MeshConfigs, resources.Istiods,
		resources.RemoteSecrets, resources.Gateways, resources.KubernetesGateways, resources.NetworkPolicies, resources.Injectors,
		resources.WorkloadEntries, resources.ServiceEntries,
	} {
		for at := range 2 {
			f := istiotest.Networked("east", "west").Facts()
			row.SetState(&f.Clusters[at], facts.Forbidden, "")
			m := draw(f, model.Options{})
			sound(t, row.String(), m)
			unknown := 0
			for _, r := range m.Routes {
				if r.Status == views.RouteUnknown {
					unknown++
				} else if r.Status != views.RouteOK {
					t.Errorf("%s forbidden: %s to %s is %s: %s", row, r.From, r.To, r.Status, r.Where())
				}
			}
			if unknown == 0 && row != resource.Resource(resources.Nodes) { // which matter where a gateway is a NodePort
				t.Errorf("%s forbidden in %s, and all is known", row, f.Clusters[at].Context)
			}
		}
	}
}

func TestMapOfAnUnreachedCluster(t *testing.T) {
	f := istiotest.Networked("east", "north", "west").Facts()
	f.Clusters[1] = facts.Cluster{Context: "north", Unreached: &facts.Unreached{Kind: facts.TimedOut, Reason: "no answer"}}
	m := draw(f, model.Options{})
	sound(t, "north", m)
	want := []string{
		"ok west > east through 203.0.113.10:15443",
		"ok east > west through 203.0.113.12:15443",
	}
	if diff := cmp.Diff(want, drawn(m)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMapOfHostnames(t *testing.T) {
	for name, c := range map[string]struct {
		hosts map[string][]string
		want  []string
	}{
		"not tried": {nil, []string{
			"unknown west > east through east-1234.elb.example.com:15443: the gateway's host name was not resolved here",
			"unknown east > west through west-1234.elb.example.com:15443: the gateway's host name was not resolved here",
		}},
		"one does not resolve": {map[string][]string{"east-1234.elb.example.com": {"198.51.100.1"}}, []string{
			"unknown east > west through west-1234.elb.example.com:15443: the gateway's host name has no address here; " +
				"istiod resolves it by name servers of its own",
			"ok west > east through 198.51.100.1:15443",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			m := draw(istiotest.HostnameGateways().Facts(), model.Options{Hosts: c.hosts})
			sound(t, name, m)
			if diff := cmp.Diff(c.want, drawn(m)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A cluster that another one has no remote secret for is not reached from there.
func TestMapWithoutRemoteSecret(t *testing.T) {
	f := istiotest.Networked("east", "west")
	f.Get("east").Remotes = nil
	m := draw(f.Facts(), model.Options{})
	want := []string{
		"broken east > west istiod of east has no remote secret for west",
		"ok west > east through 203.0.113.10:15443",
	}
	if diff := cmp.Diff(want, drawn(m)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A remote secret that is ignored is as good as none.
func TestMapWithIgnoredRemoteSecret(t *testing.T) {
	f := istiotest.Networked("east", "west").Facts()
	resources.RemoteSecrets.Edit(&f.Clusters[0]).Value[0].Invalid = "the kubeconfig is not YAML"
	want := []string{
		"broken east > west istiod ignores secret istio-system/istio-remote-secret-west: the kubeconfig is not YAML",
		"ok west > east through 203.0.113.10:15443",
	}
	if diff := cmp.Diff(want, drawn(draw(f, model.Options{}))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Where istiod does not follow a cluster any more it has what it read before.
func TestMapWithExpiredCredential(t *testing.T) {
	got := istiotest.Networked("east", "west").Facts()
	remotes := resources.RemoteSecrets.Edit(&got.Clusters[0])
	remotes.Value[0].Access.CertificateEnds = got.At.Add(-time.Hour)
	remotes.Value[0].Access.Token = nil
	want := []string{
		"partial east > west through 203.0.113.11:15443: the credential in secret istio-system/istio-remote-secret-west expired",
		"ok west > east through 203.0.113.10:15443",
	}
	if diff := cmp.Diff(want, drawn(draw(got, model.Options{}))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Nothing is wrong between two meshes that have nothing to do with one another.
func TestMapOfTwoMeshes(t *testing.T) {
	f := istiotest.Networked("east", "west")
	other := istiotest.OneNetwork("", "playground").Clusters[0]
	other.Server, other.UID = "https://127.0.0.1:7443", "uid-other"
	f.Clusters = append(f.Clusters, other)
	m := draw(f.Facts(), model.Options{})
	if diff := cmp.Diff([]string{"playground"}, m.Outside()); diff != "" {
		t.Errorf("outside (-want +got):\n%s", diff)
	}
	if len(m.Routes) != 2 {
		t.Errorf("%d routes: %v", len(m.Routes), drawn(m))
	}
}

// A picture does not depend on what codes are called: with other codes it is the same.
func TestMapsReadNoCodes(t *testing.T) {
	for _, c := range istiotest.NetworkFaults {
		m := model.New(c.Fleet().Facts(), model.Options{})
		result := found(m)
		want := views.Map(m, result)
		names := map[finding.Code]finding.Code{}
		for i, f := range result.Findings {
			names[f.Code] = "XX" + f.Code
			result.Findings[i].Code = "XX" + f.Code
		}
		for i := range result.Findings {
			for old, name := range names {
				if of := strings.TrimPrefix(result.Findings[i].CausedBy, string(old)+"/"); of != result.Findings[i].CausedBy {
					result.Findings[i].CausedBy = string(name) + "/" + of
				}
			}
		}
		got := views.Map(m, result)
		for i, r := range got.Routes {
			if w := want.Routes[i]; r.Status != w.Status || r.Reason != w.Reason || len(r.Codes) != len(w.Codes) {
				t.Errorf("%s: %s, and with other codes %s", c.Name, w.Where(), r.Where())
			}
		}
	}
}

func TestMapsOfRandomFleets(t *testing.T) {
	for seed := range uint64(150) {
		f := topology.Draw(seed)
		facts, options := f.Facts(), model.Options{Hosts: f.Hosts}
		m := draw(facts, options)
		sound(t, fmt.Sprintf("seed %d", seed), m)
		if diff := cmp.Diff(m, draw(facts, options), cmp.AllowUnexported(views.Gateway{})); diff != "" {
			t.Errorf("seed %d: not the same again:\n%s", seed, diff)
		}
	}
}
