package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"

	"github.com/kubectl-mesh/kubectl-mesh/internal/golden"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/proxies"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

// oneOfEach is a listing with every kind of row and remark.
func oneOfEach() proxies.Listing {
	settings := func(priority uint32, health string, flags ...string) *proxies.Settings {
		return &proxies.Settings{Locality: "eu-west-1/eu-west-1a", Priority: priority, Weight: 1, Health: health, Flags: flags, MTLS: true}
	}
	plain := &proxies.Settings{Weight: 1, Health: "HEALTHY"}
	backends := []proxies.Backend{{Cluster: "west", Address: "10.2.0.5", Port: 8080, Pod: "shop/cart-5d5c8b9f7-x2x4z"}, {Cluster: "west", Address: "10.2.0.6", Port: 8080}}
	withheld := func(n int, reason, detail string) (out []proxies.Withheld) {
		for i := range n {
			out = append(out, proxies.Withheld{Backend: proxies.Backend{Cluster: "north", Address: "10.3.0.5", Port: 8080, Pod: fmt.Sprintf("shop/cart-%d", i)}, Reason: reason, Detail: detail})
		}
		return out
	}
	return proxies.Listing{Namespace: "shop", Service: "cart", Sources: []proxies.SourceListing{
		{Cluster: "east", Namespace: "shop", Pod: "client-7d9c5b6f4-8tq2x", Network: "net-east", ControlPlane: "east", Unread: []string{"north: nodes: forbidden"}, Destinations: []proxies.Destination{
			{Port: 80, PortName: "http", Verdict: proxies.Different, Endpoints: []proxies.Endpoint{
				{Address: "10.1.0.5", Port: 8080, Verdict: proxies.Same, Kind: proxies.Pod, Cluster: "east", Network: "net-east", Pod: "shop/cart-5d5c8b9f7-k8s6w", Route: "on the network of the proxy", Expected: settings(0, "HEALTHY"), Actual: settings(0, "HEALTHY")},
				{Address: "10.1.0.6", Port: 8080, Verdict: proxies.Different, Kind: proxies.Pod, Cluster: "east", Network: "net-east", Pod: "shop/cart-5d5c8b9f7-zz9zz", Route: "on the network of the proxy", Expected: settings(0, "HEALTHY"), Actual: settings(1, "UNHEALTHY"), Reason: "priority 1, expected 0; unhealthy, expected healthy"},
				{Address: "203.0.113.9", Port: 15443, Verdict: proxies.Same, Kind: proxies.Gateway, Cluster: "west", Network: "net-west", Behind: backends, Route: "through a gateway of its network", Expected: settings(1, "HEALTHY"), Actual: settings(1, "UNHEALTHY", "failed_outlier_check")},
				{Address: "203.0.113.10", Port: 15443, Verdict: proxies.Missing, Kind: proxies.Gateway, Cluster: "west", Network: "net-west", Behind: backends[:1], Expected: settings(1, "HEALTHY"), Reason: "the proxy does not have it"},
				{Address: "10.9.0.1", Port: 8080, Verdict: proxies.Unexpected, Kind: proxies.Other, Actual: plain, Reason: "no pod and no gateway that could be read has this address"},
				{Address: "gateway.eu-west-1.elb.example", Port: 15443, Verdict: proxies.Unknown, Kind: proxies.Gateway, Cluster: "south", Network: "net-south", Expected: settings(1, "HEALTHY"), Reason: "its addresses could not be found from this machine"},
			}, Withheld: append(withheld(5, "it is behind a gateway, and does not take mutual TLS", "label security.istio.io/tlsMode is disabled"), withheld(1, "it is not ready", "")...)},
			{Port: 5432, Verdict: proxies.Same, Note: "the service is headless: sidecars send to whichever pod the client asks for, and never through a gateway"},
			{Port: 9000, PortName: "grpc", Verdict: proxies.Unknown, Endpoints: []proxies.Endpoint{{Address: "10.1.0.5", Port: 9090, Verdict: proxies.Unexpected, Kind: proxies.Pod, Cluster: "east", Pod: "other/x\x1b[31m", Actual: &proxies.Settings{Weight: 1, Health: "UNKNOWN", Tunnel: true}, Reason: "the pod is no longer an endpoint of the service"}}},
			{Port: 9100, Verdict: proxies.Same},
		}},
		{Cluster: "west", Namespace: "shop", Pod: "client-0", Unknown: "to reach into pods is forbidden (pods/portforward)", Destinations: []proxies.Destination{
			{Port: 80, PortName: "http", Verdict: proxies.Unknown, Endpoints: []proxies.Endpoint{
				{Address: "10.2.0.5", Port: 8080, Verdict: proxies.Unknown, Kind: proxies.Pod, Cluster: "west", Pod: "shop/cart-0", Expected: settings(0, "HEALTHY")},
			}},
		}},
	}}
}

func TestListView(t *testing.T) {
	for name, c := range map[string]struct {
		width       int
		color, wide bool
	}{"list-80.txt": {80, false, false}, "list-pipe.txt": {0, false, false}, "list-color.txt": {80, true, false}, "list-wide.txt": {0, false, true}} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := listTables(report.NewPage(&out, c.color, c.width, true), oneOfEach(), c.wide); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(out.String(), "\x1b[31mx") || !c.color && strings.Contains(out.String(), "\x1b") {
				t.Error("what a cluster says reaches the terminal")
			}
			for line := range strings.Lines(out.String()) {
				if width := runewidth.StringWidth(strings.TrimSuffix(line, "\n")); c.width > 0 && !c.color && width > c.width {
					t.Errorf("%d columns: %s", width, line)
				}
			}
			golden.Compare(t, name, out.String())
		})
	}
}

func TestListSummary(t *testing.T) {
	l := oneOfEach()
	same := []proxies.Destination{{Verdict: proxies.Same}}
	for want, sources := range map[string][]proxies.SourceListing{
		"cart.shop, 2 sources: not as expected for east/shop/client-7d9c5b6f4-8tq2x; 1 not known": l.Sources,
		"cart.shop, 1 source: not known whether it is as expected":                                l.Sources[1:],
		"cart.shop, 1 source: as expected":                                                        {{Destinations: same}},
		"cart.shop, 2 sources: 1 as expected, 1 not known":                                        {{Destinations: same}, l.Sources[1]},
	} {
		l.Sources = sources
		if got := listSummary(l); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}
