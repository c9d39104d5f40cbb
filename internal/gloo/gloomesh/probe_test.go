//go:build unix

package gloomesh_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/gloomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/glootest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/network"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/certs"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	istio "github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/probe"
	"github.com/kubectl-mesh/kubectl-mesh/internal/probetest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// dialer reaches servers of the test in the place of addresses.
type dialer map[string]netip.AddrPort

func (d dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, d[address].String())
}

// served is the name by which the gateway of west passes TLS on to a service.
const served = "outbound_.9080_._.reviews.shop.svc.west.global"

// The addresses that clients are given are really tried: what this machine sees is a warning, what a pod of a client's
// cluster sees an error, and what another pod of the gateway's own cluster sees nothing.
func TestProbes(t *testing.T) {
	workload := "spiffe://cluster.local/ns/shop/sa/reviews"
	gateway := func(signer *istiotest.Authority, name string) netip.AddrPort {
		return probetest.Gateway(t, probetest.Leaf(t, signer, workload), name)
	}
	for name, c := range map[string]struct {
		west func(*glootest.Fleet) netip.AddrPort
		slow bool
		want bool
	}{
		"a gateway":       {func(f *glootest.Fleet) netip.AddrPort { return gateway(f.Istio.Get(west).Signer, served) }, false, false},
		"another root":    {func(*glootest.Fleet) netip.AddrPort { return gateway(istiotest.Root(istiotest.Spec{}), served) }, false, true},
		"another service": {func(f *glootest.Fleet) netip.AddrPort { return gateway(f.Istio.Get(west).Signer, "another") }, false, true},
		"a web server":    {func(*glootest.Fleet) netip.AddrPort { return probetest.HTTP(t) }, false, true},
		"nothing":         {func(*glootest.Fleet) netip.AddrPort { return probetest.Closed(t) }, false, true},
		"a firewall":      {func(*glootest.Fleet) netip.AddrPort { return probetest.Unanswering(t) }, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := glootest.Healthy(glootest.Gloo11, east, west)
			there := c.west(f)
			fleet := f.Facts()
			targets := network.Targets(model.New(fleet))
			if len(targets) != 2 || targets[1].ServerName != served || targets[1].Address != glootest.Address(1) {
				t.Fatalf("%+v", targets)
			}
			wait := 30 * time.Second
			if c.slow {
				wait = 300 * time.Millisecond
			}
			net := probe.Network{Dialer: dialer{targets[1].String(): there}, Timeout: wait}
			for from, severity := range map[facts.Vantage]string{
				facts.ThisMachine: "warning",
				{Context: east, Namespace: "shop", Pod: "reviews-5d7f9c6b8-0", Container: "istio-proxy"}: "error",
				{Context: west, Namespace: "shop", Pod: "reviews-5d7f9c6b8-0", Container: "istio-proxy"}: "",
			} {
				attempts := net.Try(t.Context(), []facts.Probe{targets[1].Probe})
				for i := range attempts[0] {
					attempts[0][i].From = from
				}
				m := model.New(fleet)
				m.Trials = probing.NewTrials(istio.New(fleet, istio.Options{}), targets[1:], attempts, certs.Roots(fleet), time.Now())
				var want, got []string
				if c.want && severity != "" {
					want = []string{"NET210 " + severity + " " + mgmt}
				}
				for _, found := range gloomesh.Judge(m, rule.Options{
					Topics: []rule.Topic{probing.Topic}, Violated: func(s string) { t.Error(s) },
				}).Findings {
					got = append(got, summary(found))
					if !strings.Contains(found.Title, "the gateway of west at "+glootest.Address(1)+":15443") {
						t.Error(found.Title)
					}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("from %s (-want +got):\n%s", from, diff)
				}
			}
		})
	}
}

// Without a pod behind a service there is no name that TLS could ask for; on a flat network clients use no gateway.
func TestTargets(t *testing.T) {
	f := glootest.Healthy(glootest.Gloo11, east, west)
	f.Drop(west, "Pod", "reviews-5d7f9c6b8-0")
	targets := network.Targets(model.New(f.Facts()))
	if len(targets) != 2 || targets[1].Protocol != "" || targets[1].Blind == "" {
		t.Errorf("without a pod behind a service TLS would be tried: %+v", targets)
	}
	glootest.Set(f.Get(mgmt, "VirtualMesh", "vm"), "spec.federation.flatNetwork", true)
	if targets := network.Targets(model.New(f.Facts())); len(targets) > 0 {
		t.Errorf("on a flat network: %+v", targets)
	}
}
