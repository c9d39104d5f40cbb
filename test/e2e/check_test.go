package e2e

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/ads"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// With real API servers and istiods mesh-check says that all is well, in numbers that add up, and
// names each fault that is planted then, and no other.
func TestCheckOnRealControlPlanes(t *testing.T) {
	t.Parallel() // it waits most of the time, and has a fleet of its own
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Minute)
	defer cancel()
	fleet := startTopology(t, ctx, shopOnTwoNetworks("127.1.0.1", "127.1.0.2", ""))
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

	time.Sleep(130 * time.Second) // nothing younger than two minutes counts
	for _, c := range controlPlaneFaults {
		t.Run(c.name, func(t *testing.T) { c.run(t, ctx, fleet) })
	}
}

// connectGateway connects the proxy of a cluster's gateway to its control plane, until the end of the test or
// until that is called which it returns.
func connectGateway(t *testing.T, ctx context.Context, fleet *bed.Fleet, cluster string) (disconnect func()) {
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
	disconnect = func() { _ = c.Close() }
	t.Cleanup(disconnect)
	return disconnect
}
