package survey

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// A kind that is served only in an old version is read in it, after one request for
// each newer one; no request follows one that was answered.
func TestOldVersions(t *testing.T) {
	l := &lister{lists: map[string]string{
		"/apis/networking.istio.io/v1alpha3/serviceentries": `{"kind":"ServiceEntryList","apiVersion":"networking.istio.io/v1alpha3","metadata":{},
			"items":[{"metadata":{"name":"s","namespace":"shop"},"spec":{"hosts":["db.example"]}}]}`,
		"/apis/networking.istio.io/v1/sidecars":       "forbidden",
		"/apis/networking.istio.io/v1beta1/sidecars":  `{"kind":"SidecarList","apiVersion":"networking.istio.io/v1beta1","metadata":{},"items":[]}`,
		"/apis/networking.istio.io/v1alpha3/sidecars": `{"kind":"SidecarList","apiVersion":"networking.istio.io/v1alpha3","metadata":{},"items":[]}`,
	}}
	c := l.read(t, resources.ServiceEntries, resources.Sidecars)
	want := []string{
		"/apis/networking.istio.io/v1/serviceentries", "/apis/networking.istio.io/v1/sidecars",
		"/apis/networking.istio.io/v1alpha3/serviceentries", "/apis/networking.istio.io/v1beta1/serviceentries",
	}
	if diff := cmp.Diff(want, l.asked); diff != "" {
		t.Errorf("requests: %s", diff)
	}
	entries := resources.ServiceEntries.Of(&c)
	if entries.State != facts.OK || len(entries.Value) != 1 || entries.Value[0].Spec.Hosts[0] != "db.example" || resources.Sidecars.Of(&c).State != facts.Forbidden {
		t.Errorf("%+v, %+v", entries, resources.Sidecars.Of(&c))
	}
}
