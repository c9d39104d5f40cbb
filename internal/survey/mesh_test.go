package survey

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// lister is an API server that has some lists and notes what it is asked for.
type lister struct {
	lists map[string]string // by path
	mu    sync.Mutex
	asked []string
}

func (l *lister) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	l.asked = append(l.asked, r.URL.Path)
	l.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	list, ok := l.lists[r.URL.Path]
	switch {
	case !ok && strings.Contains(r.URL.Path, "gateway.networking"):
		http.NotFound(w, r) // as API servers answer for a group that is not installed
		return
	case !ok:
		w.WriteHeader(http.StatusNotFound)
		list = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`
	case list == "forbidden":
		w.WriteHeader(http.StatusForbidden)
		list = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`
	}
	_, _ = w.Write([]byte(list))
}

func (l *lister) read(t *testing.T, rows ...resource.Rows) facts.Cluster {
	t.Helper()
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	c, err := Read(context.Background(), Cluster{Context: "east", Config: &rest.Config{Host: server.URL}, Namespace: "istio-system"}, rows...)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(l.asked)
	return c
}

// Each list is one request. A custom resource that is not installed is absent,
// after a request for each version that it might have.
func TestMeshRows(t *testing.T) {
	l := &lister{lists: map[string]string{
		"/api/v1/services": `{"kind":"ServiceList","apiVersion":"v1","metadata":{},"items":[{"metadata":{"name":"cart","namespace":"shop","annotations":{
			"networking.istio.io/exportTo":"*","kubectl.kubernetes.io/last-applied-configuration":"secret"}},"spec":{"ports":[{"port":80}],"sessionAffinity":"ClientIP"}}]}`,
		"/apis/discovery.k8s.io/v1/endpointslices": `{"kind":"EndpointSliceList","apiVersion":"discovery.k8s.io/v1","metadata":{},"items":[{"metadata":{"name":"cart-x","namespace":"shop",
			"labels":{"kubernetes.io/service-name":"cart","other":"x"}},"addressType":"IPv4","endpoints":[{"addresses":["10.0.0.1"],"targetRef":{"kind":"Pod","namespace":"shop","name":"cart-0","uid":"u"}}]}]}`,
		"/api/v1/pods": `{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[{"metadata":{"name":"cart-0","namespace":"shop","annotations":{"a":"secret"},
			"ownerReferences":[{"kind":"ReplicaSet","name":"cart-1","controller":true,"uid":"u"}]},"spec":{"nodeName":"n","containers":[{"name":"app","env":[{"name":"PASSWORD","value":"secret"}]},
			{"name":"istio-proxy","env":[{"name":"ISTIO_META_NETWORK","value":"east"},{"name":"TOKEN","value":"secret"}]}]},"status":{"podIP":"10.0.0.1","conditions":[{"type":"Ready","status":"True","message":"secret"}]}}]}`,
		"/api/v1/nodes": `{"kind":"NodeList","apiVersion":"v1","metadata":{},"items":[{"metadata":{"name":"n"},"spec":{"podCIDR":"10.0.0.0/24"},"status":{"images":[{"names":["secret"]}]}}]}`,
		"/apis/security.istio.io/v1/peerauthentications": `{"kind":"PeerAuthenticationList","apiVersion":"security.istio.io/v1","metadata":{},"items":[{"kind":"PeerAuthentication","apiVersion":"security.istio.io/v1",
			"metadata":{"name":"p","namespace":"shop"},"spec":{"mtls":{"mode":"STRICT"},"portLevelMtls":{"8080":{"mode":"DISABLE"}}}}]}`,
		"/apis/networking.istio.io/v1beta1/destinationrules": `{"kind":"DestinationRuleList","apiVersion":"networking.istio.io/v1beta1","metadata":{},"items":[{"metadata":{"name":"r","namespace":"shop"},
			"spec":{"host":"cart","trafficPolicy":{"tls":{"mode":"SIMPLE","clientCertificate":"secret"}}}}]}`,
		"/apis/networking.istio.io/v1/gateways": "forbidden",
	}}
	c := l.read(t, resources.Services, resources.EndpointSlices, resources.Pods, resources.Nodes,
		resources.PeerAuthentications, resources.DestinationRules, resources.Gateways, resources.KubernetesGateways)
	want := []string{
		"/api/v1/nodes", "/api/v1/pods", "/api/v1/services", "/apis/discovery.k8s.io/v1/endpointslices",
		"/apis/gateway.networking.k8s.io/v1/gateways", "/apis/gateway.networking.k8s.io/v1beta1/gateways",
		"/apis/networking.istio.io/v1/destinationrules", "/apis/networking.istio.io/v1/gateways", "/apis/networking.istio.io/v1beta1/destinationrules",
		"/apis/security.istio.io/v1/peerauthentications",
	}
	if diff := cmp.Diff(want, l.asked); diff != "" {
		t.Errorf("requests: %s", diff)
	}
	states := []facts.State{
		resources.Services.Of(&c).State, resources.EndpointSlices.Of(&c).State, resources.Pods.Of(&c).State, resources.Nodes.Of(&c).State, resources.PeerAuthentications.Of(&c).State, resources.DestinationRules.Of(&c).State, resources.Gateways.Of(&c).State, resources.KubernetesGateways.Of(&c).State,
	}
	if diff := cmp.Diff([]facts.State{facts.OK, facts.OK, facts.OK, facts.OK, facts.OK, facts.OK, facts.Forbidden, facts.Absent}, states); diff != "" {
		t.Errorf("states: %s", diff)
	}
	text, err := json.Marshal(resource.Reads(&c, resources.All))
	if err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"secret", "ClientIP", `"other"`, "TOKEN"} {
		if strings.Contains(string(text), gone) {
			t.Errorf("%s was kept: %s", gone, text)
		}
	}
	for _, kept := range []string{"ISTIO_META_NETWORK", "cart-1", "10.0.0.0/24", "networking.istio.io/exportTo", `"8080":{"mode":"DISABLE"}`, `"mode":"SIMPLE"`, "kubernetes.io/service-name"} {
		if !strings.Contains(string(text), kept) {
			t.Errorf("%s was not kept: %s", kept, text)
		}
	}
}

// mesh-certs asks for nothing new.
func TestTrustReadsNoMesh(t *testing.T) {
	for _, row := range resources.Mesh.Without(resources.MeshConfigs, resources.Istiods, resources.Namespaces, resources.RemoteSecrets, resources.Webhooks, resources.ReaderAccess) {
		if resources.Trust.Has(row) {
			t.Errorf("it reads %s", row.About().Name)
		}
	}
}
