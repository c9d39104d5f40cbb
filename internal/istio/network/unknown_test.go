package network_test

import (
	"fmt"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/topology"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

func TestNothingReadIsNothingFound(t *testing.T) {
	area().NothingRead(t, istiotest.Networked("east", "west").Facts(), resources.All)
}

func TestEachReadAlone(t *testing.T) {
	area().EachReadAlone(t, istiotest.NetworkHealthy, func(c *istiotest.Cluster, row resource.Resource) bool {
		// Pods there are injected from elsewhere, or are not of this mesh.
		return row == resource.Resource(resources.Injectors) && (c.Image == "" || c.Name == "other")
	})
}

func TestAnUnreachedClusterHidesNothingOfTheOthers(t *testing.T) {
	f := istiotest.Networked("east", "north", "west")
	f.Get("west").Network.Pods[0].Labels[istio.LabelNetwork] = "network1"
	area().Unreached(t, f.Facts(), "north", "NET003 error west")
}

// Of many pods there is one finding with a line for each workload.
func TestManyPodsAreOneFinding(t *testing.T) {
	f := istiotest.Networked("east", "west")
	west := f.Get("west")
	for i := range 400 {
		p := west.Network.Pods[2].DeepCopy()
		p.Name, p.Status.PodIP, p.Status.PodIPs = fmt.Sprintf("curl-5d5c8b9f7-1%04d", i), fmt.Sprintf("10.1.%d.%d", 10+i/200, i%200), nil
		istiotest.SetEnv(p, "ISTIO_META_NETWORK", "")
		west.Network.Pods = append(west.Network.Pods, p)
	}
	r := area().Run(t, f.Facts(), model.Options{})
	if len(r.Findings) != 1 || len(r.Findings[0].Evidence) != 2 || r.Findings[0].Evidence[0].Value != "no ISTIO_META_NETWORK, 400 pods" {
		t.Errorf("%+v", r.Findings)
	}
}

func TestRandomFleets(t *testing.T) {
	for seed := range uint64(300) {
		f := topology.Draw(seed)
		area().Steady(t, f.Facts(), model.Options{Hosts: f.Hosts})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// In a fleet that is drawn healthy nothing is found, and everything is checked.
func TestRandomHealthyFleets(t *testing.T) {
	for seed := range uint64(300) {
		r := area().Run(t, istiotest.RandomHealthy(seed).Facts(), model.Options{})
		if len(r.Findings)+len(r.Unknowns) > 0 {
			t.Errorf("seed %d: %v %+v %+v", seed, istiotest.Summarize(r), r.Findings, r.Unknowns)
		}
	}
}
