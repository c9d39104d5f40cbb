package survey

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kubectl-mesh/kubectl-mesh/internal/apitest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// watchedRows are a list of all namespaces, one of the system namespace by a label, of which there is the whole below, one
// object, and rows that are not watched.
var watchedRows = resource.Set{
	resources.Services, resources.RemoteSecrets, resources.CACerts, resources.Leases, resources.ReaderAccess, resources.Version,
	resources.GatewayEvents, resources.Sidecars, resources.Gateways, resources.Istiods,
}

// watcher watches a server, and counts how often something changed.
type watcher struct {
	*Watcher
	t       *testing.T
	heard   atomic.Int32
	mu      sync.Mutex
	watches []string // what was asked for, as a path and its selectors
	lists   []string
}

// watchServer watches what there is at a server. quick are its times. before sees requests first.
func watchServer(t *testing.T, served *apitest.Watched, before func(http.ResponseWriter, *http.Request) bool) *watcher {
	t.Helper()
	w := &watcher{t: t}
	served.Before = func(out http.ResponseWriter, r *http.Request) bool {
		q := r.URL.Query()
		line := r.URL.Path + " " + q.Get("labelSelector") + " " + q.Get("fieldSelector")
		w.mu.Lock()
		if q.Get("watch") == "true" {
			w.watches = append(w.watches, strings.TrimSpace(line))
			if q.Get("allowWatchBookmarks") != "true" {
				t.Errorf("%s: no bookmarks", line)
			}
		} else if q.Get("limit") == "1" {
			w.lists = append(w.lists, strings.TrimSpace(line))
		}
		w.mu.Unlock()
		if !strings.Contains(r.Header.Get("Accept"), "PartialObjectMetadata") {
			t.Errorf("%s: more than the metadata is asked for: %s", line, r.Header.Get("Accept"))
		}
		return before != nil && before(out, r)
	}
	server := httptest.NewServer(served)
	t.Cleanup(func() {
		served.Break()
		server.CloseClientConnections()
		server.Close()
	})
	var err error
	w.Watcher, err = Watch(t.Context(), Cluster{Config: &rest.Config{Host: server.URL, QPS: -1}, Namespace: "istio-system"}, func() { w.heard.Add(1) })
	if err != nil {
		t.Fatal(err)
	}
	w.times = times{
		opening: 2 * time.Second, shortest: 10 * time.Millisecond, longest: 20 * time.Millisecond, lasting: time.Hour,
		refused: 100 * time.Millisecond, steady: 20 * time.Millisecond,
	}
	return w
}

// cluster has all rows read, but for those that say otherwise.
func watchedCluster() *facts.Cluster {
	c := &facts.Cluster{Context: "east", SystemNamespace: "istio-system"}
	for _, row := range watchedRows {
		row.SetState(c, facts.OK, "")
	}
	resources.CACerts.SetState(c, facts.Absent, "")
	resources.Sidecars.SetState(c, facts.Absent, "")
	resources.Gateways.SetServed(c, "v1alpha3")
	return c
}

// eventually waits until something is so.
func (w *watcher) eventually(what string, so func() bool) {
	w.t.Helper()
	for end := time.Now().Add(10 * time.Second); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("never: %s (heard %d times, %+v)", what, w.heard.Load(), w.Trouble())
		}
	}
}

func service(name string) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
}

// What was read is watched, by its metadata, and each change is heard; what is of no use as a signal is not watched.
func TestWatch(t *testing.T) {
	served := apitest.NewWatched(service("cart"))
	w := watchServer(t, served, nil)
	c := watchedCluster()
	w.Follow(c, watchedRows)
	w.eventually("all are open", func() bool { now, _ := served.Watches(); return now == 5 && w.heard.Load() == 5 })
	w.mu.Lock()
	slices.Sort(w.watches)
	slices.Sort(w.lists)
	watches, lists := w.watches, w.lists
	w.mu.Unlock()
	if diff := cmp.Diff([]string{
		"/api/v1/namespaces/istio-system/secrets  metadata.name=cacerts",
		"/api/v1/namespaces/istio-system/secrets istio/multiCluster=true",
		"/api/v1/services",
		"/apis/apps/v1/deployments app=istiod",
		"/apis/networking.istio.io/v1alpha3/gateways",
	}, watches); diff != "" {
		t.Errorf("watches (-want +got):\n%s", diff)
	}
	// Of one object nobody asks what there is before.
	if len(lists) != 4 || strings.Contains(strings.Join(lists, "\n"), "cacerts") {
		t.Errorf("lists before: %v", lists)
	}

	for _, change := range []func(){
		func() { served.Put(service("pay")) }, func() { served.Put(service("pay")) }, func() { served.Delete(service("pay")) },
		func() {
			served.Put(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "istio-system", Name: "cacerts"}})
		},
	} {
		before := w.heard.Load()
		change()
		w.eventually("a change is heard", func() bool { return w.heard.Load() == before+1 })
	}
	before := w.heard.Load()
	served.Put(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "istio-system", Name: "another"}})

	// Watches end, and go on from where they were: what changed meanwhile is heard, and nothing is asked for anew.
	served.Break()
	served.Put(service("late"))
	w.eventually("what changed meanwhile is heard", func() bool { return w.heard.Load() == before+1 })
	w.eventually("all go on", func() bool { now, opened := served.Watches(); return now == 5 && opened >= 10 })
	w.mu.Lock()
	if len(w.lists) != 4 {
		t.Errorf("lists: %v", w.lists)
	}
	w.mu.Unlock()
	if !w.Trouble().None() || w.heard.Load() != before+1 {
		t.Errorf("%+v, heard %d times more", w.Trouble(), w.heard.Load()-before)
	}

	// What is not there any more, or not read, is not watched.
	resources.Gateways.SetState(c, facts.Absent, "")
	resources.Istiods.SetState(c, facts.Forbidden, "forbidden")
	w.Follow(c, watchedRows)
	w.eventually("some are closed", func() bool { now, _ := served.Watches(); return now == 3 })
	w.Stop()
	w.eventually("all are closed", func() bool { now, _ := served.Watches(); return now == 0 })
}

// A watch that has become too old begins anew, and says that something may have changed.
func TestWatchThatExpired(t *testing.T) {
	served := apitest.NewWatched()
	for name, expire := range map[string]func(out http.ResponseWriter){
		"as an answer": func(out http.ResponseWriter) { apitest.Refuse(out, http.StatusGone, metav1.StatusReasonExpired) },
		"as an event": func(out http.ResponseWriter) {
			apitest.Answer(out, http.StatusOK, map[string]any{"type": "ERROR", "object": metav1.Status{Code: http.StatusGone, Reason: metav1.StatusReasonExpired}})
		},
		"as no event": func(out http.ResponseWriter) { _, _ = out.Write([]byte("<html>")) },
		"as one too many": func(out http.ResponseWriter) {
			_, _ = out.Write([]byte(`{"type":"` + strings.Repeat("x", mostEvent+1)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			w := watchServer(t, served, func(out http.ResponseWriter, r *http.Request) bool {
				if r.URL.Query().Get("watch") != "true" || asked.Add(1) > 1 {
					return false
				}
				expire(out)
				return true
			})
			w.Follow(watchedCluster(), resource.Set{resources.Services})
			w.eventually("it is open again", func() bool { now, _ := served.Watches(); return now == 1 && w.heard.Load() >= 1 })
			before := w.heard.Load()
			served.Put(service("cart"))
			w.eventually("a change is heard", func() bool { return w.heard.Load() > before })
			if !w.Trouble().None() {
				t.Errorf("%+v", w.Trouble())
			}
			w.Stop()
		})
	}
}

// What cannot be watched is said, and tried again.
func TestTroubleOfWatches(t *testing.T) {
	for name, c := range map[string]struct {
		fail    func(http.ResponseWriter, *http.Request)
		refused []string
		err     string
	}{
		"forbidden": {
			fail: func(out http.ResponseWriter, _ *http.Request) {
				apitest.Refuse(out, http.StatusForbidden, metav1.StatusReasonForbidden)
			},
			refused: []string{"gateways.networking.istio.io", "services"},
		},
		"not offered": {
			fail: func(out http.ResponseWriter, _ *http.Request) {
				apitest.Refuse(out, http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed)
			},
			refused: []string{"gateways.networking.istio.io", "services"},
		},
		"it broke": {
			fail: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, err: "EOF",
		},
		"it hangs": {
			fail: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, err: "no answer in time",
		},
		"it ends at once": {
			fail: func(out http.ResponseWriter, _ *http.Request) { out.WriteHeader(http.StatusOK) }, err: "it ends at once",
		},
		"it is no watch": {
			fail: func(out http.ResponseWriter, _ *http.Request) { _, _ = out.Write([]byte("<html>")) }, err: "it ends at once",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var well atomic.Bool
			served := apitest.NewWatched()
			w := watchServer(t, served, func(out http.ResponseWriter, r *http.Request) bool {
				if r.URL.Query().Get("watch") != "true" || well.Load() {
					return false
				}
				c.fail(out, r)
				return true
			})
			w.Follow(watchedCluster(), resource.Set{resources.Services, resources.Gateways})
			w.eventually("both are in trouble", func() bool { return len(w.Trouble().Refused)+len(w.Trouble().Broken) == 2 })
			is := w.Trouble()
			if diff := cmp.Diff(c.refused, is.Refused); diff != "" && len(c.refused) > 0 || (is.Err == nil) != (c.err == "") || c.err != "" && !strings.Contains(is.Err.Error(), c.err) {
				t.Errorf("%+v\n%s", is, diff)
			}
			heard := w.heard.Load()
			if heard < 2 {
				t.Errorf("somebody is told %d times", heard)
			}
			time.Sleep(200 * time.Millisecond)
			if now := w.heard.Load(); now > heard+1 {
				t.Errorf("it is told again and again: %d times", now)
			}
			well.Store(true)
			w.eventually("it is over, and told", func() bool { return w.Trouble().None() && w.heard.Load() >= heard+2 })
			w.Stop()
		})
	}
}

// Who may not watch all namespaces watches the system namespace, where that is what is read then.
func TestWatchOfTheSystemNamespace(t *testing.T) {
	served := apitest.NewWatched()
	w := watchServer(t, served, func(out http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/namespaces/") {
			return false
		}
		apitest.Refuse(out, http.StatusForbidden, metav1.StatusReasonForbidden)
		return true
	})
	w.Follow(watchedCluster(), resource.Set{resources.Istiods})
	w.eventually("it is open", func() bool { now, _ := served.Watches(); return now == 1 })
	if !w.Trouble().None() {
		t.Errorf("%+v", w.Trouble())
	}
	w.Stop()
}
