//go:build unix

package network_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/certs"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/network"
	"github.com/kubectl-mesh/kubectl-mesh/internal/probe"
	"github.com/kubectl-mesh/kubectl-mesh/internal/probetest"
)

// What annotations of a load balancer say and what is seen of it are one finding, and
// what is seen decides.
func TestLoadBalancersThatAreSeen(t *testing.T) {
	const beta = "service.beta.kubernetes.io/"
	ends := map[string]string{beta + "aws-load-balancer-ssl-cert": "arn:aws:acm:eu-1:1:certificate/x"}
	heads := map[string]string{beta + "aws-load-balancer-proxy-protocol": "*"}
	works := func(t *testing.T, f *istiotest.Fleet) netip.AddrPort {
		return probetest.Gateway(t, probetest.Leaf(t, f.Get("west").Signer, workload), istiotest.ServedName)
	}
	web := func(t *testing.T, _ *istiotest.Fleet) netip.AddrPort {
		return probetest.HTTPS(t, probetest.Leaf(t, istiotest.Root(istiotest.Spec{Name: "Web CA"}), "www.example.com"))
	}
	resets := func(t *testing.T, _ *istiotest.Fleet) netip.AddrPort { return probetest.Closes(t) }
	for name, c := range map[string]struct {
		annotations map[string]string
		west        func(*testing.T, *istiotest.Fleet) netip.AddrPort
		from        facts.Vantage
		want        []string
		evidence    int // of the first
		unknown     bool
	}{
		"it ends TLS":                      {ends, web, pod, []string{"GW014 error west"}, 2, false},
		"it does not end TLS":              {ends, works, pod, nil, 0, false},
		"it resets for another reason":     {ends, resets, pod, []string{"GW013 error west < GW014", "GW014 error west"}, 1, false},
		"something else ends TLS":          {nil, web, pod, []string{"GW037 error west"}, 1, false},
		"the gateway takes the header":     {heads, works, pod, nil, 0, false},
		"the gateway takes no header":      {heads, resets, pod, []string{"GW013 error west < GW014", "GW014 error west"}, 1, false},
		"this machine sees that":           {heads, resets, facts.ThisMachine, []string{"GW013 warning west < GW014", "GW014 warning west"}, 1, false},
		"a header, and no connection":      {heads, func(t *testing.T, _ *istiotest.Fleet) netip.AddrPort { return probetest.Closed(t) }, pod, []string{"GW013 error west"}, 1, true},
		"a web server that has the header": {heads, web, pod, []string{"GW037 error west"}, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := real(t, c.west)
			f.Get("west").Network.Gateway.Annotations = c.annotations
			fleet := f.Facts()
			r := network.Verify(fleet, network.Options{Trials: try(t, fleet, c.from, false)})
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
	const far = "192.168.7.5"
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
		"not tried":                    {nil, false, []string{"GW015 warning west"}},
		"this machine reaches one":     {[]facts.Vantage{facts.ThisMachine}, false, []string{"GW013 warning west < GW015", "GW015 warning west"}},
		"this machine reaches both":    {[]facts.Vantage{facts.ThisMachine}, true, []string{"GW015 warning west"}},
		"one network reaches one":      {[]facts.Vantage{vantage("east")}, false, []string{"GW013 error west < GW015", "GW015 error west"}},
		"one network reaches both":     {[]facts.Vantage{vantage("east")}, true, []string{"GW015 warning west"}},
		"its own network reaches both": {[]facts.Vantage{vantage("west")}, true, []string{"GW015 warning west"}},
		"all networks reach both":      {[]facts.Vantage{vantage("east"), vantage("north")}, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := istiotest.Networked("east", "north", "west").Serve()
			at := probetest.Gateway(t, probetest.Leaf(t, f.Get("west").Signer, workload), istiotest.ServedName)
			f.Get("west").GatewayAt(at)
			f.Get("west").Network.Gateway.Status.LoadBalancer.Ingress = append(f.Get("west").Network.Gateway.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{IP: far})
			fleet := f.Facts()
			targets := targetsOf(fleet)
			targets = slices.DeleteFunc(targets, func(t network.Target) bool { return t.Cluster != "west" })
			attempts := make([][]facts.Attempt, len(targets))
			for i, target := range targets {
				for _, from := range c.from {
					p := target.Probe
					if p.Address == far {
						if p.Address, p.Port = at.Addr().String(), uint32(at.Port()); !c.reached {
							closed := probetest.Closed(t)
							p.Address, p.Port = closed.Addr().String(), uint32(closed.Port())
						}
					}
					a := probe.ThisMachine(30*time.Second).Try(t.Context(), []facts.Probe{p})[0][0]
					a.Probe, a.IP, a.From = target.Probe, target.Address, from
					attempts[i] = append(attempts[i], a)
				}
			}
			trials := network.Trials(fleet, targets, attempts, certs.Roots(fleet), time.Now())
			if diff := cmp.Diff(c.want, istiotest.Summarize(network.Verify(fleet, network.Options{Trials: trials}))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
