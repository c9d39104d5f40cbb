package ask

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/envoy"
)

var (
	pods         = schema.GroupResource{Resource: "pods"}
	errForbidden = fmt.Errorf("port-forward: %w", apierrors.NewForbidden(pods, "cart-0", errors.New("no")))
)

func TestOfReplicas(t *testing.T) {
	yes := answer{clusters: []envoy.Cluster{{Name: "a"}}}
	no, hidden, broken := answer{err: errNotConnected}, answer{err: errForbidden}, answer{err: errors.New("broken")}
	for name, c := range map[string]struct {
		answers []answer
		state   facts.State
		reason  string
	}{
		"no replica":                          {nil, facts.Failed, "the control plane has no pod that is ready"},
		"connected to none":                   {[]answer{no, no}, facts.Failed, "it is connected to no istiod of the control plane"},
		"connected to the second":             {[]answer{no, yes}, facts.OK, ""},
		"connected beside a broken one":       {[]answer{broken, yes, no}, facts.OK, ""},
		"perhaps to the one that is not told": {[]answer{no, hidden, no}, facts.Forbidden, "to reach into pods is forbidden (pods/portforward)"},
		"perhaps to the broken one":           {[]answer{broken, no}, facts.Failed, "broken"},
	} {
		if got := ofReplicas(t.Context(), c.answers); got.State != c.state || got.Reason != c.reason || got.State == facts.OK && len(got.Value) != 1 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestPodOutcome(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx    context.Context
		err    error
		state  facts.State
		reason string
	}{
		"gone":          {t.Context(), apierrors.NewNotFound(pods, "cart-0"), facts.Absent, ""},
		"forbidden":     {t.Context(), errForbidden, facts.Forbidden, "to reach into pods is forbidden (pods/portforward)"},
		"too late":      {over, errors.New("whatever"), facts.Failed, "no answer in time"},
		"an API server": {t.Context(), apierrors.NewInternalError(errors.New("https://10.0.0.1 says")), facts.Failed, "the API server answered 500 InternalError"},
		"a request":     {t.Context(), &url.Error{Op: "Get", URL: "http://localhost/config_dump", Err: errors.New("connection refused\x1b[0m")}, facts.Failed, `connection refused\x1b[0m`},
	} {
		if got := podOutcome(c.ctx, 0, c.err); got.State != c.state || got.Reason != c.reason {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A proxy that does not take the expression is asked for everything, and one with an endpoint
// that is not healthy for the reason.
func TestAdmin(t *testing.T) {
	var asked []string
	const dump = `{"configs":[{"endpoint_config":{"cluster_name":"outbound|80||a","endpoints":[{"lb_endpoints":[{"health_status":"UNHEALTHY","endpoint":{"address":{"socket_address":{"address":"10.0.0.1","port_value":1}}}}]}]}}]}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		switch {
		case r.URL.Path == "/clusters":
			_, _ = fmt.Fprint(w, `{"cluster_statuses":[{"name":"outbound|80||a","host_statuses":[{"address":{"socket_address":{"address":"10.0.0.1","port_value":1}},"health_status":{"failed_outlier_check":true}}]}]}`)
		case r.URL.Query().Has("name_regex"):
			http.Error(w, "Error while parsing name_regex", http.StatusBadRequest)
		default:
			_, _ = fmt.Fprint(w, dump)
		}
	}))
	defer server.Close()
	a := &admin{client: &http.Client{Transport: to(server.Listener.Addr().String())}}
	clusters, err := a.ask(t.Context(), []string{"a"})
	if err != nil || len(clusters) != 1 || !clusters[0].Endpoints[0].Ejected() {
		t.Errorf("%+v, %v", clusters, err)
	}
	if got := strings.Join(asked, " "); got != "/config_dump /config_dump /clusters" {
		t.Errorf("asked for %s", got)
	}
}

// A proxy is asked for its certificates in one request.
func TestMaterial(t *testing.T) {
	answer := `{"configs":[{"name":"default","secret":{"tls_certificate":{"certificate_chain":{"inline_bytes":"YQ=="},"private_key":{"inline_bytes":"W3JlZGFjdGVkXQ=="}}}},{"name":"ROOTCA","secret":{"validation_context":{"trusted_ca":{"inline_string":"b"}}}}]}`
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.String())
		_, _ = fmt.Fprint(w, answer)
	}))
	defer server.Close()
	a := &admin{client: &http.Client{Transport: to(server.Listener.Addr().String())}}
	m, err := a.material(t.Context())
	if err != nil || string(m.Chain) != "a" || string(m.Roots) != "b" || strings.Join(asked, " ") != "/config_dump?resource=dynamic_active_secrets" {
		t.Errorf("%+v, %v, %s", m, err, asked)
	}
	answer = "<html>"
	if m, err := a.material(t.Context()); err == nil || len(m.Chain) > 0 {
		t.Errorf("%+v, %v", m, err)
	}
}

// to sends every request to one address.
type to string

func (t to) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Host = string(t)
	return http.DefaultTransport.RoundTrip(r)
}
