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
	c, err := Read(t.Context(), Cluster{Config: &rest.Config{Host: server.URL}, Namespace: "istio-system"}, StraySecrets|SystemSecrets)
	if err != nil || c.StraySecrets.State != facts.Forbidden || c.SystemSecrets.State != facts.OK {
		t.Errorf("%v: %+v, %+v", err, c.StraySecrets, c.SystemSecrets)
	}
}
