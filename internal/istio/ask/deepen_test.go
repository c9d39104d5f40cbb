package ask_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kubectl-mesh/kubectl-mesh/internal/apitest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ask"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey/surveytest"
)

func TestDeepen(t *testing.T) {
	east := istiotest.Healthy("east").Clusters[0]
	east.Mesh["istio-canary"] = map[string]any{"trustDomain": "canary.local"}
	for range 60 {
		east.Sidecars = append(east.Sidecars, map[string]string{"CA_ADDR": "x"})
	}
	var asked atomic.Int32
	var limit atomic.Value
	server := &apitest.Server{Objects: east.Objects(), Before: func(w http.ResponseWriter, r *http.Request) bool {
		asked.Add(1)
		if strings.HasSuffix(r.URL.Path, "/pods") {
			limit.Store(r.URL.RawQuery)
		}
		if strings.HasSuffix(r.URL.Path, "/istio-denied") {
			apitest.Refuse(w, 403, metav1.StatusReasonForbidden)
			return true
		}
		return false
	}}
	cluster := surveytest.Serve(t, server)
	for name, c := range map[string]struct {
		names   []string
		proxies bool
		want    []string // names of mesh configs
		state   facts.State
		asked   int32
	}{
		"nothing to ask costs nothing":         {nil, false, []string{"istio"}, facts.OK, 0},
		"another revision":                     {[]string{"istio-canary"}, false, []string{"istio", "istio-canary"}, facts.OK, 1},
		"one that does not exist":              {[]string{"istio-old", "istio-canary"}, false, []string{"istio", "istio-canary"}, facts.OK, 2},
		"one that may not be read":             {[]string{"istio-denied"}, false, []string{"istio"}, facts.Forbidden, 1},
		"one that may not be read, and others": {[]string{"istio-denied", "istio-canary"}, false, []string{"istio", "istio-canary"}, facts.Forbidden, 2},
		"proxies":                              {nil, true, []string{"istio"}, facts.OK, 1},
	} {
		t.Run(name, func(t *testing.T) {
			got := surveytest.Read(t, cluster, resources.MeshConfigs)
			asked.Store(0)
			ask.Deepen(t.Context(), cluster, &got, c.names, c.proxies)
			var names []string
			for _, m := range resources.MeshConfigs.Of(&got).Value {
				names = append(names, m.Name)
			}
			if diff := cmp.Diff(c.want, names); diff != "" || resources.MeshConfigs.Of(&got).State != c.state {
				t.Errorf("mesh configs: %s (-want +got):\n%s", resources.MeshConfigs.Of(&got).State, diff)
			}
			if n := asked.Load(); n != c.asked {
				t.Errorf("%d questions, want %d", n, c.asked)
			}
			if known := resources.Proxies.Of(&got).State == facts.OK; known != c.proxies {
				t.Errorf("proxies: %s", resources.Proxies.Of(&got).State)
			}
		})
	}
	// The server gives no fewer, for it knows no limits: that it was told one matters.
	if query, _ := limit.Load().(string); query != "labelSelector=security.istio.io%2FtlsMode%3Distio&limit=50" {
		t.Errorf("proxies were asked for as %s", query)
	}

	t.Run("what was not known before is not made good", func(t *testing.T) {
		got := *resources.MeshConfigs.With(&facts.Cluster{}, facts.Read[[]corev1.ConfigMap]{State: facts.Failed, Reason: "no answer in time"})
		ask.Deepen(t.Context(), cluster, &got, []string{"istio-canary"}, false)
		if resources.MeshConfigs.Of(&got).State != facts.Failed || resources.MeshConfigs.Of(&got).Reason != "no answer in time" {
			t.Errorf("%s %s", resources.MeshConfigs.Of(&got).State, resources.MeshConfigs.Of(&got).Reason)
		}
	})
	t.Run("a cluster that has gone away meanwhile", func(t *testing.T) {
		got := surveytest.Read(t, cluster, resources.MeshConfigs)
		gone := cluster
		gone.Config = rest.CopyConfig(cluster.Config)
		gone.Config.Host = "http://127.0.0.1:1"
		ask.Deepen(t.Context(), gone, &got, []string{"istio-canary"}, true)
		if resources.MeshConfigs.Of(&got).State != facts.Failed || len(resources.MeshConfigs.Of(&got).Value) != 1 || resources.Proxies.Of(&got).State != facts.Failed {
			t.Errorf("mesh configs %+v, proxies %+v", resources.MeshConfigs.Of(&got), resources.Proxies.Of(&got))
		}
	})
}
