package views_test

import (
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/views"
)

// The list of gateways says what came of a host name, and to where it leads.
func TestHostnamesInTheList(t *testing.T) {
	const host = "west-1234.elb.example.com"
	for name, c := range map[string]struct {
		options       model.Options
		status, where string
	}{
		"not tried": {model.Options{}, "host name not tried", host},
		"not answered": {
			model.Options{Hosts: map[string][]string{}, HostFailures: map[string]string{host: "no name server answered in time"}},
			"host name not answered", host,
		},
		"no such name": {model.Options{Hosts: map[string][]string{host: nil}}, "host name unresolved", host},
		"loopback":     {model.Options{Hosts: map[string][]string{host: {"127.0.0.1"}}}, "host name misleads", host + " (127.0.0.1)"},
		"private":      {model.Options{Hosts: map[string][]string{host: {"10.0.0.1"}}}, "ok", host + " (10.0.0.1)"},
		"public": {
			model.Options{Hosts: map[string][]string{host: {"198.51.100.1", "198.51.100.2"}}}, "ok", host + " (198.51.100.1, 198.51.100.2)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := model.New(istiotest.HostnameGateways().Facts(), c.options)
			got := views.Gateways(m, found(m)).Gateways[1]
			if got.Cluster != "west" || got.Status != c.status || got.Where() != c.where {
				t.Errorf("%s: %s at %s", got.Cluster, got.Status, got.Where())
			}
		})
	}
}

// For each fault of a fleet the list says what is wrong with which gateway, and with no
// other one.
func TestStatusesOfFaults(t *testing.T) {
	for _, c := range istiotest.NetworkFaults {
		m := model.New(c.Fleet().Facts(), model.Options{})
		for _, g := range views.Gateways(m, found(m)).Gateways {
			if (g.Status == views.StatusOK) != (g.Severity == "") {
				t.Errorf("%s: %s is %s, of severity %q", c.Name, g.ID(), g.Status, g.Severity)
			}
		}
	}
}
