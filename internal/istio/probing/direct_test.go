//go:build unix

package probing_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/probe"
	"github.com/kubectl-mesh/kubectl-mesh/internal/probetest"
)

// podsAt leaves one pod of helloworld in a cluster, at an address.
func podsAt(c *istiotest.Cluster, at netip.AddrPort) {
	eachPod(c, func(p *corev1.Pod) {
		if strings.HasSuffix(p.Name, "-00000") {
			p.Status.PodIP, p.Status.PodIPs = at.Addr().String(), []corev1.PodIP{{IP: at.Addr().String()}}
		}
	})
	for _, o := range c.Network.More {
		if s, ok := o.(*discoveryv1.EndpointSlice); ok && s.Name == "helloworld-1" {
			port := int32(at.Port())
			s.Ports[0].Port, s.Endpoints = &port, s.Endpoints[:1]
			s.Endpoints[0].Addresses = []string{at.Addr().String()}
		}
	}
}

// Only the certificate of that very pod proves that it is reached.
func TestPodsOfAnotherNetwork(t *testing.T) {
	served := func(signer func(*istiotest.Fleet) *istiotest.Authority, name string) func(*testing.T, *istiotest.Fleet) netip.AddrPort {
		return func(t *testing.T, f *istiotest.Fleet) netip.AddrPort {
			return probetest.Gateway(t, probetest.Leaf(t, signer(f), name), istiotest.ServedName)
		}
	}
	own := func(f *istiotest.Fleet) *istiotest.Authority { return f.Get("west").Signer }
	other := func(*istiotest.Fleet) *istiotest.Authority { return istiotest.Root(istiotest.Spec{Name: "Other"}) }
	simple := func(start func(testing.TB) netip.AddrPort) func(*testing.T, *istiotest.Fleet) netip.AddrPort {
		return func(t *testing.T, _ *istiotest.Fleet) netip.AddrPort { return start(t) }
	}
	for name, c := range map[string]struct {
		at      func(*testing.T, *istiotest.Fleet) netip.AddrPort
		verdict probing.Verdict
		says    string
		want    []string
	}{
		"the pod": {
			served(own, workload), probing.Trusted, "reachable and trusted past the gateway, as " + workload,
			[]string{"NET008 note east,west"},
		},
		"another namespace": {
			served(own, "spiffe://cluster.local/ns/shop/sa/helloworld"), probing.NotDirect,
			"not reached directly: something else has that address: spiffe://cluster.local/ns/shop/sa/helloworld, " +
				"issued by CN=Intermediate CA west,O=Istio", nil,
		},
		"another mesh": {
			served(other, workload), probing.NotDirect,
			"not reached directly: east does not accept the certificate there: " + workload + ", issued by CN=Other,O=Istio", nil,
		},
		"plain TCP": {
			simple(probetest.Silent), probing.NotDirect, "not reached directly: as usual between networks: it does not answer to TLS", nil,
		},
		"HTTP": {
			simple(probetest.HTTP), probing.NotDirect,
			"not reached directly: as usual between networks: it answers in plain text: HTTP/1.1 400 Bad Request", nil,
		},
		"nothing": {simple(probetest.Closed), probing.NotDirect, "not reached directly: as usual between networks: refused", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := istiotest.Networked("east", "west").Serve()
			podsAt(f.Get("west"), c.at(t, f))
			fleet := f.Facts()
			found := targets(fleet)
			at, probes := probing.TriedFrom(found, pod)
			if len(probes) != 3 || found[at[2]].Purpose != probing.PodToPod || found[at[2]].Cluster != "west" {
				t.Fatalf("%+v", found)
			}
			direct, attempts := found[at[2]:at[2]+1], probe.ThisMachine(time.Second).Try(t.Context(), probes[2:])
			attempts[0][0].From = pod
			trials := newTrials(fleet, direct, attempts)
			if got := trials[0]; got.Result != c.verdict || got.Says() != c.says || !got.Expected() ||
				!strings.HasPrefix(got.Object.String(), "pod sample/helloworld-") {
				t.Errorf("%s: %s", got.Result, got.Says())
			}
			r := verify(t, fleet, trials)
			if diff := cmp.Diff(c.want, istiotest.Summarize(r)); diff != "" || len(r.Unknowns) > 0 {
				t.Errorf("(-want +got):\n%s\n%+v", diff, r.Unknowns)
			}
			for _, found := range r.Findings {
				if found.Severity != finding.Note || found.Title == "" || found.Effect == "" || len(found.Evidence) < 2 || len(lines(found.Fix)) < 2 {
					t.Errorf("%+v", found)
				}
			}
		})
	}
}

// A tool that only connects proves nothing.
func TestPodsAndPoorTools(t *testing.T) {
	fleet := istiotest.Networked("east", "west").Serve().Facts()
	found := targets(fleet)
	at, _ := probing.TriedFrom(found, pod)
	direct := found[at[2]]
	for _, outcome := range []facts.Outcome{facts.Opened, facts.NotTried} {
		attempt := facts.Attempt{Probe: direct.Probe, From: pod, Outcome: outcome, Detail: "the tool only connects"}
		trials := newTrials(fleet, []probing.Target{direct}, [][]facts.Attempt{{attempt}})
		r := verify(t, fleet, trials)
		if len(r.Findings) > 0 || trials[0].Result != probing.NotTried ||
			len(r.Unknowns) != 1 || !slices.Equal(r.Unknowns[0].Codes, []finding.Code{"NET008"}) {
			t.Errorf("%s: %s, %+v", outcome, trials[0].Says(), r)
		}
	}
}

// Where an address may belong to a cluster of the own network it is not tried.
func TestPodsThatAreTried(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(east, west *istiotest.Cluster)
		want []string
	}{
		"addresses of their own": {func(_, _ *istiotest.Cluster) {}, []string{"10.0.0.10:5000 from west", "10.1.0.10:5000 from east"}},
		"an address that is there twice": {func(east, west *istiotest.Cluster) {
			podsAt(east, netip.MustParseAddrPort("192.0.2.1:5000"))
			podsAt(west, netip.MustParseAddrPort("192.0.2.1:5000"))
		}, nil},
		"an address in the range of the other's nodes": {func(_, west *istiotest.Cluster) {
			podsAt(west, netip.MustParseAddrPort("10.0.1.77:5000"))
		}, []string{"10.0.0.10:5000 from west"}},
		"the address of a node": {func(_, west *istiotest.Cluster) {
			podsAt(west, netip.MustParseAddrPort("172.18.0.2:5000"))
		}, []string{"10.0.0.10:5000 from west"}},
		"without sidecars": {func(_, west *istiotest.Cluster) {
			eachPod(west, func(p *corev1.Pod) { delete(p.Labels, istio.LabelTLSMode) })
		}, []string{"10.0.0.10:5000 from west"}},
		"not ready": {func(_, west *istiotest.Cluster) {
			eachPod(west, func(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse })
		}, []string{"10.0.0.10:5000 from west"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := istiotest.Networked("east", "west").Serve()
			c.do(f.Get("east"), f.Get("west"))
			found := targets(f.Facts())
			var got []string
			for _, v := range []facts.Vantage{facts.ThisMachine, pod, remotePod} {
				at, _ := probing.TriedFrom(found, v)
				for _, i := range at {
					if found[i].Purpose == probing.PodToPod {
						got = append(got, found[i].String()+" from "+v.Context)
					}
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
