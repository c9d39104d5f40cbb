package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/golden"
	probes "github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

// What a person sees of each outcome, on a terminal and in full.
func TestProbeTable(t *testing.T) {
	gateway := finding.In("service", "istio-system", "istio-eastwestgateway")
	const name = "outbound_.5000_._.helloworld.sample.svc.cluster.local"
	workload := &probes.ShownCertificate{Identity: "spiffe://cluster.local/ns/sample/sa/helloworld", Issuer: "CN=Intermediate CA west,O=Istio"}
	web := &probes.ShownCertificate{DNSNames: []string{"www.example.com"}, Issuer: "CN=Web CA"}
	trial := func(cluster, network_, address string, result probes.Verdict, detail string, ms probes.Milliseconds) probes.Trial {
		return probes.Trial{Purpose: probes.Requests, Cluster: cluster, Network: network_, Object: gateway, Address: address, Port: 15443, ServerName: name, From: "this machine", Result: result, Detail: detail, Milliseconds: ms}
	}
	trials := probes.Trials{
		trial("east", "network1", "203.0.113.10", probes.Trusted, "by north and west", probes.Milliseconds{Connect: 11.2, TLS: 23.4}),
		trial("west", "network2", "203.0.113.11", probes.OtherRoot, "east has no root for "+workload.Describe(), probes.Milliseconds{Connect: 9, TLS: 12}),
		trial("west", "network2", "203.0.113.12", probes.NotMesh, "it refuses TLS: no application protocol; its certificate is "+web.Describe(), probes.Milliseconds{Connect: 0.4, TLS: 0.5}),
		trial("west", "network2", "203.0.113.13", probes.NotMesh, "it answers in plain text: HTTP/1.1 400 Bad Request", probes.Milliseconds{Connect: 0.4, TLS: 0.3}),
		trial("north", "network3", "203.0.113.14", probes.Refused, "", probes.Milliseconds{Connect: 30}),
		trial("north", "network3", "203.0.113.15", probes.TimedOut, "a firewall?", probes.Milliseconds{Connect: 5000}),
		trial("north", "network3", "203.0.113.16", probes.Reset, "it accepts connections, and closes them without an answer to TLS", probes.Milliseconds{Connect: 10, TLS: 10}),
		trial("north", "network3", "k8s-istiosys-istioeas-0123456789-0123456789abcdef.elb.eu-west-1.example.com", probes.Unresolved, "there is no such name", probes.Milliseconds{Name: 3}),
	}
	long := trials[7:]
	trials = trials[:7:7]
	trials[1].Certificate, trials[2].Certificate = workload, web
	pod := trial("west", "network2", "203.0.113.11", probes.Reachable, "what it is was not seen: curl cannot ask for the protocol of the mesh", probes.Milliseconds{})
	pod.From, pod.Tool = "pod shop/cart-6d5c8b9f7-x2x4z of east", "curl"
	resolved := pod
	resolved.Address, resolved.IP = "gw.example.com", "10.0.0.1"
	direct := trial("west", "network2", "10.1.0.10", probes.NotDirect, "as usual between networks: timed out", probes.Milliseconds{})
	direct.From, direct.Tool, direct.Purpose, direct.Object, direct.Port = pod.From, "openssl", probes.PodToPod, finding.In("pod", "sample", "helloworld-5d5c8b9f7-00000"), 5000
	plane := trial("west", "network2", "203.0.113.11", probes.Trusted, "by proxies of east", probes.Milliseconds{})
	plane.From, plane.Tool, plane.Purpose, plane.For, plane.Port = pod.From, "openssl", probes.Discovery, "east", 15012
	trials = append(trials, pod, resolved, plane, direct)
	for name, c := range map[string]struct {
		trials        probes.Trials
		width         int
		headers, wide bool
	}{
		"terminal": {trials, 80, true, false}, "bare": {trials, 80, false, false}, "long": {slices.Concat(trials[:2], long), 80, true, false},
		"well": {trials[:1], 80, true, false}, "pipe": {slices.Concat(trials, long), 0, true, false}, "wide": {slices.Concat(trials, long), 0, true, true},
	} {
		var out bytes.Buffer
		if err := probeTable(report.NewPage(&out, false, c.width, c.headers), c.trials, c.wide); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if c.width > 0 && len(line) > c.width+1 && strings.Contains(line, " ") { // an address is never broken
				t.Errorf("%s is %d columns wide: %s", name, len(line)-1, line)
			}
		}
		golden.Compare(t, "probe/"+name+".txt", out.String())
	}
}
