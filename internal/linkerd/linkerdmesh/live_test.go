package linkerdmesh_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"

	"github.com/kubectl-mesh/kubectl-mesh/internal/apitest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/linkerdmesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/linkerdtest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// read reads all rows of a cluster from an API server that has some objects, and counts the
// requests that are about more than every mesh reads.
func read(t *testing.T, objects []runtime.Object) (facts.Cluster, int) {
	t.Helper()
	var mu sync.Mutex
	requests := 0
	server := httptest.NewServer(&apitest.Server{Objects: objects, Before: func(_ http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		kind := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		if shared := []string{
			"namespaces", "services", "endpointslices", "pods", "nodes", "mutatingwebhookconfigurations", "validatingwebhookconfigurations", "apiservices",
		}; !slices.Contains(shared, kind) && !strings.Contains(r.URL.Path, corev1.NamespaceNodeLease) {
			requests++
		}
		return false
	}})
	t.Cleanup(server.Close)
	c, err := survey.Read(t.Context(), survey.Cluster{Context: "east", Config: &rest.Config{Host: server.URL}}, linkerdmesh.Mesh{}.Table())
	if err != nil {
		t.Fatal(err)
	}
	return c, requests
}

// What is read of an API server, by the selectors of the rows, is what a dump has of it.
func TestLiveReads(t *testing.T) {
	fleet := linkerdtest.Healthy(t)
	var objects []runtime.Object
	for _, row := range resources.All {
		for _, o := range row.Objects(&fleet.Clusters[0]) {
			o = o.DeepCopyObject()
			if m, ok := o.(*corev1.ConfigMap); ok && m.Name == resources.ConfigMapRootCA {
				m.Namespace = metav1.NamespaceSystem // it is in every one; the fixture has that of another
			}
			objects = append(objects, o)
		}
	}
	got, requests := read(t, objects)
	opts := cmp.Options{cmpopts.EquateEmpty(), cmpopts.IgnoreTypes(metav1.TypeMeta{})}
	for _, row := range resources.All {
		wanted := row.Objects(&fleet.Clusters[0])
		if row == resource.Resource(resources.RootCAs) {
			continue
		}
		if diff := cmp.Diff(wanted, row.Objects(&got), opts); diff != "" && len(wanted) > 0 {
			t.Errorf("%s (-dump +live):\n%s", row, diff)
		}
		if state, why := row.State(&got); state != facts.OK && state != facts.Absent {
			t.Errorf("%s: %s %s", row, state, why)
		}
	}
	// One for each row, and one more for each older version of a kind that is not installed.
	if requests > len(resources.All)+6 {
		t.Errorf("%d requests", requests)
	}
}

// A cluster with many Links and mirrors costs as many requests as one with a few.
func TestRequestsDoNotGrow(t *testing.T) {
	fleet := linkerdtest.Healthy(t)
	var few, many []runtime.Object
	for _, row := range resources.All {
		for _, o := range row.Objects(&fleet.Clusters[0]) {
			o = o.DeepCopyObject()
			few = append(few, o)
			copies := 0
			switch o := o.(type) {
			case *api.Link, *corev1.Secret:
				copies = 9
			case *corev1.Service:
				if o.Labels[resources.LabelMirrored] != "" {
					copies = 70
				}
			case *corev1.Endpoints, *discoveryv1.EndpointSlice:
				copies = 40
			}
			for i := range copies {
				further := o.DeepCopyObject()
				m, err := meta.Accessor(further)
				if err != nil {
					t.Fatal(err)
				}
				m.SetName(fmt.Sprintf("%s-%02d", m.GetName(), i))
				many = append(many, further)
			}
		}
	}
	_, asked := read(t, few)
	got, askedOfMany := read(t, append(few, many...))
	if asked != askedOfMany {
		t.Errorf("%d requests of a cluster with few Links and mirrors, %d of one with many", asked, askedOfMany)
	}
	mirrors := 0
	for _, s := range resources.Services.Of(&got).Value {
		if s.Labels[resources.LabelMirrored] != "" {
			mirrors++
		}
	}
	if links := len(resources.Links.Of(&got).Value); mirrors < 200 || links < 10 {
		t.Errorf("%d mirrors and %d Links were read", mirrors, links)
	}
}

// Nothing is asked of a cluster without Linkerd but whether it has it.
func TestRequestsWithoutLinkerd(t *testing.T) {
	c, requests := read(t, nil)
	if requests != 1 {
		t.Errorf("%d requests", requests)
	}
	if state, _ := model.Installed(&c); state != model.Not {
		t.Error("Linkerd is installed")
	}
	for _, row := range resources.All {
		if state, _ := row.State(&c); row.About().Where != nil && state != facts.NotAsked {
			t.Errorf("%s: %s", row, state)
		}
	}
	if set := (resource.Set{resources.Config}); !set.Has(resources.Links.About().Where) {
		t.Error("Links are read whatever the cluster has")
	}
}
