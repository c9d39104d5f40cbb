package controlplane_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/controlplane"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

type webhook = admissionv1.MutatingWebhookConfiguration

// overviewOf is the overview of a case.
func overviewOf(t *testing.T, name string) controlplane.Overview {
	t.Helper()
	for _, list := range [][]istiotest.ControlPlaneCase{istiotest.ControlPlaneHealthy, istiotest.ControlPlaneFaults} {
		for _, c := range list {
			if c.Name == name {
				f, seen := c.Make()
				return controlplane.NewOverview(model.New(f, model.Options{Seen: seen}))
			}
		}
	}
	t.Fatalf("there is no fleet %q", name)
	return controlplane.Overview{}
}

func TestOverview(t *testing.T) {
	share := func(good, all int) controlplane.Share { return controlplane.Share{Good: good, All: all, Known: true} }
	got := overviewOf(t, "one cluster").Clusters
	want := []controlplane.ClusterOverview{{
		Context: "east", Network: "network1", Istiod: []string{"1.29.1"}, Kubernetes: "1.34", Istiods: share(1, 1), Proxies: share(5, 5),
		Injected: share(5, 5), Namespaces: 2, Connected: share(5, 5), Versions: map[string]int{"1.29.1": 5}, Ztunnels: share(0, 0),
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	ambient := overviewOf(t, "a cluster in ambient mode").Clusters[0]
	if ambient.Ambient != 4 || ambient.Ztunnels != share(2, 2) || ambient.Proxies != share(1, 1) {
		t.Errorf("%+v", ambient)
	}
}

// What is said of an area where nothing, or something, is wrong.
func TestSays(t *testing.T) {
	for name, want := range map[string]map[finding.Area]string{
		"three clusters": {
			finding.ControlPlane: "3 of 3 istiods ready, no restart in 24 hours",
			finding.Versions:     "istiod 1.29.1 everywhere; 15 proxies of the same version",
			finding.Injection:    "15 of 15 pods have their proxy, in 6 namespaces",
			finding.Proxies:      "15 of 15 ready, 15 connected, none refuses what it is sent",
			finding.Trust:        "",
		},
		"a canary upgrade half way": {
			finding.ControlPlane: "2 of 3 istiods ready, no restart in 24 hours",
			finding.Versions:     "istiod 1.29.1 and 1.30.0; 5 proxies of the same version",
		},
		"istiod was restarted once":          {finding.ControlPlane: "1 of 1 istiod ready, 1 restart in 24 hours"},
		"proxies three releases behind":      {finding.Versions: "istiod 1.29.1; of 5 proxies 1 have 1.26.2"},
		"a pod without its proxy":            {finding.Injection: "4 of 5 pods have their proxy, in 2 namespaces"},
		"a proxy that refuses its listeners": {finding.Proxies: "5 of 5 ready, 5 connected, 1 refuse what they are sent"},
		"proxies that are not ready":         {finding.Proxies: "4 of 5 ready, 5 connected, none refuses what it is sent"},
	} {
		o := overviewOf(t, name)
		for area, says := range want {
			if got := o.Says(area); got != says {
				t.Errorf("%s, %s: %q, want %q", name, area, got, says)
			}
		}
	}
}

// Of what was not read nothing is said, and what was not asked is said to be so.
func TestOverviewOfLittle(t *testing.T) {
	f := istiotest.Installed("east").Facts()
	asked := controlplane.NewOverview(model.New(f, model.Options{}))
	if got := asked.Says(finding.Proxies); !strings.HasSuffix(got, "whether they are connected was not asked") || asked.Clusters[0].Connected.String() != "-" {
		t.Errorf("not asked: %q", got)
	}
	for _, row := range resources.All {
		row.SetState(&f.Clusters[0], facts.Forbidden, "")
	}
	resources.Webhooks.Set(&f.Clusters[0], facts.Read[[]webhook]{State: facts.OK, Value: make([]webhook, 1)}) // so that it has something of Istio
	o := controlplane.NewOverview(model.New(f, model.Options{}))
	for _, area := range finding.Areas {
		if got := o.Says(area); got != "" {
			t.Errorf("%s: %q", area, got)
		}
	}
	if c := o.Clusters[0]; c.Istiods.String()+c.Proxies.String()+c.Injected.String() != "---" {
		t.Errorf("%+v", c)
	}
}
