package probing_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/topology"
)

func TestHostnamesOfAFleet(t *testing.T) {
	named := istiotest.Networked("east", "west")
	named.Get("east").MeshNetworks = "networks:\n  network2:\n    endpoints: [{fromRegistry: west}]\n" +
		"    gateways: [{address: gateway.example.com, port: 15443}]\n"
	for name, c := range map[string]struct {
		fleet *facts.Fleet
		want  []string
	}{
		"host names":   {istiotest.HostnameGateways().Facts(), []string{"east-1234.elb.example.com", "west-1234.elb.example.com"}},
		"addresses":    {istiotest.Networked("east", "west").Facts(), nil},
		"meshNetworks": {named.Facts(), []string{"gateway.example.com"}},
		"nothing":      {&facts.Fleet{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := probing.Hostnames(model.New(c.fleet, model.Options{}))
			if diff := cmp.Diff(c.want, append([]string(nil), got...)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever a fleet consists of, what is to be tried can be.
func TestTargetsOfRandomFleets(t *testing.T) {
	for seed := range uint64(300) {
		f := topology.Draw(seed)
		for _, target := range probing.Targets(model.New(f.Facts(), model.Options{Hosts: f.Hosts})) {
			if target.Address == "" || target.Port == 0 || (target.Protocol == "") != (target.Blind != "") {
				t.Errorf("seed %d: target %+v", seed, target)
			}
		}
	}
}
