package model

import (
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Whose the proxies of west are.
func TestManagedBy(t *testing.T) {
	for name, c := range map[string]struct {
		names  []string
		change func(f *istiotest.Fleet)
		facts  func(f *facts.Fleet)
		want   string
		watch  bool // it is watched by the control plane that manages it
	}{
		"its own":               {nil, func(*istiotest.Fleet) {}, nil, "west", true},
		"one that watches it":   {nil, func(f *istiotest.Fleet) { f.Get("west").NoControlPlane(f.Get("east")) }, nil, "east", true},
		"the only one":          {nil, alone, nil, "east", false},
		"the one that is named": {[]string{"a", "east", "west"}, alone, nil, "east", false},
		"none of several": {[]string{"a", "east", "west"}, func(f *istiotest.Fleet) {
			alone(f)
			f.Get("west").SystemAnnotations = nil
		}, nil, "", false},
		"deployments not read": {nil, func(*istiotest.Fleet) {}, func(f *facts.Fleet) {
			resources.Istiods.Set(&f.Clusters[1], facts.Read[[]appsv1.Deployment]{})
		}, "", false},
		"nothing that injects": {nil, alone, func(f *facts.Fleet) { resources.Webhooks.Edit(&f.Clusters[1]).Value = nil }, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			if c.names == nil {
				c.names = []string{"east", "west"}
			}
			f := istiotest.Networked(c.names...)
			c.change(f)
			fleet := f.Facts()
			if c.facts != nil {
				c.facts(fleet)
			}
			m := New(fleet, Options{})
			west := m.Cluster("west")
			cp := west.ManagedBy()
			if (cp == nil) != (c.want == "") || cp != nil && cp.Context != c.want {
				t.Fatalf("managed by %v", cp)
			}
			if got := cp != nil && slices.Contains(west.ConfiguredBy(), cp); got != c.watch {
				t.Errorf("configured by %v", west.ConfiguredBy())
			}
		})
	}
}

// alone makes west a remote cluster of east that nobody watches.
func alone(f *istiotest.Fleet) {
	f.Get("west").NoControlPlane(f.Get("east"))
	for _, c := range f.Clusters {
		c.Remotes = nil
	}
}

// A cluster that is watched by two names is one cluster, by the first of them.
func TestTwoNames(t *testing.T) {
	for _, c := range istiotest.RemoteFaults {
		if c.Name != "one cluster by two names" {
			continue
		}
		fleet, seen := c.Make()
		m := New(fleet, Options{Seen: seen})
		cp, west := m.Cluster("east").ControlPlanes[0], m.Cluster("west")
		if id, ok := cp.NameOf(west); !ok || id != "west" || !slices.Equal(cp.Names(west), []string{"west", "other"}) ||
			cp.ClusterOf("other") != west {
			t.Errorf("%q, %v", id, cp.Names(west))
		}
		if len(west.WatchedBy) != 2 || len(cp.WatchedClusters()) != 2 || cp.IDOf(m.Cluster("east")) != "east" {
			t.Errorf("watched by %v", west.WatchedBy)
		}
		if other := m.Cluster("east").Remotes[1]; other.Misnamed() != OtherName || m.Cluster("east").Remotes[0].Misnamed() != "" {
			t.Errorf("%+v", other)
		}
	}
}

// Indexes find what there is, and nothing else.
func TestIndexes(t *testing.T) {
	m := New(istiotest.Serving(istiotest.Networked("east", "west")).Facts(), Options{})
	c := m.Cluster("east")
	for i := range resources.Pods.Of(c.Cluster).Value {
		if p := &resources.Pods.Of(c.Cluster).Value[i]; c.Pod(p.Namespace, p.Name) != p || !slices.Contains(c.PodsIn(p.Namespace), p) {
			t.Errorf("%s", p.Name)
		}
	}
	if c.Service("sample", "helloworld") == nil || c.Service("sample", "none") != nil || c.Pod("sample", "none") != nil ||
		c.Namespace("none") != nil {
		t.Errorf("an index is wrong")
	}
	if len(c.Slices("sample", "helloworld")) != 1 || len(c.SelectedPods(c.Service("sample", "helloworld"))) != 2 {
		t.Errorf("slices %v", c.Slices("sample", "helloworld"))
	}
	if p := c.Client("network1", "none"); p == nil || p.Namespace != "sample" || c.Client("network9", "sample") != nil {
		t.Errorf("client %v", p)
	}
	if m.Named("east") != c || m.Named("none") != nil || m.Named("") != nil || c.IPv6Only() {
		t.Errorf("named")
	}
	if cp := c.ControlPlanes[0]; cp.PodNetwork(c, c.ProxyPods()[0]) != "network1" || len(cp.RegistryNetworks(c)) > 0 || c.OnlyInjects() {
		t.Errorf("network")
	}
	if c.Installed()[0].Name != "istiod" || !c.IsOwnID("east") || c.IsOwnID(istio.DefaultClusterID) || len(c.Roots()) != 1 ||
		!c.SharesRoot(m.Cluster("west")) {
		t.Errorf("cluster")
	}
}
