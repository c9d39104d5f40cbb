package ask_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/apitest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ask"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey/surveytest"
)

// asking notes what a server is asked.
type asking struct {
	mu    sync.Mutex
	asked []string
	// refuses is a part of the paths for which it has no rights to give.
	refuses string
}

func (a *asking) before(w http.ResponseWriter, r *http.Request) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, r.Method+" "+r.URL.RequestURI())
	if a.refuses != "" && strings.Contains(r.URL.Path, a.refuses) {
		apitest.Refuse(w, http.StatusForbidden, metav1.StatusReasonForbidden)
		return true
	}
	return false
}

var everyLead = istio.Leads{
	Pending: []istio.ObjectName{{Namespace: "istio-system", Name: "gateway"}}, Injectors: []string{"istio-sidecar-injector-canary"},
	Routes: true, Remote: true, Identity: "system:serviceaccount:mesh:reader",
	Unread: []resource.Resource{resources.TLSRoutes}, Limited: true,
}

// Each lead costs the requests that are named here, and none costs nothing.
func TestWhatLeadsAsk(t *testing.T) {
	const reviews = "POST /apis/authorization.k8s.io/v1/subjectaccessreviews"
	for name, c := range map[string]struct {
		leads istio.Leads
		want  []string
	}{
		"none":    {},
		"pending": {istio.Leads{Pending: everyLead.Pending}, []string{"GET /api/v1/namespaces/istio-system/events?fieldSelector=involvedObject.kind%3DService%2CinvolvedObject.name%3Dgateway&limit=500"}},
		"revision": {istio.Leads{Injectors: everyLead.Injectors}, []string{
			"GET /api/v1/namespaces/istio-system/configmaps/istio-sidecar-injector-canary",
		}},
		"routes": {istio.Leads{Routes: true}, []string{"GET /apis/networking.istio.io/v1/virtualservices?limit=500"}},
		"remote": {istio.Leads{Remote: true, Identity: everyLead.Identity}, []string{
			"GET /apis/discovery.k8s.io/v1/namespaces/istio-system/endpointslices?limit=500", reviews, reviews, reviews, reviews,
		}},
		"kinds that istiod does not read": {istio.Leads{Unread: resources.UnreadRoutes}, []string{
			"GET /apis/gateway.networking.k8s.io/v1/backendtlspolicies?limit=500", "GET /apis/gateway.networking.k8s.io/v1/grpcroutes?limit=500",
			"GET /apis/gateway.networking.k8s.io/v1/tcproutes?limit=500", "GET /apis/gateway.networking.k8s.io/v1alpha2/tlsroutes?limit=500",
		}},
		"a limit of memory": {istio.Leads{Limited: true}, []string{
			"GET /apis/metrics.k8s.io/v1beta1/namespaces/istio-system/pods?labelSelector=app%3Distiod&limit=500",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			a := &asking{}
			var got facts.Cluster
			ask.Follow(t.Context(), surveytest.Serve(t, &apitest.Server{Before: a.before}), &got, c.leads)
			slices.Sort(a.asked)
			if diff := cmp.Diff(c.want, a.asked); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

// What may not be read is noted as such, and does not hide the rest.
func TestLeadsThatAreForbidden(t *testing.T) {
	for refused, field := range map[string]func(*facts.Cluster) facts.State{
		"/events":               func(c *facts.Cluster) facts.State { return resources.GatewayEvents.Of(c).State },
		"/configmaps":           func(c *facts.Cluster) facts.State { return resources.Injectors.Of(c).State },
		"/virtualservices":      func(c *facts.Cluster) facts.State { return resources.VirtualServices.Of(c).State },
		"/endpointslices":       func(c *facts.Cluster) facts.State { return resources.SystemSlices.Of(c).State },
		"/subjectaccessreviews": func(c *facts.Cluster) facts.State { return resources.ReaderRights.Of(c).State },
		"/tlsroutes":            func(c *facts.Cluster) facts.State { return resources.TLSRoutes.Of(c).State },
		"/metrics.k8s.io/":      func(c *facts.Cluster) facts.State { return resources.Usage.Of(c).State },
	} {
		got := *resources.Injectors.With(&facts.Cluster{}, facts.Read[[]corev1.ConfigMap]{State: facts.OK})
		ask.Follow(t.Context(), surveytest.Serve(t, &apitest.Server{Before: (&asking{refuses: refused}).before}), &got, everyLead)
		if s := field(&got); s != facts.Forbidden {
			t.Errorf("%s: %q", refused, s)
		}
		known := 0
		for _, ok := range []bool{resources.GatewayEvents.Of(&got).Known(), resources.Injectors.Of(&got).Known(), resources.VirtualServices.Of(&got).Known(), resources.SystemSlices.Of(&got).Known(), resources.ReaderRights.Of(&got).Known(), resources.TLSRoutes.Of(&got).Known(), resources.Usage.Of(&got).Known()} {
			if ok {
				known++
			}
		}
		if known != 6 {
			t.Errorf("%s: %d of the others were read", refused, known)
		}
	}
	var got facts.Cluster
	ask.Unfollowed(&got, everyLead, "no answer")
	if resources.GatewayEvents.Of(&got).Why() != "no answer" || resources.Injectors.Of(&got).Known() || resources.VirtualServices.Of(&got).Known() || resources.SystemSlices.Of(&got).Known() || resources.ReaderRights.Of(&got).Known() || resources.TLSRoutes.Of(&got).Known() || resources.Usage.Of(&got).Known() {
		t.Errorf("%+v", got)
	}
}

// The questions about rights are told apart by their names, and say who is meant.
func TestReaderRights(t *testing.T) {
	var got facts.Cluster
	ask.Follow(t.Context(), surveytest.Serve(t, &apitest.Server{}), &got, istio.Leads{Remote: true, Identity: everyLead.Identity})
	var names []string
	for _, r := range resources.ReaderRights.Of(&got).Value {
		names = append(names, r.Name)
		if r.Spec.User != everyLead.Identity || !slices.Contains(r.Spec.Groups, "system:serviceaccounts:mesh") || !r.Status.Allowed {
			t.Errorf("%+v", r)
		}
	}
	if diff := cmp.Diff([]string{"create-tokenreviews", "create-configmaps", "update-configmaps", "update-mutatingwebhookconfigurations"}, names); diff != "" {
		t.Error(diff)
	}
}

// Each row that rules of networks read is one question, and the values of an
// injector that is not there are none.
func TestWhatNetworkRowsAsk(t *testing.T) {
	for row, want := range map[resource.Resource]string{
		resources.NetworkPolicies:  "GET /apis/networking.k8s.io/v1/networkpolicies?limit=500",
		resources.Injectors:        "GET /api/v1/namespaces/istio-system/configmaps/istio-sidecar-injector",
		resources.WorkloadEntries:  "GET /apis/networking.istio.io/v1/workloadentries?limit=500",
		resources.ServiceEntries:   "GET /apis/networking.istio.io/v1/serviceentries?limit=500",
		resources.DestinationRules: "GET /apis/networking.istio.io/v1/destinationrules?limit=500",
	} {
		a := &asking{}
		got := surveytest.Read(t, surveytest.Serve(t, &apitest.Server{Before: a.before}), row)
		if diff := cmp.Diff([]string{want}, a.asked); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
		if row == resources.Injectors && resources.Injectors.Of(&got).State != facts.OK {
			t.Errorf("an injector that is not there: %+v", resources.Injectors.Of(&got))
		}
	}
	for _, row := range []resource.Resource{resources.CACerts, resources.CASecret, resources.EndpointSlices} {
		if resources.NetworkRules.Has(row) {
			t.Errorf("mesh-network reads what it does not need: %s", row.About().Name)
		}
	}
}
