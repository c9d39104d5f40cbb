package bugreport_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/input"
	"github.com/kubectl-mesh/kubectl-mesh/internal/input/inputtest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/bugreport"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/envoy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
)

// dumpOfProxy is a configuration dump in Envoy's words, with a bit of each section.
const dumpOfProxy = `{"configs": [
 {"@type": "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump", "bootstrap": {"node": {"id": "sidecar~10.0.0.1"}}},
 {"@type": "type.googleapis.com/envoy.admin.v3.EndpointsConfigDump", "dynamic_endpoint_configs": [
  {"endpoint_config": {"@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
   "cluster_name": "outbound|80||cart.shop.svc.cluster.local", "endpoints": [{"locality": {}, "lb_endpoints": [
    {"endpoint": {"address": {"socket_address": {"address": "10.0.0.7", "port_value": 8080}}}, "health_status": "HEALTHY"}]}]}}]},
 {"@type": "type.googleapis.com/envoy.admin.v3.SecretsConfigDump", "dynamic_active_secrets": [
  {"name": "default", "secret": {"name": "default", "tls_certificate": {"certificate_chain": {"inline_bytes": "Y2hhaW4="}, "private_key": {"inline_bytes": "W3JlZGFjdGVkXQ=="}}}},
  {"name": "ROOTCA", "secret": {"name": "ROOTCA", "validation_context": {"trusted_ca": {"inline_bytes": "cm9vdHM="}}}}]}
]}`

// clustersOfProxy is the text of /clusters.
const clustersOfProxy = `outbound|80||cart.shop.svc.cluster.local::observability_name::outbound|80||cart.shop.svc.cluster.local
outbound|80||cart.shop.svc.cluster.local::default_priority::max_connections::4294967295
outbound|80||cart.shop.svc.cluster.local::10.0.0.7:8080::cx_active::3
outbound|80||cart.shop.svc.cluster.local::10.0.0.7:8080::health_flags::/failed_outlier_check/failed_eds_health
outbound|80||cart.shop.svc.cluster.local::[fd00::7]:8080::health_flags::healthy
outbound|80||cart.shop.svc.cluster.local::envoy://internal_client_address/::health_flags::healthy
`

func opened(t *testing.T, files inputtest.Files) *input.Source {
	t.Helper()
	f, err := input.FromText("report-east.tar.gz", files.TarGz(t))
	if err != nil {
		t.Fatal(err)
	}
	found, err := input.Sources(f, []input.Layout{bugreport.Layout{}}, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 {
		t.Fatalf("%d sources", len(found))
	}
	return found[0]
}

func TestSource(t *testing.T) {
	c := &inputtest.Cluster{Context: "kind-east", Server: "https://10.1.2.3:6443"}
	s := opened(t, c.BugReport(t, inputtest.Release{}))
	if s.Context != "kind-east" || s.Server != "https://10.1.2.3:6443" || s.By != "istioctl bug-report" || !s.Defined {
		t.Errorf("%q %q %q %v", s.Context, s.Server, s.By, s.Defined)
	}
	if got := string(s.Documents["/version"]); got != `{"gitVersion":"v1.32.5"}` {
		t.Error(got)
	}
	if s.At.Before(inputtest.At) || s.At.After(inputtest.At.Add(time.Minute)) {
		t.Errorf("as of %s", s.At)
	}
	files := c.BugReport(t, inputtest.Release{})
	delete(files, "bug-report/cluster/cluster-context")
	if s := opened(t, files); s.Context != "report-east" {
		t.Errorf("named %q", s.Context)
	}
}

// What istioctl asked for is known without its log, if a table shows that it asked everywhere.
func TestQuietLog(t *testing.T) {
	c := &inputtest.Cluster{Context: "east", Objects: []runtime.Object{
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "any"}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "any"}},
	}}
	for name, want := range map[string]struct {
		release inputtest.Release
		whole   bool
	}{
		"a table of all namespaces": {inputtest.Release{Split: true, Quiet: true}, true},
		"one namespace":             {inputtest.Release{Split: true, Quiet: true, Only: "shop"}, false},
		"Secrets as they are":       {inputtest.Release{Split: true, Quiet: true, FullSecrets: true}, false},
		"an older release":          {inputtest.Release{Quiet: true}, false},
	} {
		files := c.BugReport(t, want.release)
		if want.release.Only != "" { // kubectl shows no namespaces where it was told one
			files["bug-report/cluster/secrets"] = "NAME   TYPE     DATA   AGE\nany    Opaque   0      1d\n"
		}
		got := opened(t, files).Holds(&input.Found{}, resources.NetworkPolicies, "istio-system")
		if got.Whole != want.whole || want.whole == (got.Why != "") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// The version of the API server is found in what kubectl of all releases says.
func TestVersions(t *testing.T) {
	for text, want := range map[string]string{
		"Client Version: v1.33.1\nServer Version: v1.33.5-eks-113cf36\n":                                `{"gitVersion":"v1.33.5-eks-113cf36"}`,
		`Server Version: version.Info{Major:"1", Minor:"20", GitVersion:"v1.20.7+k3s1", GitCommit:"x"}`: `{"gitVersion":"v1.20.7+k3s1"}`,
		"Client Version: v1.33.1\n": "",
	} {
		c := &inputtest.Cluster{Context: "east"}
		files := c.BugReport(t, inputtest.Release{})
		files["bug-report/cluster/kubectl-version"] = text
		if got := string(opened(t, files).Documents["/version"]); got != want {
			t.Errorf("%q: %s", text, got)
		}
	}
}

func TestAnswers(t *testing.T) {
	c := &inputtest.Cluster{
		Context: "east",
		Istiods: map[string]string{"istio-system/istiod-0/debug/clusterz": `[{"id":"east","syncStatus":"synced"}]`},
		Proxies: map[string]string{"shop/cart-0/config_dump?include_eds": dumpOfProxy, "shop/cart-0/clusters": clustersOfProxy, "shop/web-0/clusters": "x"},
	}
	s := opened(t, c.BugReport(t, inputtest.Release{}))
	ask := func(pod, path string) []byte {
		t.Helper()
		namespace, name := "shop", pod
		if pod == "istiod-0" {
			namespace = "istio-system"
		}
		text, err := s.Answers.Answer(podaccess.Pod{Namespace: namespace, Name: name}, path)
		if err != nil {
			t.Fatalf("%s %s: %v", pod, path, err)
		}
		return text
	}
	if got := string(ask("istiod-0", "/debug/clusterz")); got != c.Istiods["istio-system/istiod-0/debug/clusterz"] {
		t.Error(got)
	}
	chain, roots, err := envoy.ReadSecrets(bytes.NewReader(ask("cart-0", envoy.SecretsPath)))
	if err != nil || string(chain) != "chain" || string(roots) != "roots" {
		t.Errorf("%s, %s, %v", chain, roots, err)
	}
	all := func(string) bool { return true }
	clusters, err := envoy.ReadEndpoints(bytes.NewReader(ask("cart-0", envoy.EndpointsPath([]string{"cart.shop.svc.cluster.local"}))), all)
	if err != nil || len(clusters) != 1 || len(clusters[0].Endpoints) != 1 || clusters[0].Endpoints[0].String() != "10.0.0.7:8080" {
		t.Fatalf("%+v, %v", clusters, err)
	}
	health, err := envoy.ReadHealth(bytes.NewReader(ask("cart-0", envoy.HealthPath)), all)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]envoy.Health{"10.0.0.7:8080": {Told: "UNHEALTHY", Flags: []string{envoy.FailedOutlierCheck}}, "[fd00::7]:8080": {Told: "HEALTHY"}}
	if diff := cmp.Diff(want, health["outbound|80||cart.shop.svc.cluster.local"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for pod, path := range map[string]string{
		"web-0": envoy.SecretsPath, "other-0": envoy.HealthPath, "istiod-0": "/debug/syncz", "cart-0": envoy.DebugPath("shop", "cart-0"),
	} {
		if _, err := s.Answers.Answer(podaccess.Pod{Namespace: "shop", Name: pod}, path); !errors.Is(err, podaccess.ErrUnanswered) {
			t.Errorf("%s %s: %v", pod, path, err)
		}
	}
}
