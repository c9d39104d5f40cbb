package network

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
)

// The list of gateways says what came of a host name, and to where it leads.
func TestHostnamesInTheList(t *testing.T) {
	const host = "west-1234.elb.example.com"
	for name, c := range map[string]struct {
		options       Options
		status, where string
	}{
		"not tried":    {Options{}, "host name not tried", host},
		"not answered": {Options{Hosts: map[string][]string{}, HostFailures: map[string]string{host: "no name server answered in time"}}, "host name not answered", host},
		"no such name": {Options{Hosts: map[string][]string{host: nil}}, "host name unresolved", host},
		"loopback":     {Options{Hosts: map[string][]string{host: {"127.0.0.1"}}}, "host name misleads", host + " (127.0.0.1)"},
		"private":      {Options{Hosts: map[string][]string{host: {"10.0.0.1"}}}, "ok", host + " (10.0.0.1)"},
		"public":       {Options{Hosts: map[string][]string{host: {"198.51.100.1", "198.51.100.2"}}}, "ok", host + " (198.51.100.1, 198.51.100.2)"},
	} {
		t.Run(name, func(t *testing.T) {
			l := List(istiotest.HostnameGateways().Facts(), c.options)
			got := l.Gateways[1]
			if got.Cluster != "west" || got.Status != c.status || got.Where() != c.where {
				t.Errorf("%s: %s at %s", got.Cluster, got.Status, got.Where())
			}
		})
	}
}

func TestHostnameFindings(t *testing.T) {
	const host = "west-1234.elb.example.com"
	for name, c := range map[string]struct {
		hosts     map[string][]string
		ignored   bool
		title     string
		evidence  string
		lastOfFix string
	}{
		"no such name": {
			map[string][]string{host: nil}, false, "the gateway's host name is not known to this machine",
			host + " does not exist, seen from this machine", "kubectl --context=east -n istio-system logs deployment/istiod --since=1h",
		},
		"loopback": {
			map[string][]string{host: {"127.0.0.1"}}, false, "the gateway's host name leads to an address that no other machine reaches",
			host + ": 127.0.0.1, seen from this machine", "kubectl --context=east -n istio-system logs deployment/istiod --since=1h",
		},
		"private": {
			map[string][]string{host: {"192.168.1.1"}}, false, "the gateway's host name leads to a private address",
			host + ": 192.168.1.1, seen from this machine", "Give the load balancer a public address, unless the networks are connected: then do nothing.",
		},
		"ignored": {
			map[string][]string{host: {"198.51.100.1"}}, true, "the control plane ignores the gateway's host name",
			"false: host name " + host + " does not count", "kubectl --context=east -n istio-system set env deployment/istiod RESOLVE_HOSTNAME_GATEWAYS-",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := istiotest.HostnameGateways()
			if c.ignored {
				for _, cluster := range f.Clusters {
					cluster.Env[istio.EnvResolveHostnames] = "false"
				}
			}
			hosts := map[string][]string{"east-1234.elb.example.com": {"198.51.100.9"}, host: c.hosts[host]}
			for _, found := range Verify(f.Facts(), Options{Hosts: hosts}).Findings {
				if found.Code != "GW003" || found.Clusters[0] != "west" {
					continue
				}
				complete(t, found)
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

func TestHostnamesOfAFleet(t *testing.T) {
	named := istiotest.Networked("east", "west")
	named.Get("east").MeshNetworks = "networks:\n  network2:\n    endpoints: [{fromRegistry: west}]\n    gateways: [{address: gateway.example.com, port: 15443}]\n"
	for name, c := range map[string]struct {
		fleet *facts.Fleet
		want  []string
	}{
		"host names":    {istiotest.HostnameGateways().Facts(), []string{"east-1234.elb.example.com", "west-1234.elb.example.com"}},
		"addresses":     {istiotest.Networked("east", "west").Facts(), nil},
		"mesh networks": {named.Facts(), []string{"gateway.example.com"}},
		"nothing":       {&facts.Fleet{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, append([]string(nil), Hostnames(c.fleet)...)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
