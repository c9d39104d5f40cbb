package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// A real istiod is tried where a remote cluster is told to find it: by names that its
// certificate has, and by one that it has not.
func TestProbeControlPlane(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	fleet := startTopology(t, ctx, topology.Topology{
		Everywhere: topology.Contents{
			Namespaces: []topology.Namespace{{Name: "shop", Labels: map[string]string{"istio-injection": "enabled"}}},
			Workloads:  []topology.Workload{{Namespace: "shop", Name: "cart"}},
		},
		Clusters: []topology.Cluster{
			{Name: "east", Network: "n1", Contents: topology.Contents{Gateways: []topology.Gateway{{IPs: []string{"203.0.113.10"}}}}},
			{Name: "west", Network: "n1", RemoteOf: "east"},
		},
	})
	west := fleet.Cluster("west")
	_, port, err := net.SplitHostPort(fleet.Mesh().Istiod("east").SecureGRPC())
	if err != nil {
		t.Fatal(err)
	}
	// API servers take no address of this machine in slices, but its name.
	for _, name := range []string{"istiod-remote", "istiod-canary"} {
		service := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: topology.SystemNamespace, Name: name},
			Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"},
		}
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{"sidecar.istio.io/inject": "false", "security.istio.io/tlsMode": "istio"}},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{
				Name: "istio-proxy", Image: "registry.example/istio/proxyv2:1.29.1",
				Env: []corev1.EnvVar{{Name: "PROXY_CONFIG", Value: fmt.Sprintf(`{"discoveryAddress":"%s.istio-system.svc:%s"}`, name, port)}},
			}}},
		}
		if err := west.Apply(ctx, service, pod); err != nil {
			t.Fatal(err)
		}
	}
	type trial struct{ Purpose, For, Address, IP, ServerName, Tool, Result, Detail string }
	probe := func(args ...string) []trial {
		t.Helper()
		out := mesh(t, options{program: network, kubeconfig: fleet.Kubeconfig()}, append([]string{"probe", "-o", "json", "--contexts", "east,west", "--connect-timeout", "1s"}, args...)...)
		var doc struct{ Probes []trial }
		if err := json.Unmarshal([]byte(out.stdout), &doc); err != nil {
			t.Fatalf("%v: %d\n%s\n%s", err, out.code, out.stdout, out.stderr)
		}
		// localhost can have ::1 besides, at which nothing listens.
		got := slices.DeleteFunc(doc.Probes, func(t trial) bool { return t.Address != "localhost" || t.IP == "::1" })
		for i := range got {
			got[i].Detail, _, _ = strings.Cut(got[i].Detail, "; the name leads to")
			got[i].IP = ""
		}
		slices.SortFunc(got, func(a, b trial) int { return strings.Compare(a.ServerName, b.ServerName) })
		return got
	}
	want := func(tool string) []trial {
		return []trial{
			{"discovery", "west", "localhost", "", "istiod-canary.istio-system.svc", tool, "reachable-but-other-name", "its certificate is for istio-pilot.istio-system.svc, istiod-remote.istio-system.svc, istiod.istio-system.svc and localhost, and not for istiod-canary.istio-system.svc"},
			{"discovery", "west", "localhost", "", "istiod-remote.istio-system.svc", tool, "reachable-and-trusted", "by proxies of west"},
			{"injection", "west", "localhost", "", "localhost", tool, "reachable-and-trusted", "by the API server of west"},
		}
	}
	if diff := cmp.Diff(want(""), probe()); diff != "" {
		t.Errorf("from this machine (-want +got):\n%s", diff)
	}
	verified := document(t, mesh(t, options{program: network, kubeconfig: fleet.Kubeconfig()}, "verify", "--probe", "-o", "json", "--contexts", "east,west", "--connect-timeout", "1s"))
	if got := summary(verified); !slices.Contains(got, "PR013 error west") || slices.ContainsFunc(got, func(s string) bool {
		return strings.HasPrefix(s, "PR004") || strings.HasPrefix(s, "PR008")
	}) {
		t.Errorf("%v", got)
	}
	for _, f := range verified.Findings {
		if f.Code == "PR013" && !strings.Contains(fmt.Sprint(f.Evidence), "discoveryAddress") || f.Code == "PR013" && !strings.Contains(fmt.Sprint(f.Evidence), "from this machine") {
			t.Errorf("not both read and seen: %+v", f)
		}
	}

	for _, tool := range []string{"sh", "openssl"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Skipf("this machine has no %s", tool)
		}
		if err := west.AddProgram(tool, path); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want("openssl"), probe("--from-pod", "west/shop/cart-0/istio-proxy")); diff != "" {
		t.Errorf("from a pod (-want +got):\n%s", diff)
	}
	if got := probe("--from-pod", "east/shop/cart-0/istio-proxy"); len(got) > 0 {
		t.Errorf("from a pod of the primary: %+v", got)
	}
}
