package gateways_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ruletest"
)

const (
	eastHost = "east-1234.elb.example.com"
	westHost = "west-1234.elb.example.com"
)

// Where host names lead is seen by control planes, and here only if it was tried.
func TestHostNames(t *testing.T) {
	good := []string{"198.51.100.1"}
	for name, c := range map[string]struct {
		hosts   map[string][]string
		want    []string
		unknown []finding.Code
	}{
		"not tried":  {nil, nil, []finding.Code{"GW003"}},
		"no answer":  {map[string][]string{eastHost: good}, nil, []finding.Code{"GW003"}},
		"no network": {map[string][]string{}, nil, []finding.Code{"GW003"}},
		"resolved":   {map[string][]string{eastHost: good, westHost: {"198.51.100.2", "198.51.100.3"}}, nil, nil},
		"one does not resolve": {
			map[string][]string{eastHost: good, westHost: nil}, []string{"GW003 warning west"}, nil,
		},
		"private": {
			map[string][]string{eastHost: good, westHost: {"10.0.0.1", "100.64.0.1", "fd00::1"}}, []string{"GW003 note west"}, nil,
		},
		"private and loopback": {
			map[string][]string{eastHost: good, westHost: {"10.0.0.1", "::1"}}, []string{"GW003 error west"}, nil,
		},
		"loopback": {map[string][]string{eastHost: good, westHost: {"127.0.0.1"}}, []string{"GW003 error west"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := area().Run(t, istiotest.HostnameGateways().Facts(), model.Options{Hosts: c.hosts})
			if diff := cmp.Diff(c.want, istiotest.Summarize(r)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.unknown, ruletest.Unchecked(r, "west")); diff != "" {
				t.Errorf("not checked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHostNameFindings(t *testing.T) {
	const logs = "kubectl --context=east -n istio-system logs deployment/istiod --since=1h"
	for name, c := range map[string]struct {
		addresses []string
		ignored   bool
		title     string
		evidence  string
		lastOfFix string
	}{
		"no such name": {
			nil, false, "this machine cannot resolve the gateway's host name", westHost + " does not exist, seen from this machine", logs,
		},
		"loopback": {
			[]string{"127.0.0.1"}, false, "the gateway's host name leads to an address that no other machine reaches",
			westHost + ": 127.0.0.1, seen from this machine", logs,
		},
		"private": {
			[]string{"192.168.1.1"}, false, "the gateway's host name leads to a private address",
			westHost + ": 192.168.1.1, seen from this machine",
			"Give the load balancer a public address, unless the networks are connected: then do nothing.",
		},
		"ignored": {
			[]string{"198.51.100.1"}, true, "the control plane ignores the gateway's host name",
			"false: istiod ignores host name " + westHost,
			"kubectl --context=west -n istio-system set env deployment/istiod RESOLVE_HOSTNAME_GATEWAYS-",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := istiotest.HostnameGateways()
			if c.ignored {
				for _, cluster := range f.Clusters {
					cluster.Env[istio.EnvResolveHostnames] = "false"
				}
			}
			hosts := map[string][]string{eastHost: {"198.51.100.9"}, westHost: c.addresses}
			r := area().Run(t, f.Facts(), model.Options{Hosts: hosts})
			ruletest.Complete(t, r)
			for _, found := range r.Findings {
				if found.Code != "GW003" || found.Clusters[0] != "west" {
					continue
				}
				last := found.Fix[len(found.Fix)-1]
				text := last.Say
				if n := len(last.Run); n > 0 {
					text = last.Run[n-1].String()
				}
				got := []string{found.Title, found.Evidence[0].Value, text}
				if diff := cmp.Diff([]string{c.title, c.evidence, c.lastOfFix}, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				return
			}
			t.Error("nothing was found")
		})
	}
}
