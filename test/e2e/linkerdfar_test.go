package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-mesh/kubectl-mesh/internal/apitest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/linkerdtest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

const (
	farAway = 80 * time.Millisecond
	// mostFar is how long a check of the far fleet may take, the fastest of some.
	mostFar = 2500 * time.Millisecond
)

// What ten clusters cost that are far away, in pairs of Linkerd, depends neither on how many mirrors they have
// nor on how many Links. Their API servers are in memory: several contexts for one API server would be
// one cluster, as the uid of its namespace kube-system tells (FLT009).
func TestFarLinkerdFleet(t *testing.T) {
	requests := map[int]int64{}
	for _, mirrors := range []int{1, 40} { // of each pair
		kubeconfig, contexts, asked := farPairs(t, 5, mirrors)
		var fastest time.Duration
		for range 3 {
			asked.Store(0)
			doc, out := checkUp(t, kubeconfig, "--contexts", strings.Join(contexts, ","))
			if found := causes(doc); len(found) > 0 || len(doc.Clusters) != len(contexts) || doc.Summary.Unchecked > 0 {
				t.Fatalf("%d mirrors: found %v; not checked: %+v\n%s", mirrors, found, doc.Unknowns, out.stderr)
			}
			if fastest == 0 || out.took < fastest {
				fastest = out.took
			}
		}
		requests[mirrors] = asked.Load()
		t.Logf("%d mirrors of each pair: %s, %d requests", mirrors, fastest, asked.Load())
		if fastest > mostFar {
			t.Errorf("%d mirrors of each pair: it takes %s, more than %s", mirrors, fastest, mostFar)
		}
	}
	if requests[1] != requests[40] || requests[1] == 0 {
		t.Errorf("requests by the mirrors of a pair: %v", requests)
	}
}

// farPairs are pairs of linked clusters, each of a source and a target, and what they are asked.
func farPairs(t *testing.T, pairs, mirrors int) (kubeconfig string, contexts []string, asked *atomic.Int64) {
	t.Helper()
	asked = new(atomic.Int64)
	recorded := linkerdtest.Healthy(t)
	var clusters, users, entries []any
	for pair := range pairs {
		handlers, urls := map[string]*apitest.Server{}, map[string]string{}
		for i := range recorded.Clusters {
			name := recorded.Clusters[i].Context
			handlers[name] = &apitest.Server{}
			server := httptest.NewUnstartedServer(counting(handlers[name], asked))
			server.EnableHTTP2, server.Config.ErrorLog = true, log.New(io.Discard, "", 0)
			server.StartTLS()
			t.Cleanup(server.Close)
			proxy, err := bed.DelayProxy(server.URL, farAway)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = proxy.Close() })
			urls[name] = proxy.URL()
			context := fmt.Sprintf("%s-%d", name, pair)
			contexts = append(contexts, context)
			clusters = append(clusters, map[string]any{"name": context, "cluster": map[string]any{"server": proxy.URL(), "insecure-skip-tls-verify": true}})
			users = append(users, map[string]any{"name": context, "user": map[string]any{"token": "any"}})
			entries = append(entries, map[string]any{"name": context, "context": map[string]any{"cluster": context, "user": context}})
		}
		for n := range recorded.Clusters {
			c := &recorded.Clusters[n]
			seen := map[string]bool{}
			for _, row := range resources.All {
				for _, o := range row.Objects(c) {
					if id := fmt.Sprintf("%T %s", o, resource.Key(o)); !seen[id] {
						seen[id] = true
						o = ofPair(live(t, o, urls[recorded.Clusters[1-n].Context]), fmt.Sprintf("%s-%d", c.Context, pair))
						handlers[c.Context].Objects = append(handlers[c.Context].Objects, copiesOf(o, mirrors)...)
					}
				}
			}
		}
	}
	text, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": contexts[0], "clusters": clusters, "users": users, "contexts": entries,
	})
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig = filepath.Join(t.TempDir(), "far")
	if err := os.WriteFile(kubeconfig, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return kubeconfig, contexts, asked
}

func counting(next http.Handler, asked *atomic.Int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		next.ServeHTTP(w, r)
	})
}

// ofPair gives an object what no other cluster has: the uid of the cluster, and those of its accounts.
func ofPair(o runtime.Object, cluster string) runtime.Object {
	switch o := o.(type) {
	case *corev1.Namespace:
		if o.Name == metav1.NamespaceSystem {
			o.UID = types.UID("uid-of-" + cluster)
		}
	case *coordinationv1.Lease:
		now := metav1.NowMicro()
		o.Spec.RenewTime = &now
	}
	return o
}

// copiesOf are an object, and so many in all of what the exported service web is, or its mirror.
func copiesOf(o runtime.Object, n int) []runtime.Object {
	out := []runtime.Object{o}
	if n <= 1 {
		return out
	}
	named := func(name string, i int) string {
		base, mirror := strings.CutSuffix(name, "-west")
		base = fmt.Sprintf("%s-%02d", base, i)
		if mirror {
			base += "-west"
		}
		return base
	}
	wanted := []string{"web", "web-west"}
	for i := range n - 1 {
		switch o := o.(type) {
		case *corev1.Service:
			if !slices.Contains(wanted, o.Name) || o.Namespace != "shop" {
				return out
			}
			s := o.DeepCopy()
			s.Name = named(o.Name, i)
			const remote = resources.AnnotationRemoteName
			if of := s.Annotations[remote]; of != "" {
				s.Annotations[remote] = strings.Replace(of, "web.", named("web", i)+".", 1)
			}
			out = append(out, s)
		case *corev1.Endpoints:
			if !slices.Contains(wanted, o.Name) || o.Namespace != "shop" {
				return out
			}
			e := o.DeepCopy()
			e.Name = named(o.Name, i)
			const remote = resources.AnnotationRemoteName
			if of := e.Annotations[remote]; of != "" {
				e.Annotations[remote] = strings.Replace(of, "web.", named("web", i)+".", 1)
			}
			out = append(out, e)
		case *discoveryv1.EndpointSlice:
			service := o.Labels[discoveryv1.LabelServiceName]
			if !slices.Contains(wanted, service) || o.Namespace != "shop" {
				return out
			}
			s := o.DeepCopy()
			s.Name, s.Labels[discoveryv1.LabelServiceName] = fmt.Sprintf("%s-%02d", o.Name, i), named(service, i)
			out = append(out, s)
		default:
			return out
		}
	}
	return out
}
