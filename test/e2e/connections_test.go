package e2e

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/ads"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// Real connections to real istiods: those that are where they should be are no finding,
// and those that are elsewhere are one, as is a proxy that is connected to none.
func TestConnections(t *testing.T) {
	t.Parallel() // it waits most of the time, and has a fleet of its own
	ctx, cancel := context.WithTimeout(t.Context(), 12*time.Minute)
	defer cancel()
	fleet := startTopology(t, ctx, topology.Topology{
		Everywhere: topology.Contents{
			Namespaces: []topology.Namespace{{Name: "shop", Labels: map[string]string{"istio-injection": "enabled"}}},
			Services:   []topology.Service{{Namespace: "shop", Name: "cart"}},
			Workloads:  []topology.Workload{{Namespace: "shop", Name: "cart"}, {Namespace: "shop", Name: "client"}},
		},
		Clusters: []topology.Cluster{
			{Name: "east", Network: "n1", Contents: topology.Contents{Gateways: []topology.Gateway{{IPs: []string{"203.0.113.5"}}}}},
			{Name: "west", Network: "n1"},
		},
	})
	program := filepath.Join(filepath.Dir(binary), "kubectl-mesh_endpoints")
	run := func(args ...string) report.Report {
		return document(t, mesh(t, options{program: program, kubeconfig: fleet.Kubeconfig()}, append(args, "--contexts", "east,west", "-o", "json")...))
	}
	connect := func(t *testing.T, to string, proxy ads.Proxy) *ads.Connection {
		t.Helper()
		c, err := ads.Connect(ctx, fleet.Mesh().Istiod(to).GRPC(), proxy, ads.WithoutListeners())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	proxies := map[string][]ads.Proxy{}
	youngest := time.Time{}
	for _, c := range []struct {
		name, namespace, selector string
		pods                      int
	}{{"east", "shop", "", 2}, {"east", topology.SystemNamespace, "istio=eastwestgateway", 1}, {"west", "shop", "", 2}} {
		name := c.name
		pods, err := admin(t, fleet, name).CoreV1().Pods(c.namespace).List(ctx, metav1.ListOptions{LabelSelector: c.selector})
		if err != nil || len(pods.Items) != c.pods {
			t.Fatalf("%d pods, %v", len(pods.Items), err)
		}
		for i := range pods.Items {
			p, err := ads.FromPod(&pods.Items[i])
			if err != nil {
				t.Fatal(err)
			}
			proxies[name] = append(proxies[name], p)
			if at := pods.Items[i].Status.StartTime; at != nil && at.After(youngest) {
				youngest = at.Time
			}
		}
	}
	connections := map[string]*ads.Connection{}
	for _, name := range []string{"east", "west"} {
		for _, p := range proxies[name] {
			connections[name+" "+p.Pod] = connect(t, name, p)
		}
	}
	defer func() {
		for _, c := range connections {
			_ = c.Close()
		}
	}()
	expect := func(t *testing.T, want ...string) {
		t.Helper()
		doc := run("verify")
		if diff := cmp.Diff(want, summary(doc)); diff != "" || doc.Summary.Unchecked > 0 {
			t.Errorf("findings (-want +got):\n%s\n%+v", diff, doc.Unknowns)
		}
	}
	t.Run("all is well", func(t *testing.T) { expect(t) })
	t.Run("to the other cluster's, and as it is", func(t *testing.T) {
		c := connect(t, "west", proxies["east"][0])
		defer func() { _ = c.Close() }()
		expect(t, "EP020 warning east,west") // to both
		key := "east " + proxies["east"][0].Pod
		_ = connections[key].Close()
		expect(t, "EP020 warning east,west") // to the wrong one alone
		connections[key] = connect(t, "east", proxies["east"][0])
	})
	t.Run("under the ID of the other cluster", func(t *testing.T) {
		client := admin(t, fleet, "east")
		pod, err := client.CoreV1().Pods("shop").Get(ctx, proxies["east"][0].Pod, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		other := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "stranger", Namespace: "shop", Labels: pod.Labels, Annotations: map[string]string{"sidecar.istio.io/inject": "false"}}, Spec: pod.Spec}
		other.Labels["sidecar.istio.io/inject"], other.Labels["app"] = "false", "stranger"
		for _, containers := range [][]corev1.Container{other.Spec.Containers, other.Spec.InitContainers} {
			for i := range containers {
				for k, e := range containers[i].Env {
					if e.Name == "ISTIO_META_CLUSTER_ID" {
						containers[i].Env[k].Value = "west"
					}
				}
			}
		}
		if _, err = client.CoreV1().Pods("shop").Create(ctx, other, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = client.CoreV1().Pods("shop").Delete(ctx, "stranger", metav1.DeleteOptions{}) }()
		p := proxies["east"][0]
		p.Pod, p.Cluster, p.IP = "stranger", "west", "10.200.0.9"
		c := connect(t, "west", p)
		defer func() { _ = c.Close() }()
		doc := run("verify")
		found := false
		for _, f := range doc.Findings {
			found = found || f.Code == "EP020" && f.Severity == "error" && strings.Contains(f.Title, "as proxies of cluster west")
		}
		if !found {
			t.Errorf("%v", summary(doc))
		}
	})
	t.Run("to none", func(t *testing.T) {
		if left := time.Until(youngest.Add(2*time.Minute + 5*time.Second)); left > 0 {
			time.Sleep(left) // until then a proxy may be about to connect
		}
		expect(t)
		key := "east " + proxies["east"][0].Pod
		_ = connections[key].Close()
		expect(t, "EP020 error east")
		connections[key] = connect(t, "east", proxies["east"][0])
		expect(t)
		_ = connections["east "+proxies["east"][2].Pod].Close() // that of a gateway
		expect(t, "EP020 error east")
	})
}

// connectAll connects the proxies of all pods of namespace shop, each to the istiod of its
// cluster, or to the first where it has none, for as long as the test runs.
func connectAll(t *testing.T, ctx context.Context, fleet *bed.Fleet, running *bed.Mesh, clusters ...string) {
	t.Helper()
	for _, name := range clusters {
		plane := running.Istiod(name)
		if plane == nil {
			plane = running.Istiods()[0]
		}
		pods, err := admin(t, fleet, name).CoreV1().Pods("shop").List(ctx, metav1.ListOptions{LabelSelector: "security.istio.io/tlsMode=istio"})
		if err != nil {
			t.Fatal(err)
		}
		for i := range pods.Items {
			p, err := ads.FromPod(&pods.Items[i])
			if err != nil {
				t.Fatal(err)
			}
			c, err := ads.Connect(ctx, plane.GRPC(), p, ads.WithoutListeners())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() })
		}
	}
}
