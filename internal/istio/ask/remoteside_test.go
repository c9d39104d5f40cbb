package ask

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/kubectl-mesh/kubectl-mesh/internal/apitest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

const readerUser = "system:serviceaccount:istio-system:istio-reader-service-account"

func sideObjects() []runtime.Object {
	meta := func(namespace, name, uid string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(uid)}
	}
	token := &corev1.Secret{ObjectMeta: meta("istio-system", "token", "t"), Data: map[string][]byte{"token": []byte(hunter)}}
	token.Annotations = map[string]string{corev1.ServiceAccountUIDKey: "account"}
	token.Labels = map[string]string{"kubernetes.io/legacy-token-invalid-since": "2026-01-01"}
	rule := func(group string, resources ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: resources, Verbs: []string{"get", "list", "watch"}}
	}
	return []runtime.Object{
		&corev1.Namespace{ObjectMeta: meta("", "kube-system", "cluster")},
		&corev1.ServiceAccount{ObjectMeta: meta("istio-system", "istio-reader-service-account", "account")}, token,
		&rbacv1.ClusterRole{ObjectMeta: meta("", "reader", "r"), Rules: []rbacv1.PolicyRule{rule("", "pods", "services"), rule("*", "endpointslices"), {APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"*"}, ResourceNames: []string{"one"}}}},
		&rbacv1.ClusterRole{ObjectMeta: meta("", "everybody", "e"), Rules: []rbacv1.PolicyRule{rule("", "namespaces")}},
		&rbacv1.ClusterRole{ObjectMeta: meta("", "admin", "a"), Rules: []rbacv1.PolicyRule{{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: meta("", "b1", "1"), RoleRef: rbacv1.RoleRef{Name: "reader"}, Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "istio-system", Name: "istio-reader-service-account"}}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: meta("", "b2", "2"), RoleRef: rbacv1.RoleRef{Name: "everybody"}, Subjects: []rbacv1.Subject{{Kind: "Group", Name: "system:authenticated"}}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: meta("", "b3", "3"), RoleRef: rbacv1.RoleRef{Name: "admin"}, Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "other", Name: "istio-reader-service-account"}, {Kind: "User", Name: "admin"}}},
	}
}

func allowed(a facts.Account) []string {
	var out []string
	for _, r := range a.Rights.Value {
		if r.Allowed && r.Verb != "watch" {
			out = append(out, r.Verb+" "+r.Name())
		}
	}
	return out
}

// A cluster is asked who it is and about service accounts; where reviews are
// forbidden, the roles tell of rights.
func TestReadSide(t *testing.T) {
	for name, c := range map[string]struct {
		forbid  bool
		byRoles bool
		want    []string
	}{
		"reviews":   {false, false, []string{"list services", "list nodes"}},
		"forbidden": {true, true, []string{"list namespaces", "list services", "list pods", "list endpointslices.discovery.k8s.io"}},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(&apitest.Server{Objects: sideObjects(), Before: func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, "/subjectaccessreviews") {
					return false
				}
				if c.forbid {
					apitest.Refuse(w, http.StatusForbidden, metav1.StatusReasonForbidden)
					return true
				}
				return false
			}})
			defer server.Close()
			reviewed := &reviewing{next: server.Config.Handler, t: t}
			if !c.forbid {
				server.Config.Handler = reviewed
			}
			side, err := ReadSide(t.Context(), survey.Cluster{Config: &rest.Config{Host: server.URL}}, map[string][]string{readerUser: {"token", "gone"}, "admin": nil, "system:serviceaccount:a/../b:c": nil})
			if err != nil {
				t.Fatal(err)
			}
			a := side.Accounts[readerUser]
			if side.UID.Value != "cluster" || a.UID.Value != "account" || len(side.Accounts) != 1 || a.ByRoles != c.byRoles {
				t.Errorf("%+v", side)
			}
			want := map[string]facts.Read[facts.TokenSecret]{"token": {State: facts.OK, Value: facts.TokenSecret{AccountUID: "account", InvalidSince: "2026-01-01"}}, "gone": {State: facts.Absent}}
			if diff := cmp.Diff(want, a.TokenSecrets); diff != "" {
				t.Errorf("token secrets (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.want, allowed(a)); diff != "" {
				t.Errorf("rights (-want +got):\n%s", diff)
			}
			if text, _ := json.Marshal(side); bytes.Contains(text, []byte(hunter)) {
				t.Errorf("a token was kept: %s", text)
			}
		})
	}
}

// reviewing answers reviews: services and nodes are allowed to the reader.
type reviewing struct {
	next http.Handler
	t    *testing.T
}

func (r *reviewing) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if !strings.HasSuffix(request.URL.Path, "/subjectaccessreviews") {
		r.next.ServeHTTP(w, request)
		return
	}
	body, _ := io.ReadAll(request.Body)
	allowed := bytes.Contains(body, []byte("services")) || bytes.Contains(body, []byte("nodes"))
	if !bytes.Contains(body, []byte(readerUser)) || !bytes.Contains(body, []byte("system:serviceaccounts:istio-system")) {
		r.t.Errorf("asked for somebody else: %q", body)
	}
	apitest.Answer(w, http.StatusCreated, map[string]any{"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "status": map[string]any{"allowed": allowed}})
}

// A token is shown to the API server that it is for, and to no other; the server's
// certificate is held against the CA beside it.
func TestReviewTokens(t *testing.T) {
	var mu sync.Mutex
	var shown []string
	tokens := func(answer map[string]any) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			mu.Lock()
			shown = append(shown, r.Host+" "+fmt.Sprint(bytes.Contains(body, []byte("token-of-west"))))
			mu.Unlock()
			apitest.Answer(w, http.StatusCreated, map[string]any{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": answer})
		}
	}
	good := httptest.NewTLSServer(tokens(map[string]any{"authenticated": true, "user": map[string]any{"username": readerUser}}))
	defer good.Close()
	bad := httptest.NewTLSServer(tokens(map[string]any{"authenticated": false, "error": "token-of-west is not good"}))
	defer bad.Close()
	key := facts.SecretKey{Context: "east", Name: "s", ClusterID: "west"}
	for name, c := range map[string]struct {
		server *httptest.Server
		ca     *httptest.Server
		name   string
		which  map[facts.SecretKey]bool
		want   map[facts.SecretKey]facts.Review
	}{
		"accepted":        {good, good, "", map[facts.SecretKey]bool{key: true}, map[facts.SecretKey]facts.Review{key: {Token: facts.Read[string]{State: facts.OK, Value: readerUser}, Chain: facts.Read[string]{State: facts.OK}}}},
		"another address": {good, good, "", map[facts.SecretKey]bool{key: false}, map[facts.SecretKey]facts.Review{key: {Token: facts.Read[string]{State: facts.OK, Value: readerUser}}}},
		"refused":         {bad, bad, "", map[facts.SecretKey]bool{key: true}, map[facts.SecretKey]facts.Review{key: {Token: facts.Read[string]{State: facts.OK}, Refused: "the API server does not accept it", Chain: facts.Read[string]{State: facts.OK}}}},
		"another name":    {good, good, "west.example", map[facts.SecretKey]bool{key: true}, map[facts.SecretKey]facts.Review{key: {Token: facts.Read[string]{State: facts.OK, Value: readerUser}, Chain: facts.Read[string]{State: facts.OK, Value: "x509: certificate is valid for example.com, *.example.com, not west.example"}}}},
		"not for it":      {good, good, "", map[facts.SecretKey]bool{}, map[facts.SecretKey]facts.Review{}},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := survey.Cluster{Context: "west", Config: &rest.Config{Host: c.server.URL, TLSClientConfig: rest.TLSClientConfig{CAData: caOf(c.server)}}}
			from := &Credentials{of: map[facts.SecretKey]credential{key: {server: c.server.URL, serverName: c.name, ca: caOf(c.ca), token: "token-of-west"}, {Name: "other"}: {token: "token-of-north"}}}
			got, err := ReviewTokens(t.Context(), cluster, []*Credentials{from, nil}, c.which)
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
	for _, s := range shown {
		if !strings.HasSuffix(s, " true") {
			t.Errorf("another token was shown: %s", s)
		}
	}
}

// Of the Secrets that look like remote ones the metadata is asked for, and kept.
func TestLooseSecrets(t *testing.T) {
	secret := func(namespace, name string, labels, annotations map[string]string) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels, Annotations: annotations}, Data: map[string][]byte{"west": []byte(hunter)}}
	}
	label := func(v string) map[string]string { return map[string]string{"istio/multiCluster": v} }
	server := httptest.NewServer(&apitest.Server{
		Objects: []runtime.Object{
			secret("istio-system", "good", label("true"), nil), secret("istio-system", "upper", label("True"), nil), secret("default", "stray", label("true"), map[string]string{"networking.istio.io/cluster": "west"}),
			secret("istio-system", "istio-remote-secret-west", nil, nil), secret("istio-system", "cacerts", nil, nil), secret("istio-system", "istio-kubeconfig", nil, nil),
		},
		Before: func(_ http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/secrets") && !strings.Contains(r.Header.Get("Accept"), "PartialObjectMetadataList") {
				t.Errorf("%s: whole Secrets were asked for", r.URL)
			}
			return false
		},
	})
	defer server.Close()
	c, err := survey.Read(t.Context(), survey.Cluster{Config: &rest.Config{Host: server.URL}, Namespace: "istio-system"}, resources.StraySecrets, resources.SystemSecrets)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]facts.LooseSecret{{Namespace: "default", Name: "stray", Labelled: true, Label: "true", Cluster: "west"}, {Namespace: "istio-system", Name: "upper", Labelled: true, Label: "True"}}, resources.StraySecrets.Of(&c).Value); diff != "" {
		t.Errorf("stray (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]facts.LooseSecret{{Namespace: "istio-system", Name: "istio-kubeconfig"}, {Namespace: "istio-system", Name: "istio-remote-secret-west"}}, resources.SystemSecrets.Of(&c).Value); diff != "" {
		t.Errorf("in the system namespace (-want +got):\n%s", diff)
	}
}
