package e2e

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/ads"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// With real API servers and istiods mesh-check says that all is well, in numbers that add up, and
// names what is planted then: pods that the API server refuses, a webhook that a removed revision left, a
// namespace that asks for a revision which is gone. Each other area stays ok.
func TestCheckOnRealControlPlanes(t *testing.T) {
	t.Parallel() // it waits most of the time, and has a fleet of its own
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	gateway := func(ip string) topology.Contents {
		return topology.Contents{Gateways: []topology.Gateway{{IPs: []string{ip}}}}
	}
	fleet := startTopology(t, ctx, topology.Topology{
		Everywhere: topology.Contents{
			Namespaces: []topology.Namespace{{Name: "shop", Labels: map[string]string{"istio-injection": "enabled"}}},
			Services:   []topology.Service{{Namespace: "shop", Name: "cart"}},
			Workloads:  []topology.Workload{{Namespace: "shop", Name: "cart"}},
		},
		Clusters: []topology.Cluster{
			{Name: "east", Network: "n1", Contents: gateway("127.1.0.1")}, {Name: "west", Network: "n2", Contents: gateway("127.1.0.2")},
		},
	})
	connectAll(t, ctx, fleet, fleet.Mesh(), "east", "west")
	for _, name := range []string{"east", "west"} {
		connectGateway(t, ctx, fleet, name)
	}
	check := func(args ...string) outcome {
		return mesh(t, options{program: checkBinary, kubeconfig: fleet.Kubeconfig()}, append([]string{"--context", "east"}, args...)...)
	}
	allOK := []string{
		"ok clusters", "ok control-plane", "ok versions", "ok injection", "ok proxies", "ok trust", "ok networks", "ok discovery", "ok services",
	}
	if diff := cmp.Diff(allOK, strings.Split(strings.TrimSpace(check("-o", "name").stdout), "\n")); diff != "" {
		t.Fatalf("areas of a healthy fleet (-want +got):\n%s", diff)
	}
	if out := check("-q"); out.code != 0 || out.stdout != "2 clusters: healthy, every rule checked\n" {
		t.Errorf("exit code %d, last line %q", out.code, out.stdout)
	}
	var doc report.CheckUp
	if err := json.Unmarshal([]byte(check("-o", "json").stdout), &doc); err != nil {
		t.Fatal(err)
	}
	for _, c := range doc.Clusters {
		if len(c.Meshes) != 1 || c.Meshes[0].Proxies == nil || c.Meshes[0].ControlPlane == nil {
			t.Fatalf("%s: %+v", c.Context, c.Meshes)
		}
		if m := c.Meshes[0]; m.ControlPlane.Ready != 1 || m.ControlPlane.Total != 1 || m.Proxies.Total != 2 || m.Proxies.Ready != 2 || m.Kubernetes == "" {
			t.Errorf("%s: control plane %v, proxies %v, Kubernetes %q", c.Context, *m.ControlPlane, *m.Proxies, m.Kubernetes)
		}
	}

	plantControlPlaneFaults(t, ctx, fleet)
	time.Sleep(130 * time.Second) // nothing younger than two minutes counts
	want := map[string]string{"CP024": "west", "CP026": "west", "CP020": "east"}
	got := map[string]string{}
	out := check("-o", "json")
	doc = report.CheckUp{}
	if err := json.Unmarshal([]byte(out.stdout), &doc); err != nil {
		t.Fatal(err)
	}
	for _, c := range doc.Causes {
		got[string(c.Code)] = strings.Join(c.Clusters, ",")
	}
	if diff := cmp.Diff(want, got); diff != "" || out.code != 1 {
		t.Errorf("exit code %d; causes by code, with their clusters (-want +got):\n%s", out.code, diff)
	}
	for _, a := range doc.Areas {
		if want := map[bool]string{true: "error", false: "ok"}[a.Area == "injection"]; string(a.State) != want {
			t.Errorf("area %s is %s, want %s: %s", a.Area, a.State, want, a.What)
		}
	}
}

// connectGateway connects the proxy of a cluster's gateway to its control plane.
func connectGateway(t *testing.T, ctx context.Context, fleet *bed.Fleet, cluster string) {
	t.Helper()
	pod, err := admin(t, fleet, cluster).CoreV1().Pods(topology.SystemNamespace).Get(ctx, "istio-eastwestgateway-0", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := ads.FromPod(pod)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ads.Connect(ctx, fleet.Mesh().Istiod(cluster).GRPC(), proxy, ads.WithoutListeners())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
}

func plantControlPlaneFaults(t *testing.T, ctx context.Context, fleet *bed.Fleet) {
	t.Helper()
	east, west := admin(t, fleet, "east"), admin(t, fleet, "west")
	ns, err := east.CoreV1().Namespaces().Get(ctx, "shop", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	delete(ns.Labels, "istio-injection")
	ns.Labels["istio.io/rev"] = "1-28"
	if _, err := east.CoreV1().Namespaces().Update(ctx, ns, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	fail, none, path := admissionv1.Fail, admissionv1.SideEffectClassNone, "/validate"
	validator := &admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "istio-validator-1-27-istio-system", Labels: map[string]string{"app": "istiod", "istio.io/rev": "1-27"}},
		Webhooks: []admissionv1.ValidatingWebhook{{
			Name: "rev.validation.istio.io", AdmissionReviewVersions: []string{"v1"}, SideEffects: &none, FailurePolicy: &fail,
			ClientConfig: admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Namespace: "istio-system", Name: "istiod-1-27", Path: &path}},
			Rules: []admissionv1.RuleWithOperations{{
				Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
				Rule:       admissionv1.Rule{APIGroups: []string{"networking.istio.io"}, APIVersions: []string{"*"}, Resources: []string{"*"}},
			}},
		}},
	}
	if _, err := west.AdmissionregistrationV1().ValidatingWebhookConfigurations().Create(ctx, validator, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	event := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: "cart.1", Namespace: "shop"}, Type: corev1.EventTypeWarning, Reason: "FailedCreate", Count: 9,
		Message: `Error creating: Internal error occurred: failed calling webhook "namespace.sidecar-injector.istio.io": ` +
			`failed to call webhook: Post "https://istiod.istio-system.svc:443/inject?timeout=10s": context deadline exceeded`,
		InvolvedObject: corev1.ObjectReference{Kind: "ReplicaSet", APIVersion: "apps/v1", Namespace: "shop", Name: "cart-7d4c8b9f7"},
		FirstTimestamp: metav1.NewTime(time.Now().Add(-5 * time.Minute)), LastTimestamp: metav1.Now(),
		Source: corev1.EventSource{Component: "replicaset-controller"},
	}
	if _, err := west.CoreV1().Events("shop").Create(ctx, event, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}
