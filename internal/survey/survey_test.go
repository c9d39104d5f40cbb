package survey_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/klog/v2"

	"github.com/kubectl-mesh/kubectl-mesh/internal/apitest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey/surveytest"
)

// TestMain keeps client-go's own log out of the output.
func TestMain(m *testing.M) {
	klog.SetLogger(logr.Discard())
	os.Exit(m.Run())
}

// onlyRead are the facts of everything, without what a survey did not ask for.
func onlyRead(everything, got map[string]any) map[string]any {
	out := map[string]any{}
	for name := range got {
		out[name] = everything[name]
	}
	return out
}

// What is read of an API server is what its objects are when they are trimmed.
func TestReadWhatThereIs(t *testing.T) {
	f := istiotest.Healthy("plugged", "tls", "self-signed", "revision", "remote")
	f.Get("tls").PlugTLS(istiotest.Root(istiotest.Spec{}).Sub(istiotest.Spec{}))
	f.Get("self-signed").SelfSign()
	f.Get("revision").Revision = "canary"
	f.Get("remote").NoControlPlane(f.Get("plugged"))
	all := f.Facts()
	for i, m := range f.Clusters {
		t.Run(m.Name, func(t *testing.T) {
			cluster := surveytest.Serve(t, &apitest.Server{Objects: m.Objects()})
			got := surveytest.Read(t, cluster, resources.Trust)
			if got.Context != "east" || got.Server != cluster.Config.Host || got.SystemNamespace != istiotest.System {
				t.Errorf("%+v", got)
			}
			reads := resource.Reads(&got, resources.All)
			if len(reads) != len(resources.Trust) {
				t.Errorf("%d rows were read", len(reads))
			}
			want := onlyRead(resource.Reads(&all.Clusters[i], resources.All), reads)
			delete(want, resources.ReaderAccess.About().File) // the server allows everything, and says so elsewhere
			delete(reads, resources.ReaderAccess.About().File)
			opts := cmp.Options{
				cmpopts.EquateEmpty(), cmpopts.EquateApproxTime(0), cmpopts.IgnoreTypes(metav1.TypeMeta{}),
				cmpopts.SortSlices(func(a, b facts.RemoteSecret) bool { return a.Name < b.Name }),
			}
			if diff := cmp.Diff(want, reads, opts); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
		})
	}
}

// Each row is one question, and no other is asked.
func TestWhatEachRowAsks(t *testing.T) {
	const ns = "/api/v1/namespaces/istio-system/"
	for row, want := range map[resource.Resource]string{
		resources.CACerts:       "GET " + ns + "secrets/cacerts",
		resources.CASecret:      "GET " + ns + "secrets/istio-ca-secret",
		resources.RootCert:      "GET " + ns + "configmaps/istio-ca-root-cert",
		resources.RootCerts:     "GET /api/v1/configmaps?fieldSelector=metadata.name%3Distio-ca-root-cert&limit=500",
		resources.MeshConfigs:   "GET " + ns + "configmaps/istio",
		resources.Istiods:       "GET /apis/apps/v1/deployments?labelSelector=app%3Distiod&limit=500&resourceVersion=0",
		resources.IstiodPods:    "GET " + ns + "pods?labelSelector=app%3Distiod&limit=500",
		resources.Namespaces:    "GET /api/v1/namespaces?limit=500",
		resources.RemoteSecrets: "GET " + ns + "secrets?labelSelector=istio%2FmultiCluster%3Dtrue&limit=500",
		resources.Webhooks:      "GET /apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations?labelSelector=app%3Dsidecar-injector&limit=500",
		resources.ReaderAccess:  "POST /apis/authorization.k8s.io/v1/subjectaccessreviews",
	} {
		var mu sync.Mutex
		var asked []string
		cluster := surveytest.Serve(t, &apitest.Server{Before: func(_ http.ResponseWriter, r *http.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, r.Method+" "+r.URL.RequestURI())
			return false
		}})
		surveytest.Read(t, cluster, row)
		if diff := cmp.Diff([]string{want}, asked); diff != "" {
			t.Errorf("questions (-want +got):\n%s", diff)
		}
	}
	for name, c := range map[string]struct{ sources, want resource.Set }{
		"Roots": {resources.Roots, resource.Join(resources.CACerts, resources.CASecret, resources.RootCert, resources.MeshConfigs, resources.Istiods)},
		"Trust": {resources.Trust, resource.Join(resources.Roots, resources.RootCerts, resources.IstiodPods, resources.Namespaces, resources.RemoteSecrets, resources.Webhooks, resources.ValidatingWebhooks, resources.ReaderAccess, resources.Proxies, resources.IstioCSRs)},
	} {
		if !slices.Equal(slices.Sorted(slices.Values(files(c.sources))), slices.Sorted(slices.Values(files(c.want)))) {
			t.Errorf("%s is %v, want %v", name, files(c.sources), files(c.want))
		}
	}
}

func files(rows resource.Set) []string {
	var out []string
	for _, row := range rows {
		out = append(out, row.About().File)
	}
	return out
}

// All questions go out together, on one connection: a handshake costs as much as
// all of them.
func TestOneConnectionForEverything(t *testing.T) {
	const questions = 14 // of resources.Trust
	var asked, versions atomic.Int32
	together := make(chan struct{})
	cluster, handshakes := surveytest.ServeTLS(t, &apitest.Server{
		Objects: istiotest.Healthy("east").Clusters[0].Objects(),
		Before: func(_ http.ResponseWriter, r *http.Request) bool {
			if r.ProtoMajor == 2 {
				versions.Add(1)
			}
			if asked.Add(1) == questions {
				close(together)
			}
			select {
			case <-together: // nobody is answered before all have asked
			case <-time.After(3 * time.Second):
			}
			return false
		},
	})
	got := surveytest.Read(t, cluster, resources.Trust)
	if h, n := handshakes.Load(), asked.Load(); h != 1 || n != questions || versions.Load() != questions {
		t.Errorf("%d handshakes for %d questions, %d of them in HTTP/2", h, n, versions.Load())
	}
	select {
	case <-together:
	default:
		t.Error("the questions were not asked at the same time")
	}
	if resources.CACerts.Of(&got).State != facts.OK || len(resources.Namespaces.Of(&got).Value) == 0 {
		t.Errorf("cacerts %s, %d namespaces", resources.CACerts.Of(&got).State, len(resources.Namespaces.Of(&got).Value))
	}

	// A second survey has a connection of its own: it may be of other credentials.
	handshakes.Store(0)
	surveytest.Read(t, cluster, resources.RootCert)
	if h := handshakes.Load(); h != 1 {
		t.Errorf("%d handshakes", h)
	}
}

// page serves a list of namespaces in pages of as many as are asked for, at most size.
func page(n, size int, fail func(w http.ResponseWriter, from int) bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		from := 0
		_, _ = fmt.Sscanf(r.URL.Query().Get("continue"), "from-%d", &from)
		if r.URL.Query().Get("limit") != "500" {
			apitest.Refuse(w, http.StatusBadRequest, metav1.StatusReasonBadRequest)
			return
		}
		if fail != nil && fail(w, from) {
			return
		}
		var items []kruntime.Object
		for i := from; i < min(n, from+size); i++ {
			items = append(items, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("n%d", i)}})
		}
		next := ""
		if from+size < n {
			next = fmt.Sprintf("from-%d", from+size)
		}
		apitest.Answer(w, http.StatusOK, apitest.List(corev1.SchemeGroupVersion, "NamespaceList", next, items...))
	}
}

func TestListsAreReadToTheEnd(t *testing.T) {
	for _, n := range []int{0, 1, 3, 4, 10} {
		one := surveytest.Read(t, surveytest.Serve(t, page(n, 3, nil)), resources.Namespaces)
		got := resources.Namespaces.Of(&one)
		if got.State != facts.OK || len(got.Value) != n {
			t.Errorf("of %d namespaces there are %d, %s %s", n, len(got.Value), got.State, got.Reason)
		}
		for i, ns := range got.Value {
			if ns.Name != fmt.Sprintf("n%d", i) {
				t.Errorf("of %d namespaces the one at %d is %s", n, i, ns.Name)
			}
		}
	}
}

// Half a list is none: what is not in it would count as absent.
func TestAListThatBreaksOffIsNotKnown(t *testing.T) {
	for name, c := range map[string]struct {
		fail func(http.ResponseWriter)
		want facts.Read[[]corev1.Namespace]
	}{
		"an error":       {func(w http.ResponseWriter) { apitest.Refuse(w, 500, metav1.StatusReasonInternalError) }, facts.Read[[]corev1.Namespace]{State: facts.Failed, Reason: "the API server answered 500 InternalError"}},
		"it has expired": {func(w http.ResponseWriter) { apitest.Refuse(w, 410, metav1.StatusReasonExpired) }, facts.Read[[]corev1.Namespace]{State: facts.Failed, Reason: "the API server answered 410 Expired"}},
		"no rights":      {func(w http.ResponseWriter) { apitest.Refuse(w, 403, metav1.StatusReasonForbidden) }, facts.Read[[]corev1.Namespace]{State: facts.Forbidden, Reason: "forbidden"}},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := surveytest.Serve(t, page(10, 3, func(w http.ResponseWriter, from int) bool {
				if from == 6 {
					c.fail(w)
				}
				return from == 6
			}))
			got, _ := survey.Read(t.Context(), cluster, resources.Namespaces)
			if diff := cmp.Diff(c.want, resources.Namespaces.Of(&got)); diff != "" {
				t.Errorf("namespaces (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOutcomes(t *testing.T) {
	html := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(code)
			_, _ = io.WriteString(w, "<html>sign in, please</html>")
		}
	}
	refuse := func(code int32, reason metav1.StatusReason) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { apitest.Refuse(w, code, reason) }
	}
	failed := func(reason string) facts.Read[*corev1.Secret] {
		return facts.Read[*corev1.Secret]{State: facts.Failed, Reason: reason}
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   facts.Read[*corev1.Secret]
	}{
		"it does not exist":          {refuse(404, metav1.StatusReasonNotFound), facts.Read[*corev1.Secret]{State: facts.Absent}},
		"it may not be read":         {refuse(403, metav1.StatusReasonForbidden), facts.Read[*corev1.Secret]{State: facts.Forbidden, Reason: "forbidden"}},
		"the API server is in error": {refuse(500, metav1.StatusReasonInternalError), failed("the API server answered 500 InternalError")},
		"nobody is known":            {refuse(401, metav1.StatusReasonUnauthorized), failed("the API server answered 401 Unauthorized")},
		// These are pages of some other server, and say nothing about the Secret.
		"a page that is not found":  {html(404), failed("the API server answered 404 NotFound")},
		"a page that is forbidden":  {html(403), failed("the API server answered 403 Forbidden")},
		"a page that asks for more": {html(200), failed("the request failed")},
		"an answer that breaks off": {
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "100")
				_, _ = io.WriteString(w, "{")
			},
			failed("the request failed"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := surveytest.Serve(t, &apitest.Server{
				Objects: istiotest.Healthy("east").Clusters[0].Objects(),
				Before: func(w http.ResponseWriter, r *http.Request) bool {
					if strings.HasSuffix(r.URL.Path, "/cacerts") {
						c.answer(w, r)
						return true
					}
					return false
				},
			})
			got := surveytest.Read(t, cluster, resource.Join(resources.CACerts, resources.RootCert))
			if diff := cmp.Diff(c.want, resources.CACerts.Of(&got)); diff != "" {
				t.Errorf("cacerts (-want +got):\n%s", diff)
			}
			if resources.RootCert.Of(&got).State != facts.OK {
				t.Errorf("what failed has spoilt the rest: %+v", resources.RootCert.Of(&got))
			}
		})
	}
}

// What is too late is missing alone.
func TestASlowAnswer(t *testing.T) {
	cluster, _ := surveytest.ServeTLS(t, &apitest.Server{
		Objects: istiotest.Healthy("east").Clusters[0].Objects(),
		Before: func(_ http.ResponseWriter, r *http.Request) bool {
			slow := strings.HasPrefix(r.URL.Path, "/apis/admissionregistration")
			if slow {
				<-r.Context().Done()
			}
			return slow
		},
	})
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	got, err := survey.Read(ctx, cluster, resources.Trust)
	if err != nil || resources.Webhooks.Of(&got).State != facts.Failed || resources.Webhooks.Of(&got).Reason != "no answer in time" {
		t.Errorf("%v, %+v", err, resources.Webhooks.Of(&got))
	}
	if resources.RootCert.Of(&got).State != facts.OK || resources.Namespaces.Of(&got).State != facts.OK {
		t.Errorf("what was in time: %s, %s", resources.RootCert.Of(&got).State, resources.Namespaces.Of(&got).State)
	}
	if _, err := survey.Read(ctx, cluster, resources.Webhooks); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("where all is too late: %v", err)
	}
}

// A mesh config that does not exist is known to be none: istiod runs on defaults.
func TestMeshConfigsThatDoNotExist(t *testing.T) {
	one := surveytest.Read(t, surveytest.Serve(t, &apitest.Server{}), resources.MeshConfigs)
	got := resources.MeshConfigs.Of(&one)
	if got.State != facts.OK || len(got.Value) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestReadFailsWhereNothingIsAnswered(t *testing.T) {
	answering := func(f http.HandlerFunc) survey.Cluster { return surveytest.Serve(t, f) }
	forbidden := func(w http.ResponseWriter, _ *http.Request) { apitest.Refuse(w, 403, metav1.StatusReasonForbidden) }
	gone := surveytest.Serve(t, http.NotFoundHandler())
	gone.Config.Host = "http://127.0.0.1:1"
	for name, c := range map[string]struct {
		cluster survey.Cluster
		sources resource.Set
		want    string
	}{
		"everything is forbidden": {answering(forbidden), resources.Trust, survey.ErrNoRights.Error()},
		"one thing is not": {answering(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				(&apitest.Server{}).ServeHTTP(w, r)
				return
			}
			forbidden(w, r)
		}), resources.Trust, ""},
		// That it does not exist is an answer.
		"nothing exists":                {answering((&apitest.Server{}).ServeHTTP), resource.Join(resources.CACerts, resources.CASecret), ""},
		"another server":                {answering(http.NotFound), resources.Trust, "the server could not find the requested resource"},
		"nobody listens":                {gone, resources.Trust, "connection refused"},
		"nothing was asked":             {gone, nil, ""},
		"a failure among things denied": {answering(failingFor("/cacerts", forbidden)), resources.Roots, "InternalError"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := survey.Read(t.Context(), c.cluster, c.sources)
			switch {
			case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, want %q", err, c.want)
			}
			if got.Context != "east" || got.SystemNamespace != istiotest.System || got.Server != c.cluster.Config.Host {
				t.Errorf("whose facts these are: %q, %q, %q", got.Context, got.SystemNamespace, got.Server)
			}
		})
	}
}

// failingFor answers a path with an error, and others otherwise.
func failingFor(suffix string, otherwise http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, suffix) {
			apitest.Refuse(w, 500, metav1.StatusReasonInternalError)
			return
		}
		otherwise(w, r)
	}
}

func TestTheServerIsShownWithoutCredentials(t *testing.T) {
	got, _ := survey.Read(t.Context(), surveytest.At(&rest.Config{Host: "https://user:hunter2@127.0.0.1:1"}))
	if got.Server != "https://127.0.0.1:1" {
		t.Errorf("%s", got.Server)
	}
}

// Who may list deployments only where istiod is, still learns of istiod.
func TestIstiodsOfTheSystemNamespace(t *testing.T) {
	inAnother := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "istiod-other", Labels: map[string]string{"app": "istiod"}}}
	objects := append(istiotest.Healthy("east").Clusters[0].Objects(), inAnother)
	denying := func(paths ...string) *apitest.Server {
		return &apitest.Server{Objects: objects, Before: func(w http.ResponseWriter, r *http.Request) bool {
			denied := slices.Contains(paths, r.URL.Path)
			if denied {
				apitest.Refuse(w, 403, metav1.StatusReasonForbidden)
			}
			return denied
		}}
	}
	const everywhere, here = "/apis/apps/v1/deployments", "/apis/apps/v1/namespaces/istio-system/deployments"
	for name, c := range map[string]struct {
		server *apitest.Server
		state  facts.State
		want   []string
	}{
		"all namespaces may be read":   {denying(here), facts.OK, []string{"istiod", "istiod-other"}},
		"the system namespace may":     {denying(everywhere), facts.OK, []string{"istiod"}},
		"none may be read":             {denying(everywhere, here), facts.Forbidden, nil},
		"another failure is no denial": {&apitest.Server{Objects: objects, Before: brokenAt(everywhere)}, facts.Failed, nil},
	} {
		t.Run(name, func(t *testing.T) {
			one := surveytest.Read(t, surveytest.Serve(t, c.server), resource.Join(resources.Istiods, resources.RootCert))
			got := resources.Istiods.Of(&one)
			var names []string
			for _, d := range got.Value {
				names = append(names, d.Name)
			}
			if diff := cmp.Diff(c.want, names); diff != "" || got.State != c.state {
				t.Errorf("%s %s (-want +got):\n%s", got.State, got.Reason, diff)
			}
		})
	}
}

func brokenAt(path string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == path {
			apitest.Refuse(w, 500, metav1.StatusReasonInternalError)
		}
		return r.URL.Path == path
	}
}

// What is asked about the reader is the identity that other control planes use
// here, and what it needs (manifests/charts/base, istio-reader-clusterrole).
func TestReaderAccess(t *testing.T) {
	c := surveytest.Read(t, surveytest.Serve(t, &apitest.Server{}), resources.ReaderAccess)
	got := resources.ReaderAccess.Of(&c).Value
	if got.Spec.User != "system:serviceaccount:istio-system:istio-reader-service-account" ||
		!slices.Contains(got.Spec.Groups, "system:serviceaccounts:istio-system") || !slices.Contains(got.Spec.Groups, "system:authenticated") {
		t.Errorf("about whom: %+v", got.Spec)
	}
	if a := got.Spec.ResourceAttributes; a.Namespace != "istio-system" || a.Verb != "list" || a.Resource != "configmaps" || a.Group != "" {
		t.Errorf("about what: %+v", a)
	}
	if !got.Status.Allowed {
		t.Errorf("the answer: %+v", got.Status)
	}
}

// A credential plugin that fails is run once, and not once for each question.
func TestAPluginThatFailsRunsOnce(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the plugin of this test is a shell script")
	}
	ran := filepath.Join(t.TempDir(), "ran")
	plugin := filepath.Join(t.TempDir(), "plugin")
	if err := os.WriteFile(plugin, []byte("#!/bin/sh\necho x >> "+ran+"\nexit 7\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	cluster := surveytest.Serve(t, &apitest.Server{})
	cluster.Config.ExecProvider = &clientcmdapi.ExecConfig{
		Command: plugin, APIVersion: "client.authentication.k8s.io/v1", InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
	}
	_, err := survey.Read(t.Context(), cluster, resources.Trust)
	if err == nil || !strings.Contains(err.Error(), "exit code 7") {
		t.Errorf("%v", err)
	}
	if text, err := os.ReadFile(ran); err != nil || string(text) != "x\n" {
		t.Errorf("it ran %d times, %v", strings.Count(string(text), "x"), err)
	}
}
