package survey

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource/kubernetes"
)

// Of a definition only the metadata is asked for. A server that sends all of it is understood, and one that
// answers with another object is not.
func TestDefinitions(t *testing.T) {
	const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"
	l := &lister{lists: map[string]string{
		path + "tlsroutes.gateway.networking.k8s.io": `{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":"tlsroutes.gateway.networking.k8s.io",
			"annotations":{"gateway.networking.k8s.io/bundle-version":"v1.4.0","kubectl.kubernetes.io/last-applied-configuration":"{}"}}}`,
		path + "grpcroutes.gateway.networking.k8s.io": `{"kind":"CustomResourceDefinition","apiVersion":"apiextensions.k8s.io/v1",
			"metadata":{"name":"grpcroutes.gateway.networking.k8s.io","annotations":{"gateway.networking.k8s.io/bundle-version":"v1.1.0"}},"spec":{"group":"x"}}`,
		path + "tcproutes.gateway.networking.k8s.io": `{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":"other"}}`,
	}}
	c := l.read(t, resources.Definitions)
	for row, want := range map[*resource.Row[*kubernetes.Definition]]string{
		resources.TLSRouteDefinition: "v1.4.0", resources.GRPCRouteDefinition: "v1.1.0",
	} {
		read := row.Of(&c)
		if read.State != facts.OK || len(read.Value.Annotations) != 1 || read.Value.Annotations["gateway.networking.k8s.io/bundle-version"] != want {
			t.Errorf("%s: %+v", row, read)
		}
	}
	if got := resources.TCPRouteDefinition.Of(&c); got.State != facts.Failed || got.Reason != "the answer is a other, not a tcproutes.gateway.networking.k8s.io" {
		t.Errorf("another object: %+v", got)
	}
	if got := resources.BackendTLSPolicyDefinition.Of(&c); got.State != facts.Absent {
		t.Errorf("a kind that is not installed: %+v", got)
	}
}

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
	if entries.Served != "v1alpha3" {
		t.Errorf("they are read in an old version: %q", entries.Served)
	}
	if entries.State != facts.OK || len(entries.Value) != 1 || entries.Value[0].Spec.Hosts[0] != "db.example" || resources.Sidecars.Of(&c).State != facts.Forbidden {
		t.Errorf("%+v, %+v", entries, resources.Sidecars.Of(&c))
	}
}
