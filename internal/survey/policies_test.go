package survey

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// Each list is one request, and what is not installed one for each version. Of a
// VirtualService its targets are kept, of an AuthorizationPolicy who is let in.
func TestPolicies(t *testing.T) {
	l := &lister{lists: map[string]string{
		"/apis/networking.istio.io/v1/virtualservices": `{"kind":"VirtualServiceList","apiVersion":"networking.istio.io/v1","metadata":{},"items":[{"metadata":{"name":"v","namespace":"shop",
			"annotations":{"a":"secret"}},"spec":{"hosts":["cart"],"http":[{"match":[{"headers":{"x":{"exact":"secret"}}}],"mirror":{"host":"copy"},"route":[{"destination":{"host":"cart","subset":"v1"},
			"headers":{"request":{"set":{"authorization":"secret"}}}}]}],"tcp":[{"route":[{"destination":{"host":"db"}}]}]}}]}`,
		"/apis/networking.istio.io/v1/sidecars": `{"kind":"SidecarList","apiVersion":"networking.istio.io/v1","metadata":{},"items":[{"metadata":{"name":"s","namespace":"shop"},
			"spec":{"workloadSelector":{"labels":{"app":"cart"}},"egress":[{"hosts":["./*"]}],"ingress":[{"defaultEndpoint":"secret"}]}}]}`,
		"/apis/security.istio.io/v1/authorizationpolicies": `{"kind":"AuthorizationPolicyList","apiVersion":"security.istio.io/v1","metadata":{},"items":[{"metadata":{"name":"a","namespace":"shop"},
			"spec":{"action":"ALLOW","rules":[{"from":[{"source":{"namespaces":["web"]}}],"to":[{"operation":{"paths":["/secret"]}}],"when":[{"key":"request.auth.claims[x]","values":["secret"]}]}]}}]}`,
		"/apis/multicluster.x-k8s.io/v1alpha1/serviceexports": "forbidden",
	}}
	c := l.read(t, resources.Policies)
	want := []string{
		"/apis/multicluster.x-k8s.io/v1alpha1/serviceexports", "/apis/networking.istio.io/v1/sidecars", "/apis/networking.istio.io/v1/virtualservices",
		"/apis/security.istio.io/v1/authorizationpolicies",
	}
	if diff := cmp.Diff(want, l.asked); diff != "" {
		t.Errorf("requests: %s", diff)
	}
	states := []facts.State{resources.VirtualServices.Of(&c).State, resources.Sidecars.Of(&c).State, resources.AuthorizationPolicies.Of(&c).State, resources.ServiceExports.Of(&c).State}
	if diff := cmp.Diff([]facts.State{facts.OK, facts.OK, facts.OK, facts.Forbidden}, states); diff != "" {
		t.Errorf("states: %s", diff)
	}
	var targets []string
	for _, target := range resources.VirtualServices.Of(&c).Value[0].Targets() {
		targets = append(targets, target.Host+" "+target.Subset)
	}
	if diff := cmp.Diff([]string{"copy ", "cart v1", "db "}, targets); diff != "" {
		t.Errorf("targets: %s", diff)
	}
	text, err := json.Marshal(resource.Reads(&c, resources.All))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "secret\"") || strings.Contains(string(text), "/secret") {
		t.Errorf("something was kept: %s", text)
	}
	for _, kept := range []string{`"namespaces":["web"]`, `"hosts":["./*"]`, `"labels":{"app":"cart"}`} {
		if !strings.Contains(string(text), kept) {
			t.Errorf("%s was not kept: %s", kept, text)
		}
	}
}

func TestPoliciesThatAreNotInstalled(t *testing.T) {
	l := &lister{lists: map[string]string{"/api/v1/services": `{"kind":"ServiceList","apiVersion":"v1","metadata":{},"items":[]}`}}
	c := l.read(t, resources.Policies, resources.Services)
	for _, state := range []facts.State{resources.VirtualServices.Of(&c).State, resources.Sidecars.Of(&c).State, resources.AuthorizationPolicies.Of(&c).State, resources.ServiceExports.Of(&c).State} {
		if state != facts.Absent {
			t.Errorf("state %q", state)
		}
	}
	if len(l.asked) != 1+3+3+2+1 {
		t.Errorf("requests: %v", l.asked)
	}
}
