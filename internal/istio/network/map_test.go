package network

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/golden"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/topology"
)

// drawn writes arrows as a person would say them.
func drawn(m Map) []string {
	var out []string
	for _, a := range m.Arrows() {
		from := strings.Join(a.From, ",")
		if a.AllOthers {
			from = "all"
		}
		out = append(out, string(a.Status)+" "+from+" > "+strings.Join(a.To, ",")+" "+a.Where())
	}
	return out
}

// On a healthy fleet everybody reaches everybody.
func TestHealthyMaps(t *testing.T) {
	for _, c := range slices.Concat(istiotest.NetworkHealthy, istiotest.HealthyCases) {
		t.Run(c.Name, func(t *testing.T) {
			for _, r := range Draw(c.Fleet().Facts(), Options{}).Routes {
				if r.Status != RouteOK || r.Way == NoWay {
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
		m := Draw(c.Fleet().Facts(), Options{})
		fmt.Fprintf(&text, "%s\n\t%s\n\n", c.Name, strings.Join(drawn(m), "\n\t"))
		sound(t, c.Name, m)
		errs := slices.ContainsFunc(c.Want, func(s string) bool {
			// Injection, and what istiod writes, is not about the way of requests, and GW016 is about a second gateway.
			code, _, _ := strings.Cut(s, " ")
			return strings.Contains(s, " error ") && !slices.Contains([]string{"PR002", "PR003", "PR004", "PR005", "PR009", "PR011", "PR012", "GW016"}, code)
		})
		// Clusters that nothing joins any more are drawn apart.
		if all := len(m.Routes) > 0 && !slices.ContainsFunc(m.Routes, func(r Route) bool { return r.Status != RouteOK }); all == errs {
			t.Errorf("%s: errors %v, and the routes are %v", c.Name, c.Want, drawn(m))
		}
	}
	golden.Compare(t, "routes.txt", text.String())
}

// sound: a map is complete, and what is not ok says why.
func sound(t *testing.T, name string, m Map) {
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
		if (r.Status == RouteOK) != (r.Reason == "") || r.Status == RouteOK && (r.Way == NoWay || len(r.Codes) > 0) {
			t.Errorf("%s: %+v", name, r)
		}
		if (r.Way == Through) != (len(r.Through) > 0) {
			t.Errorf("%s: a way and no gateway, or the reverse: %+v", name, r)
		}
		for _, h := range r.Through {
			if !slices.ContainsFunc(m.Networks, func(n MapNetwork) bool {
				return slices.ContainsFunc(n.Gateways, func(g Gateway) bool { return g.Leads(h) })
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
		for _, from := range a.From {
			for _, to := range a.To {
				if a.AllOthers || from != to {
					arrows++
				}
			}
		}
		if a.AllOthers {
			arrows += (len(places) - len(m.Unreached) - 1 - len(a.From)) * len(a.To)
		}
	}
	known := len(places) - len(m.Unreached)
	if arrows != known*(known-1) {
		t.Errorf("%s: arrows for %d of %d routes: %q", name, arrows, known*(known-1), drawn(m))
	}
}

// What could not be read makes routes unknown, and none broken.
func TestMapsOfWhatCannotBeRead(t *testing.T) {
	for name, forbid := range forbidden {
		for at := range 2 {
			f := istiotest.Networked("east", "west").Facts()
			forbid(&f.Clusters[at])
			m := Draw(f, Options{})
			sound(t, name, m)
			unknown := 0
			for _, r := range m.Routes {
				if r.Status == RouteUnknown {
					unknown++
				} else if r.Status != RouteOK {
					t.Errorf("%s forbidden: %s to %s is %s: %s", name, r.From, r.To, r.Status, r.Where())
				}
			}
			if unknown == 0 && name != "nodes" { // which matter where a gateway is a NodePort
				t.Errorf("%s forbidden in %s, and all is known", name, f.Clusters[at].Context)
			}
		}
	}
}

func TestMapOfAnUnreachedCluster(t *testing.T) {
	f := istiotest.Networked("east", "north", "west").Facts()
	f.Clusters[1] = facts.Cluster{Context: "north", Unreached: &facts.Unreached{Kind: facts.TimedOut, Reason: "no answer"}}
	m := Draw(f, Options{})
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
			"unknown west > east through east-1234.elb.example.com:15443: the host name was not tried",
			"unknown east > west through west-1234.elb.example.com:15443: the host name was not tried",
		}},
		"one does not resolve": {map[string][]string{"east-1234.elb.example.com": {"198.51.100.1"}}, []string{
			"unknown east > west through west-1234.elb.example.com:15443: the host name has no address here; istiod resolves it by name servers of its own",
			"ok west > east through 198.51.100.1:15443",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			m := Draw(istiotest.HostnameGateways().Facts(), Options{Hosts: c.hosts})
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
	m := Draw(f.Facts(), Options{})
	want := []string{
		"broken east > west istiod of east has no remote secret for west",
		"ok west > east through 203.0.113.10:15443",
	}
	if diff := cmp.Diff(want, drawn(m)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMapsOfRandomFleets(t *testing.T) {
	for seed := range uint64(150) {
		f := topology.Draw(seed)
		facts, options := f.Facts(), Options{Hosts: f.Hosts}
		m := Draw(facts, options)
		sound(t, fmt.Sprintf("seed %d", seed), m)
		if diff := cmp.Diff(m, Draw(facts, options), cmp.AllowUnexported(Gateway{})); diff != "" {
			t.Errorf("seed %d: not the same again:\n%s", seed, diff)
		}
	}
}
