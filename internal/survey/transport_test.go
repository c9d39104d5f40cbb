package survey_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource/kubernetes"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// serve starts a TLS server that speaks HTTP/2, or HTTP/1.1 alone, and counts its connections.
func serve(t *testing.T, http2 bool, answer http.HandlerFunc) (*rest.Config, *atomic.Int32) {
	t.Helper()
	var opened atomic.Int32
	s := httptest.NewUnstartedServer(answer)
	s.EnableHTTP2 = http2
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return &rest.Config{
		Host: s.URL, BearerToken: "the-users-own", TLSClientConfig: rest.TLSClientConfig{Insecure: true},
	}, &opened
}

// empty answers as an API server that has nothing.
func empty(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/"); {
	case strings.Contains(r.URL.Path, "networking.istio.io"), strings.Contains(r.URL.Path, "/configmaps/"), strings.Contains(r.URL.Path, "/secrets/"):
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`)
	default:
		kinds := map[string]string{
			"namespaces": "NamespaceList", "pods": "PodList", "services": "ServiceList", "nodes": "NodeList", "deployments": "DeploymentList",
		}
		group := "v1"
		if parts[0] == "apis" {
			group = parts[1] + "/" + parts[2]
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"kind": kinds[parts[len(parts)-1]], "apiVersion": group, "items": []any{}})
	}
}

var some = []string{"namespaces", "pods", "services", "nodes"}

// lists asks for lists side by side, and returns how each ended, and how long all took.
func lists(t *testing.T, config *rest.Config, timeout time.Duration, resources ...string) (map[string]error, time.Duration) {
	t.Helper()
	a, err := survey.Connect(config)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	began := time.Now()
	type ended struct {
		of  string
		err error
	}
	all := make(chan ended)
	for _, of := range resources {
		go func() {
			into := map[string]runtime.Object{
				"namespaces": &corev1.NamespaceList{}, "pods": &corev1.PodList{}, "services": &corev1.ServiceList{}, "nodes": &corev1.NodeList{},
			}[of]
			all <- ended{of, survey.Into(survey.Do(ctx, a.Core.Get().Resource(of)), into)}
		}()
	}
	out := map[string]error{}
	for range resources {
		e := <-all
		out[e.of] = e.err
	}
	return out, time.Since(began)
}

// Credentials and questions are for the server of the kubeconfig alone: nothing follows a
// redirect, and the reason says where it leads.
func TestNoRedirectIsFollowed(t *testing.T) {
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		config, _ := serve(t, true, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL+"/login?next=x", status) })
		got, _ := lists(t, config, 10*time.Second, "pods")
		if reason := survey.ReasonOf(got["pods"]); !strings.Contains(reason, "redirect ("+fmt.Sprint(status)+") to "+strings.TrimPrefix(other.URL, "http://")) {
			t.Errorf("%d: %s", status, reason)
		}
		a, err := survey.Connect(config)
		if err != nil {
			t.Fatal(err)
		}
		err = survey.Into(survey.Do(t.Context(), a.Authentication.Post().Resource("tokenreviews").Body(&corev1.Pod{})), &corev1.Pod{})
		if redirect := (*survey.RedirectError)(nil); !errors.As(err, &redirect) || redirect.Status != status {
			t.Errorf("%d: a question: %v", status, err)
		}
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("%d requests went elsewhere", n)
	}
}

// With HTTP/2 all requests share one connection.
func TestOneConnectionWithHTTP2(t *testing.T) {
	config, opened := serve(t, true, empty)
	got, _ := lists(t, config, 10*time.Second, some...)
	for of, err := range got {
		if err != nil {
			t.Errorf("%s: %v", of, err)
		}
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("%d connections were opened", n)
	}
}

// With HTTP/1.1 a request that hangs holds up no other one, and slow answers do not add up.
func TestSeveralConnectionsWithHTTP1(t *testing.T) {
	for _, hanging := range some {
		config, _ := serve(t, false, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, hanging) {
				<-r.Context().Done()
				return
			}
			empty(w, r)
		})
		got, _ := lists(t, config, 500*time.Millisecond, some...)
		for of, err := range got {
			if (err != nil) != (of == hanging) {
				t.Errorf("%s hangs, and %s ends with %v", hanging, of, err)
			}
		}
	}
	const slow = 300 * time.Millisecond
	config, opened := serve(t, false, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(slow)
		empty(w, r)
	})
	got, took := lists(t, config, 10*time.Second, some...)
	for of, err := range got {
		if err != nil {
			t.Errorf("%s: %v", of, err)
		}
	}
	if took >= time.Duration(len(some))*slow {
		t.Errorf("%d answers of %s took %s: one after another", len(some), slow, took)
	}
	if n := opened.Load(); n < 2 || n > 8 {
		t.Errorf("%d connections were opened", n)
	}
}

// A server that sends without end costs its own row, and a bounded amount of memory.
func TestAnswersAreBounded(t *testing.T) {
	var sent atomic.Int64
	config, _ := serve(t, true, func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "pods") {
			empty(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		for chunk := []byte(`{"kind":"PodList","apiVersion":"v1","items":[` + strings.Repeat(" ", 1<<20)); r.Context().Err() == nil; {
			if _, err := z.Write(chunk); err != nil {
				return
			}
			sent.Add(int64(len(chunk)))
		}
	})
	got, _ := lists(t, config, time.Minute, some...)
	for of, err := range got {
		if (err != nil) != (of == "pods") {
			t.Errorf("%s ends with %v", of, err)
		}
	}
	if reason := survey.ReasonOf(got["pods"]); !strings.Contains(reason, "larger than 32 MB") {
		t.Errorf("the reason: %s", reason)
	}
	if n := sent.Load(); n > 200<<20 {
		t.Errorf("%d MB were taken", n>>20)
	}
}

// What is no answer of an API server is no empty list.
func TestWhatIsNoList(t *testing.T) {
	for name, body := range map[string]string{
		"null": `null`, "another list": `{"kind":"NodeList","apiVersion":"v1","items":[]}`, "no kind": `{"items":[]}`,
		"one object": `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"x"}}`, "an array": `[]`, "nothing": ``,
	} {
		config, _ := serve(t, true, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, body)
		})
		got, _ := lists(t, config, 10*time.Second, "pods")
		if reason := survey.ReasonOf(got["pods"]); got["pods"] == nil || (name == "null" || name == "another list") && !strings.Contains(reason, "the answer is") {
			t.Errorf("%s passes for a list of pods, or is not named: %s", name, reason)
		}
		a, err := survey.Connect(config)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := survey.Get(t.Context(), a.Core, "namespaces", "", "kube-system", kubernetes.TrimNamespace); err == nil {
			t.Errorf("%s passes for a namespace", name)
		}
	}
	config, _ := serve(t, true, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"default"}}`)
	})
	a, err := survey.Connect(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := survey.Get(t.Context(), a.Core, "namespaces", "", "kube-system", kubernetes.TrimNamespace); err == nil {
		t.Error("another namespace passes for kube-system")
	}
}

// An API server that refuses for now is named as that, and not as one that does not answer.
func TestRefusedForNow(t *testing.T) {
	for _, after := range []string{"1", "3600"} {
		for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
			var asked atomic.Int32
			config, _ := serve(t, true, func(w http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				w.Header().Set("Retry-After", after)
				w.WriteHeader(status)
			})
			got, took := lists(t, config, 10*time.Second, "pods")
			answer := apierrors.APIStatus(nil)
			if !errors.As(got["pods"], &answer) || int(answer.Status().Code) != status {
				t.Errorf("%d after %s s: %v", status, after, got["pods"])
			}
			if n := asked.Load(); after == "1" && n != 3 || after != "1" && n != 1 {
				t.Errorf("%d after %s s: asked %d times", status, after, n)
			}
			if took > 5*time.Second {
				t.Errorf("%d after %s s: it took %s", status, after, took)
			}
		}
	}
}

// A list whose pages lead to themselves ends.
func TestEndlessList(t *testing.T) {
	var asked atomic.Int32
	config, _ := serve(t, true, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"kind":"PodList","apiVersion":"v1","metadata":{"continue":"again"},"items":[]}`)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := survey.Read(ctx, survey.Cluster{Context: "east", Config: config, Namespace: "istio-system"}, resource.Set{resources.Pods})
	if err == nil || !strings.Contains(survey.ReasonOf(err), "does not end") {
		t.Errorf("it ends with %v", err)
	}
	if n := asked.Load(); n > 4 {
		t.Errorf("asked %d times", n)
	}
}
