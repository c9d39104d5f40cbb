//go:build unix

package gateways_test

import (
	"crypto/x509"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/certs"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/probe"
	"github.com/kubectl-mesh/kubectl-mesh/internal/probetest"
)

const workload = "spiffe://cluster.local/ns/sample/sa/helloworld"

var pod = facts.Vantage{Context: "east", Namespace: "sample", Pod: "curl-5d5c8b9f7-00002", Container: istio.ProxyContainer}

// server starts what answers at the address of west's gateway.
type server func(*testing.T, *istiotest.Fleet) netip.AddrPort

func simple(start func(testing.TB) netip.AddrPort) server {
	return func(t *testing.T, _ *istiotest.Fleet) netip.AddrPort {
		t.Helper()
		return start(t)
	}
}

func gatewayOf(signer func(*istiotest.Fleet) *istiotest.Authority, name string, notAfter ...time.Time) server {
	return func(t *testing.T, f *istiotest.Fleet) netip.AddrPort {
		t.Helper()
		return probetest.Gateway(t, probetest.Leaf(t, signer(f), name, notAfter...), istiotest.ServedName)
	}
}

func own(f *istiotest.Fleet) *istiotest.Authority { return f.Get("west").Signer }

func web(t *testing.T, _ *istiotest.Fleet) netip.AddrPort {
	t.Helper()
	return probetest.HTTPS(t, probetest.Leaf(t, istiotest.Root(istiotest.Spec{Name: "Web CA"}), "www.example.com"))
}

// real is a fleet whose gateways are really there.
func real(t *testing.T, west server) *istiotest.Fleet {
	t.Helper()
	f := istiotest.Networked("east", "west").Serve()
	east := f.Get("east")
	east.GatewayAt(probetest.Gateway(t, probetest.Leaf(t, east.Signer, workload), istiotest.ServedName))
	f.Get("west").GatewayAt(west(t, f))
	return f
}

// targetsOf are the addresses of gateways of a fleet.
func targetsOf(fleet *facts.Fleet) []probing.Target {
	all := probing.Targets(model.New(fleet, model.Options{}))
	return slices.DeleteFunc(all, func(t probing.Target) bool { return t.Purpose != probing.Requests })
}

// try tries all gateways of a fleet, as if from a vantage; that of west can be slow.
func try(t *testing.T, fleet *facts.Fleet, from facts.Vantage, slow bool) probing.Trials {
	t.Helper()
	targets := targetsOf(fleet)
	var attempts [][]facts.Attempt
	for _, target := range targets {
		wait := 30 * time.Second
		if slow && target.Cluster == "west" {
			wait = 500 * time.Millisecond
		}
		of := probe.ThisMachine(wait).Try(t.Context(), []facts.Probe{target.Probe})[0]
		for i := range of {
			of[i].From = from
		}
		attempts = append(attempts, of)
	}
	return trialsOf(fleet, targets, attempts)
}

func trialsOf(fleet *facts.Fleet, targets []probing.Target, attempts [][]facts.Attempt) probing.Trials {
	return probing.NewTrials(model.New(fleet, model.Options{}), targets, attempts, certs.Roots(fleet), time.Now())
}

// probed is what the rules find where addresses were tried.
func probed(t *testing.T, fleet *facts.Fleet, trials probing.Trials) finding.Result {
	t.Helper()
	return area().Run(t, fleet, model.Options{Given: []any{trials}}, probing.Topic)
}

func TestProbes(t *testing.T) {
	other := func(*istiotest.Fleet) *istiotest.Authority { return istiotest.Root(istiotest.Spec{Name: "Other"}) }
	for name, c := range map[string]struct {
		west server
		slow bool
		code string
	}{
		"gateway":                {gatewayOf(own, workload), false, ""},
		"other root":             {gatewayOf(other, workload), false, "GW036"},
		"expired":                {gatewayOf(own, workload, time.Now().Add(-time.Minute)), false, "GW036"},
		"no workload":            {gatewayOf(own, "istiod.istio-system.svc"), false, "GW037"},
		"web server":             {web, false, "GW037"},
		"web server without TLS": {simple(probetest.HTTP), false, "GW037"},
		"closed":                 {simple(probetest.Closed), false, "GW013"},
		"firewall":               {simple(probetest.Unanswering), true, "GW013"},
		"silent":                 {simple(probetest.Silent), true, "GW013"},
		"resets":                 {simple(probetest.Resets), false, "GW013"},
		"service unknown": {
			func(t *testing.T, f *istiotest.Fleet) netip.AddrPort {
				t.Helper()
				return probetest.Gateway(t, probetest.Leaf(t, f.Get("west").Signer, workload), "another")
			}, false, "GW013",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fleet := real(t, c.west).Facts()
			for _, v := range []struct {
				from     facts.Vantage
				severity string
			}{{facts.ThisMachine, "warning"}, {pod, "error"}} {
				r := probed(t, fleet, try(t, fleet, v.from, c.slow))
				var want []string
				if c.code != "" {
					want = []string{c.code + " " + v.severity + " west"}
				}
				if diff := cmp.Diff(want, istiotest.Summarize(r)); diff != "" {
					t.Errorf("findings from %s (-want +got):\n%s", v.from, diff)
				}
				for _, f := range r.Findings {
					if f.Title == "" || f.Effect == "" || len(f.Evidence) == 0 || len(lines(f.Fix)) < 2 {
						t.Errorf("incomplete: %+v", f)
					}
					if !strings.Contains(f.Evidence[0].Field, "from "+v.from.String()) {
						t.Errorf("evidence does not name the vantage: %+v", f.Evidence)
					}
					if suggests := strings.Contains(strings.Join(lines(f.Fix), "\n"), " --from-pod=east/"); suggests != (v.from == facts.ThisMachine) {
						t.Errorf("fix from %s: %+v", v.from, f.Fix)
					}
				}
				if len(r.Unknowns) > 0 {
					t.Errorf("not checked: %+v", r.Unknowns)
				}
			}
		})
	}
}

// What tells nothing is unknown, and no finding.
func TestWhatCannotBeSeen(t *testing.T) {
	proxied := pod
	proxied.Proxied = true
	all := []finding.Code{"GW013", "GW036", "GW037"}
	healthy := istiotest.Networked("east", "west").Serve()
	noSlices := healthy.Facts()
	for i := range noSlices.Clusters {
		resources.EndpointSlices.SetState(&noSlices.Clusters[i], facts.Forbidden, "")
	}
	for name, c := range map[string]struct {
		fleet *facts.Fleet
		a     facts.Attempt
		want  []finding.Code
	}{
		"no service":   {istiotest.Networked("east", "west").Facts(), facts.Attempt{Outcome: facts.Opened}, all[1:]},
		"no endpoints": {noSlices, facts.Attempt{Outcome: facts.Opened}, all[1:]},
		"a tool that only connects": {
			healthy.Facts(), facts.Attempt{Outcome: facts.Opened, Detail: "the tool only connects", From: pod}, all[1:],
		},
		"connected through a sidecar": {healthy.Facts(), facts.Attempt{Outcome: facts.Opened, From: proxied}, all},
		"reset through a sidecar":     {healthy.Facts(), facts.Attempt{Outcome: facts.Reset, From: proxied}, all},
		"no tool":                     {healthy.Facts(), facts.Attempt{Outcome: facts.NotTried, Detail: "no tool", From: pod}, all},
		"no name":                     {healthy.Facts(), facts.Attempt{Outcome: facts.Unresolved, Detail: "there is no such name"}, all[:1]},
	} {
		t.Run(name, func(t *testing.T) {
			targets := targetsOf(c.fleet)
			attempts := make([][]facts.Attempt, len(targets))
			for i := range attempts {
				attempts[i] = []facts.Attempt{c.a}
			}
			r := probed(t, c.fleet, trialsOf(c.fleet, targets, attempts))
			if found := istiotest.Summarize(r); found != nil {
				t.Errorf("findings %v", found)
			}
			var codes []finding.Code
			for _, u := range r.Unknowns {
				codes = append(codes, u.Codes...)
			}
			slices.Sort(codes)
			if diff := cmp.Diff(c.want, slices.Compact(codes)); diff != "" {
				t.Errorf("not checked (-want +got):\n%s", diff)
			}
		})
	}
}

// Where gateways are reached nothing is found, in whichever way a fleet has them.
func TestProbesOfHealthyFleets(t *testing.T) {
	for _, c := range istiotest.NetworkHealthy {
		t.Run(c.Name, func(t *testing.T) {
			f := c.Fleet()
			fleet := f.Facts()
			targets := targetsOf(fleet)
			attempts := make([][]facts.Attempt, len(targets))
			for i := range targets {
				signer := f.Clusters[0].Signer // all have one root
				leaf, err := x509.ParseCertificate(probetest.Leaf(t, signer, workload).Certificate[0])
				if err != nil {
					t.Fatal(err)
				}
				attempts[i] = []facts.Attempt{{
					Probe: targets[i].Probe, From: pod, Outcome: facts.Answered, Certificates: []*x509.Certificate{leaf, signer.Cert},
				}}
			}
			r := probed(t, fleet, trialsOf(fleet, targets, attempts))
			if len(r.Findings) > 0 || len(r.Unknowns) > 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// What annotations of a load balancer say and what is seen of it are one finding, and
// what is seen decides.
func TestLoadBalancersThatAreSeen(t *testing.T) {
	const beta = "service.beta.kubernetes.io/"
	ends := map[string]string{beta + "aws-load-balancer-ssl-cert": "arn:aws:acm:eu-1:1:certificate/x"}
	heads := map[string]string{beta + "aws-load-balancer-proxy-protocol": "*"}
	works, resets := gatewayOf(own, workload), simple(probetest.Closes)
	for name, c := range map[string]struct {
		annotations map[string]string
		west        server
		from        facts.Vantage
		want        []string
		evidence    int // of the first
		unknown     bool
	}{
		"it ends TLS":                  {ends, web, pod, []string{"GW014 error west"}, 2, false},
		"it does not end TLS":          {ends, works, pod, nil, 0, false},
		"it resets for another reason": {ends, resets, pod, []string{"GW013 error west < GW014", "GW014 error west"}, 1, false},
		"something else ends TLS":      {nil, web, pod, []string{"GW037 error west"}, 1, false},
		"the gateway takes the header": {heads, works, pod, nil, 0, false},
		"the gateway takes no header":  {heads, resets, pod, []string{"GW013 error west < GW014", "GW014 error west"}, 1, false},
		"this machine sees that": {
			heads, resets, facts.ThisMachine, []string{"GW013 warning west < GW014", "GW014 warning west"}, 1, false,
		},
		"a header, and no connection":      {heads, simple(probetest.Closed), pod, []string{"GW013 error west"}, 1, true},
		"a web server that has the header": {heads, web, pod, []string{"GW037 error west"}, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := real(t, c.west)
			f.Get("west").Network.Gateway.Annotations = c.annotations
			fleet := f.Facts()
			r := probed(t, fleet, try(t, fleet, c.from, false))
			if diff := cmp.Diff(c.want, istiotest.Summarize(r)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(c.want) > 0 && len(r.Findings[0].Evidence) < c.evidence {
				t.Errorf("%+v", r.Findings[0].Evidence)
			}
			if (len(r.Unknowns) > 0) != c.unknown {
				t.Errorf("%+v", r.Unknowns)
			}
		})
	}
}

// Addresses in several ranges are harmless where every network reaches all of them.
func TestRangesThatAreSeen(t *testing.T) {
	vantage := func(context string) facts.Vantage {
		v := pod
		v.Context = context
		return v
	}
	for name, c := range map[string]struct {
		from    []facts.Vantage
		reached bool // the far address, by those
		want    []string
	}{
		"not tried": {nil, false, []string{"GW015 warning west"}},
		"this machine reaches one": {
			[]facts.Vantage{facts.ThisMachine}, false, []string{"GW013 warning west < GW015", "GW015 warning west"},
		},
		"this machine reaches both":    {[]facts.Vantage{facts.ThisMachine}, true, []string{"GW015 warning west"}},
		"one network reaches one":      {[]facts.Vantage{vantage("east")}, false, []string{"GW013 error west < GW015", "GW015 error west"}},
		"one network reaches both":     {[]facts.Vantage{vantage("east")}, true, []string{"GW015 warning west"}},
		"its own network reaches both": {[]facts.Vantage{vantage("west")}, true, []string{"GW015 warning west"}},
		"all networks reach both":      {[]facts.Vantage{vantage("east"), vantage("north")}, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			fleet, trials := twoRanges(t, c.from, c.reached)
			if diff := cmp.Diff(c.want, istiotest.Summarize(probed(t, fleet, trials))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// twoRanges is a fleet in which west's gateway has a second address, which is tried from
// some vantages, and reached or not.
func twoRanges(t *testing.T, from []facts.Vantage, reached bool) (*facts.Fleet, probing.Trials) {
	t.Helper()
	const far = "192.168.7.5"
	f := istiotest.Networked("east", "north", "west").Serve()
	west := f.Get("west")
	at := probetest.Gateway(t, probetest.Leaf(t, west.Signer, workload), istiotest.ServedName)
	west.GatewayAt(at)
	balancer := &west.Network.Gateway.Status.LoadBalancer
	balancer.Ingress = append(balancer.Ingress, corev1.LoadBalancerIngress{IP: far})
	fleet := f.Facts()
	targets := slices.DeleteFunc(targetsOf(fleet), func(t probing.Target) bool { return t.Cluster != "west" })
	attempts := make([][]facts.Attempt, len(targets))
	for i, target := range targets {
		for _, v := range from {
			p := target.Probe
			if p.Address == far {
				real := at
				if !reached {
					real = probetest.Closed(t)
				}
				p.Address, p.Port = real.Addr().String(), uint32(real.Port())
			}
			a := probe.ThisMachine(30*time.Second).Try(t.Context(), []facts.Probe{p})[0][0]
			a.Probe, a.IP, a.From = target.Probe, target.Address, v
			attempts[i] = append(attempts[i], a)
		}
	}
	return fleet, trialsOf(fleet, targets, attempts)
}

// lines are the sentences and the commands of a fix.
func lines(fix []finding.Step) []string {
	var out []string
	for _, s := range fix {
		if s.Say != "" {
			out = append(out, s.Say)
		}
		for _, c := range s.Run {
			out = append(out, c.String())
		}
	}
	return out
}
