package e2e

import (
	"context"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

// ofTheBed is what is said of planted istiods which read nothing: API servers of the bed are on loopback, and the
// service accounts of remote secrets have the uids that these servers gave them.
var ofTheBed = map[string]string{"SEC010": "first,second", "SEC013": "first,second"}

// A fleet of two pairs, one of Istio and one of Linkerd, has a table for each of the meshes and one summary.
// What is wrong in one pair is said of that one alone.
func TestMixedFleet(t *testing.T) {
	t.Parallel() // it has a fleet of its own
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	mixed, err := bed.Start(ctx, bed.Config{Clusters: []string{"east", "west", "first", "second"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := mixed.Stop(); err != nil {
			t.Error(err)
		}
	})
	plant := func(objects map[string][]runtime.Object) {
		t.Helper()
		for name, of := range objects {
			cluster := mixed.Cluster(name)
			if err := cluster.Reset(ctx); err != nil {
				t.Fatal(err)
			}
			if err := cluster.Apply(ctx, of...); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, cluster := range mixed.Clusters() {
		if err := cluster.Apply(ctx, append(bed.Definitions(), bed.LinkerdDefinitions()...)...); err != nil {
			t.Fatal(err)
		}
		cluster.Keep()
	}
	istio := func(change func(*istiotest.Fleet)) map[string][]runtime.Object {
		f := istiotest.Serving(istiotest.Networked("first", "second"))
		change(f)
		out := map[string][]runtime.Object{}
		for _, c := range f.Clusters {
			c.Server = mixed.Cluster(c.Name).URL()
		}
		for _, c := range f.Clusters {
			out[c.Name] = c.Objects()
		}
		return out
	}
	check := func() (map[string]string, outcome) {
		t.Helper()
		doc, _ := checkUp(t, mixed.Kubeconfig(), "--contexts", "east,west,first,second")
		for _, c := range doc.Clusters {
			want := map[string]string{"east": "Linkerd", "west": "Linkerd", "first": "Istio", "second": "Istio"}[c.Context]
			if len(c.Meshes) != 1 || c.Meshes[0].Mesh != want {
				t.Errorf("%s: %+v, want %s", c.Context, c.Meshes, want)
			}
		}
		return causes(doc), mesh(t, options{program: checkBinary, kubeconfig: mixed.Kubeconfig()}, "--contexts", "east,west,first,second")
	}

	plant(linkerdObjects(t, "01-healthy", mixed))
	plant(istio(func(*istiotest.Fleet) {}))
	found, out := check()
	if diff := cmp.Diff(ofTheBed, found); diff != "" {
		t.Errorf("exit code %d; causes (-want +got):\n%s", out.code, diff)
	}
	tables := regexp.MustCompile(`(?m)^CLUSTER .*$`).FindAllString(out.stdout, -1)
	if len(tables) != 2 || !strings.Contains(tables[0], "ISTIO ") || !strings.Contains(tables[1], "LINKERD ") {
		t.Errorf("there are the tables %q:\n%s", tables, out.stdout)
	}
	if n := len(regexp.MustCompile(`(?m)^4 clusters: `).FindAllString(out.stdout, -1)); n != 1 || strings.Count(out.stdout, "STATUS ") != 1 {
		t.Errorf("there are %d last lines, for one summary:\n%s", n, out.stdout)
	}

	plant(linkerdObjects(t, "05-link-gateway-address-stale", mixed))
	plant(istio(func(f *istiotest.Fleet) {
		f.Get("second").Plug(istiotest.Root(istiotest.Spec{Name: "Other root"}).Sub(istiotest.Spec{}))
	}))
	found, out = check()
	want := map[string]string{"CERT002": "first,second", "NET102": "east"}
	maps.Copy(want, ofTheBed)
	if diff := cmp.Diff(want, found); diff != "" || out.code != 1 {
		t.Errorf("exit code %d; causes (-want +got):\n%s", out.code, diff)
	}
}
