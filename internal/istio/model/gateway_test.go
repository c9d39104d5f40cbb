package model

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
)

// What a control plane makes of who is where.
func TestDemand(t *testing.T) {
	m := New(istiotest.Networked("east", "west").Facts(), Options{})
	east, west := m.Cluster("east"), m.Cluster("west")
	demand := m.ControlPlanes[0].Demand()
	if n := demand.Endpoints["network2"]; n[west] == 0 || n[east] != 0 {
		t.Errorf("endpoints on network2: %v", n)
	}
	if n := demand.Clients["network1"][east]; n == 0 || n != demand.Sidecars["network1"][east] {
		t.Errorf("clients of east: %d", n)
	}
	if n := demand.Clients["network2"]; len(n) > 0 {
		t.Errorf("istiod of east does not configure %v", n)
	}
	if off := demand.Clients.Off("network2"); len(off) != 1 || off[east] != demand.Clients["network1"][east] {
		t.Errorf("clients that are not on network2: %v", off)
	}
	if len(demand.Ambient)+len(demand.AmbientEndpoints) > 0 {
		t.Errorf("nothing is ambient: %v", demand)
	}
}

func TestLookUp(t *testing.T) {
	const host = "west-1234.elb.example.com"
	for name, c := range map[string]struct {
		hosts map[string][]string
		what  string
		want  []HostState
	}{
		"an address":    {nil, "203.0.113.1", nil},
		"not asked":     {nil, host, []HostState{HostUnknown}},
		"not answered":  {map[string][]string{}, host, []HostState{HostUnknown}},
		"no such name":  {map[string][]string{host: nil}, host, []HostState{HostMissing}},
		"all addresses": {map[string][]string{host: {"127.0.0.1", "10.1.2.3", "198.51.100.1"}}, host, []HostState{HostLocal, HostPrivate, HostPublic}},
	} {
		t.Run(name, func(t *testing.T) {
			m := New(istiotest.HostnameGateways().Facts(), Options{Hosts: c.hosts})
			var got []HostState
			for _, h := range m.ControlPlanes[0].LookUp(c.what) {
				got = append(got, h.State)
				if (h.State == HostUnknown) != (h.Why.Text != "") {
					t.Errorf("%s: %q", h.State, h.Why.Text)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestGatewayAddresses(t *testing.T) {
	f := istiotest.Networked("east", "west")
	cp := New(f.Facts(), Options{}).ControlPlanes[0]
	if shared := cp.SharedAddresses(); len(shared) > 0 {
		t.Errorf("%+v", shared)
	}
	if unheld := cp.UnheldAddresses(); len(unheld) > 0 {
		t.Errorf("%+v", unheld)
	}
	f.Get("west").Network.Gateway.Status.LoadBalancer.Ingress[0].IP = f.Get("east").Network.Gateway.Status.LoadBalancer.Ingress[0].IP
	shared := New(f.Facts(), Options{}).ControlPlanes[0].SharedAddresses()
	if len(shared) != 1 || !cmp.Equal(shared[0].Networks, []string{"network1", "network2"}) || len(shared[0].Holders) != 2 {
		t.Errorf("%+v", shared)
	}
	f = istiotest.Networked("east", "west")
	f.Get("east").MeshNetworks = "networks:\n  network2:\n    endpoints: [{fromRegistry: west}]\n" +
		"    gateways: [{address: 203.0.113.99, port: 15443}]\n"
	unheld := New(f.Facts(), Options{}).ControlPlanes[0].UnheldAddresses()
	if len(unheld) != 1 || unheld[0].Address != "203.0.113.99" || unheld[0].Network != "network2" {
		t.Errorf("%+v", unheld)
	}
}

// A Service that looks like a gateway can be asked as if it were one.
func TestAsGateway(t *testing.T) {
	f := istiotest.Networked("east", "west")
	west := New(f.Facts(), Options{}).Cluster("west")
	g := west.NetworkGateways()[0]
	as := west.AsGateway(g.Service, "network3")
	if as.Network != "network3" || as.Accidental || len(as.Pods) != len(g.Pods) || len(as.KnownTo()) > 0 || as.Port() != g.Port() {
		t.Errorf("%+v", as)
	}
	if g.Object().String() != "service istio-system/istio-eastwestgateway" || len(g.PodsElsewhere()) > 0 || g.IsAlone() || g.LacksPorts() {
		t.Errorf("%s", g.Object())
	}
	var applies int
	for _, l := range g.Listeners(west.ControlPlanes[0], g.Port()) {
		if l.Applies() && l.Mode() == AutoPassthrough && l.CoversMesh() {
			applies++
		}
	}
	if applies != 1 {
		t.Errorf("%d listeners", applies)
	}
}
