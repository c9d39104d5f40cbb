package main

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/golden"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	probes "github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/plugintest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/probetest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

func TestScreens(t *testing.T) {
	plugintest.Screens(t, plugin, documents, "verify", "gateways", "labels", "map")
}

// The gateways of a fleet are really there: nothing listens at that of the second cluster, and a web server
// at that of the last. How long they take differs from run to run, so that TestScreensOfTrials has what it
// looks like.
func TestScreensOfProbe(t *testing.T) {
	plugintest.Sizes(t, plugin, "probe --connect", func(size int) *facts.Fleet {
		f := istiotest.Networked(plugintest.Names(size)...).Serve()
		web := probetest.HTTPS(t, probetest.Leaf(t, istiotest.Root(istiotest.Spec{Name: "Web CA"}), "www.example.com"))
		for i, c := range f.Clusters {
			switch i {
			case 1:
				c.GatewayAt(probetest.Closed(t))
			case len(f.Clusters) - 1:
				c.GatewayAt(web)
			default:
				c.GatewayAt(probetest.Gateway(t, probetest.Leaf(t, c.Signer, "spiffe://cluster.local/ns/sample/sa/helloworld"), istiotest.ServedName))
			}
		}
		return f.Facts()
	}, nil)
}

// What is seen of gateways of 2, 12 and 50 clusters, with two faults, and where this machine reaches none.
func TestScreensOfTrials(t *testing.T) {
	for _, size := range []int{2, 12, 50} {
		var faulty, silent probes.Trials
		for i := range size {
			trial := probes.Trial{
				Purpose: probes.Requests, Cluster: fmt.Sprintf("prod-%02d", i+1), Network: fmt.Sprintf("network%d", i+1), From: "this machine",
				Address: fmt.Sprintf("203.0.113.%d", i+1), Port: 15443, Result: probes.Trusted, Detail: "by prod-01, prod-02, prod-03 and 8 more",
				Milliseconds: probes.Milliseconds{Connect: 11, TLS: 23},
			}
			switch i {
			case 1:
				trial.Result, trial.Detail = probes.Refused, ""
			case size - 2:
				trial.Result, trial.Detail = probes.OtherRoot, "prod-01 has no root for spiffe://cluster.local/ns/sample/sa/cart, issued by CN=Other"
			}
			faulty = append(faulty, trial)
			trial.Result, trial.Detail, trial.Milliseconds = probes.TimedOut, "a firewall?", probes.Milliseconds{Connect: 5000}
			silent = append(silent, trial)
		}
		for name, trials := range map[string]probes.Trials{"probe": faulty, "probe-silent": silent} {
			for _, columns := range []int{80, 120} {
				var out bytes.Buffer
				if err := probeTable(report.NewPage(&out, false, columns, true), trials, false); err != nil {
					t.Fatal(err)
				}
				golden.Compare(t, fmt.Sprintf("screens/%s-%d-%d.txt", name, size, columns), out.String())
			}
		}
	}
}

func TestHelp(t *testing.T) {
	plugintest.Helped(t, plugin, "verify", "gateways", "labels", "map", "probe")
}
