package main

import (
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/glootest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/linkerdtest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/plugintest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/probetest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kubectl-mesh_network": main})
}

// TestScripts runs the plugin as people do, on recorded fleets, and on fleets whose
// gateways are really there.
func TestScripts(t *testing.T) {
	gloo := glootest.Dumps(t, map[string]string{
		"pending": "the load balancer is pending", "old": "an old address in a client's cluster", "agentless": "no agent is known",
		"unregistered": "no kubeconfig, and nothing is written",
	})
	plugintest.Scripts(t, "testdata/fleets", realFleets(t), gloo, triedGloo(t),
		linkerdtest.Dumps(t, "01-healthy", "09-gateway-pending", "43-healthy-gatewayless-link"))
}

// realFleets writes fleets of east, whose gateway is as it should be, and west. The
// folder holds a fleet for each thing that can be at west's address.
func realFleets(t *testing.T) string {
	t.Helper()
	const workload = "spiffe://cluster.local/ns/sample/sa/helloworld"
	gateway := func(a *istiotest.Authority, name string) netip.AddrPort {
		return probetest.Gateway(t, probetest.Leaf(t, a, name), istiotest.ServedName)
	}
	folder := filepath.Join(t.TempDir(), "real")
	for name, west := range map[string]func(own *istiotest.Authority) netip.AddrPort{
		"trusted": func(own *istiotest.Authority) netip.AddrPort { return gateway(own, workload) },
		"otherroot": func(*istiotest.Authority) netip.AddrPort {
			return gateway(istiotest.Root(istiotest.Spec{Name: "Other"}), workload)
		},
		"web": func(*istiotest.Authority) netip.AddrPort {
			return probetest.HTTPS(t, probetest.Leaf(t, istiotest.Root(istiotest.Spec{Name: "Web CA"}), "www.example.com"))
		},
		"plain":  func(*istiotest.Authority) netip.AddrPort { return probetest.HTTP(t) },
		"closed": func(*istiotest.Authority) netip.AddrPort { return probetest.Closed(t) },
		"reset":  func(*istiotest.Authority) netip.AddrPort { return probetest.Resets(t) },
		"silent": func(*istiotest.Authority) netip.AddrPort { return probetest.Silent(t) },
	} {
		f := istiotest.Networked("east", "west").Serve()
		east, w := f.Clusters[0], f.Clusters[1]
		east.GatewayAt(gateway(east.Signer, workload))
		w.GatewayAt(west(w.Signer))
		if err := dump.Write(filepath.Join(folder, name), f.Facts(), resources.All); err != nil {
			t.Fatal(err)
		}
	}
	for name, start := range map[string]func(primary *istiotest.Authority) netip.AddrPort{
		"istiod": func(primary *istiotest.Authority) netip.AddrPort {
			return probetest.Istiod(t, probetest.Leaf(t, primary, "istiod.istio-system.svc"))
		},
		"othername": func(primary *istiotest.Authority) netip.AddrPort {
			return probetest.Istiod(t, probetest.Leaf(t, primary, "istiod-canary.istio-system.svc"))
		},
		"noistiod": func(*istiotest.Authority) netip.AddrPort { return probetest.Closed(t) },
	} {
		f := istiotest.PrimaryAndRemote("east", "west").Serve()
		east, w := f.Clusters[0], f.Clusters[1]
		for _, c := range f.Clusters {
			c.GatewayAt(gateway(east.Signer, workload))
		}
		w.IstiodAt(start(east.Signer), start(east.Signer))
		if err := dump.Write(filepath.Join(folder, name), f.Facts(), resources.All); err != nil {
			t.Fatal(err)
		}
	}
	f := istiotest.Networked("east", "west").Serve()
	for _, c := range f.Clusters {
		c.GatewayAt(gateway(c.Signer, workload))
		c.Network.Gateway.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{Hostname: "localhost"}}
	}
	if err := dump.Write(filepath.Join(folder, "localhost"), f.Facts(), resources.All); err != nil {
		t.Fatal(err)
	}
	return folder
}

// triedGloo writes fleets of Gloo Mesh whose gateways are really there, but for that of west in one of them.
func triedGloo(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "tried")
	for _, name := range []string{"all", "closed"} {
		f := glootest.Healthy(glootest.Gloo11, "east", "west")
		for _, cluster := range []string{"east", "west"} {
			leaf := probetest.Leaf(t, f.Istio.Get(cluster).Signer, "spiffe://cluster.local/ns/shop/sa/reviews")
			at := probetest.Gateway(t, leaf, "outbound_.9080_._."+glootest.Host("reviews", "shop", cluster))
			if name == "closed" && cluster == "west" {
				at = probetest.Closed(t)
			}
			f.GatewayAt(cluster, at.Addr().String(), int(at.Port()))
		}
		f.Dump(t, filepath.Join(folder, name))
	}
	return folder
}

// documents are what -o json prints, by kind.
var documents = map[string]any{
	"Report": report.Report{}, "WhatIf": report.WhatIf{}, "GatewayList": gatewaysDocument{}, "NetworkLabels": labelsDocument{},
	"NetworkMap": mapDocument{}, "ProbeList": probeDocument{},
}

// Every field of a machine-readable document is described.
func TestOutputIsDocumented(t *testing.T) {
	plugintest.Documented(t, documents)
	plugintest.Published(t, documents)
}
