package survey

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kubectl-mesh/kubectl-mesh/internal/apitest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Secrets that may not be listed are not taken to be none.
func TestLooseSecretsForbidden(t *testing.T) {
	server := httptest.NewServer(&apitest.Server{Before: func(w http.ResponseWriter, r *http.Request) bool {
		all := strings.HasSuffix(r.URL.Path, "/api/v1/secrets")
		if all {
			apitest.Refuse(w, http.StatusForbidden, metav1.StatusReasonForbidden)
		}
		return all
	}})
	defer server.Close()
	c, err := Read(t.Context(), Cluster{Config: &rest.Config{Host: server.URL}, Namespace: "istio-system"}, resources.StraySecrets, resources.SystemSecrets)
	if err != nil || resources.StraySecrets.Of(&c).State != facts.Forbidden || resources.SystemSecrets.Of(&c).State != facts.OK {
		t.Errorf("%v: %+v, %+v", err, resources.StraySecrets.Of(&c), resources.SystemSecrets.Of(&c))
	}
}
