package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// With real istiods: what becomes of remote secrets is recognised, also where istiod
// goes on to say that it is synced; and nothing is found where all is well.
func TestRemoteSecrets(t *testing.T) {
	t.Parallel() // it waits most of the time, and has a fleet of its own
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	fleet := startTopology(t, ctx, topology.Topology{
		Everywhere: topology.Contents{
			Namespaces: []topology.Namespace{{Name: "shop", Labels: map[string]string{"istio-injection": "enabled"}}},
			Services:   []topology.Service{{Namespace: "shop", Name: "cart"}},
			Workloads:  []topology.Workload{{Namespace: "shop", Name: "cart"}},
		},
		Clusters: []topology.Cluster{{Name: "east", Network: "n1"}, {Name: "west", Network: "n1"}},
	})
	east, west := admin(t, fleet, "east"), admin(t, fleet, "west")
	program := filepath.Join(filepath.Dir(binary), "kubectl-mesh_endpoints")
	verify := func() []string {
		doc := document(t, mesh(t, options{program: program, kubeconfig: fleet.Kubeconfig()}, "verify", "--contexts", "east,west", "-o", "json"))
		var out []string
		for _, s := range summary(doc) {
			if strings.HasPrefix(s, "SEC") {
				out = append(out, s)
			}
		}
		return out
	}
	expect := func(t *testing.T, want ...string) {
		t.Helper()
		var got []string
		for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(time.Second) {
			if got = verify(); cmp.Equal(want, got) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("findings (-want +got):\n%s", cmp.Diff(want, got))
			}
		}
	}
	const name = "istio-remote-secret-west"
	good, err := east.CoreV1().Secrets(topology.SystemNamespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// write replaces the secret by one with another kubeconfig, or by none.
	write := func(t *testing.T, anew bool, key string, change func(string) string) {
		t.Helper()
		secrets := east.CoreV1().Secrets(topology.SystemNamespace)
		s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: good.Labels, Annotations: good.Annotations}, Data: map[string][]byte{key: []byte(change(string(good.Data["west"])))}}
		if !anew {
			if _, err := secrets.Update(ctx, s, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			return
		}
		_ = secrets.Delete(ctx, name, metav1.DeleteOptions{})
		if key == "" {
			return
		}
		time.Sleep(2 * time.Second) // istiod takes secrets one after the other
		if _, err := secrets.Create(ctx, s, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	same := func(s string) string { return s }
	in := func(field, value string) func(string) string {
		return func(s string) string {
			var lines []string
			for _, line := range strings.Split(s, "\n") {
				if at := strings.Index(line, field+": "); at >= 0 {
					line = line[:at] + field + ": " + value
				}
				lines = append(lines, line)
			}
			return strings.Join(lines, "\n")
		}
	}

	// await waits until istiod has read a cluster.
	await := func(t *testing.T, id string) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
			states, err := fleet.Mesh().Istiod("east").Clusters(ctx)
			for _, s := range states {
				if s.ID == id && s.Status == "synced" {
					return
				}
			}
			if time.Now().After(deadline) {
				t.Fatalf("istiod says %v, %v", states, err)
			}
		}
	}

	t.Run("all is well", func(t *testing.T) {
		expect(t)
		out := mesh(t, options{program: program, kubeconfig: fleet.Kubeconfig()}, "secrets", "--connect", "-o", "wide", "--contexts", "east,west")
		if !strings.Contains(out.stdout, "✓ 2 ok") || strings.Count(out.stdout, "accepted") != 2 || out.code != 0 {
			t.Errorf("exit code %d\n%s\n%s", out.code, out.stdout, out.stderr)
		}
	})
	t.Run("the API server goes away after it was read", func(t *testing.T) {
		proxy, err := bed.DelayProxy(fleet.Cluster("west").URL(), 0)
		if err != nil {
			t.Fatal(err)
		}
		write(t, true, "west", in("server", proxy.URL()))
		expect(t)
		if err := proxy.Close(); err != nil {
			t.Fatal(err)
		}
		more(t, ctx, west)
		expect(t, "SEC019 error east,west")
	})
	t.Run("missing", func(t *testing.T) {
		write(t, true, "", same)
		expect(t, "SEC023 error east,west")
	})
	t.Run("another key", func(t *testing.T) {
		write(t, true, "far", same)
		expect(t, "SEC004 warning east,west")
		await(t, "far")
	})
	t.Run("without the label", func(t *testing.T) {
		write(t, true, "west", same)
		await(t, "west")
		patch(t, ctx, east, name, `{"metadata":{"labels":{"istio/multiCluster":"True"}}}`)
		expect(t, "SEC003 error east", "SEC023 error east,west < SEC003")
	})
	// From here on the secret is only changed in place: its deletion may be the last that
	// istiod looks at once it has led to where istiod reads nothing (docs/istiod.md).
	t.Run("changed in place, to where nobody answers", func(t *testing.T) {
		write(t, true, "west", same)
		await(t, "west")
		expect(t)
		write(t, false, "west", in("server", "https://127.0.0.1:1"))
		expect(t, "SEC010 error east,west", "SEC015 error east,west < SEC010")
	})
	t.Run("the CA of another cluster", func(t *testing.T) {
		write(t, false, "west", same)
		await(t, "west")
		expect(t)
		write(t, false, "west", in("certificate-authority-data", encoded(fleet.Cluster("east").CA())))
		expect(t, "SEC010 error east,west", "SEC011 error east,west", "SEC015 error east,west < SEC010")
	})
	t.Run("a credential that is refused", func(t *testing.T) {
		write(t, false, "west", same)
		await(t, "west")
		expect(t)
		write(t, false, "west", func(s string) string {
			at := strings.Index(s, "token: ")
			end := at + strings.Index(s[at:], "\n")
			return s[:end-8] + "AAAAAAAA" + s[end:]
		})
		// All addresses of the bed are on loopback, which in a pod would explain it too.
		expect(t, "SEC010 error east,west", "SEC012 error east,west", "SEC015 error east,west < SEC010")
	})
	t.Run("made unusable in place, while istiod goes on", func(t *testing.T) {
		write(t, false, "west", same)
		await(t, "west")
		expect(t)
		write(t, false, "west", func(string) string { return "" })
		expect(t, "SEC008 error east,west")
		out := mesh(t, options{program: program, kubeconfig: fleet.Kubeconfig()}, "diagnose", "cart.shop", "--contexts", "east,west", "-o", "json")
		if !strings.Contains(out.stdout, `"partial"`) || !strings.Contains(out.stdout, "goes on with what it read of west before the remote secret was changed") {
			t.Errorf("exit code %d\n%s\n%s", out.code, out.stdout, out.stderr)
		}
	})
	t.Run("revoked, while istiod says that it is synced", func(t *testing.T) {
		write(t, false, "west", same)
		await(t, "west")
		expect(t)
		if err := west.CoreV1().Secrets(topology.SystemNamespace).Delete(ctx, topology.ReaderTokenSecret, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		expect(t, "SEC012 error east,west < SEC013", "SEC013 error east,west")
		states, err := fleet.Mesh().Istiod("east").Clusters(ctx)
		if err != nil || !bytes.Contains(fmt.Append(nil, states), []byte("synced")) {
			t.Errorf("istiod says %v, %v", states, err)
		}
		out := mesh(t, options{program: program, kubeconfig: fleet.Kubeconfig()}, "secrets", "--connect", "-o", "wide", "--contexts", "east,west")
		if !strings.Contains(out.stdout, string(facts.ConnectRefused)) || !strings.Contains(out.stdout, "✗") {
			t.Error(out.stdout)
		}
	})
}

// With real istiods of two networks: they have the gateways that the clusters have.
func TestNetworkGatewaysOfIstiod(t *testing.T) {
	t.Parallel() // it waits most of the time, and has a fleet of its own
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	fleet := startTopology(t, ctx, shopOnTwoNetworks("127.0.1.44", "127.0.2.44", ""))
	// verify is what is found of the gateways, and why they were not checked.
	verify := func() (found []string, unknown []string) {
		doc := document(t, mesh(t, options{program: endpointsBinary, kubeconfig: fleet.Kubeconfig()}, "verify", "--contexts", "east,west", "-o", "json"))
		for _, s := range summary(doc) {
			if strings.HasPrefix(s, "GW044") {
				found = append(found, s)
			}
		}
		for _, u := range doc.Unknowns {
			if slices.Contains(u.Codes, "GW044") {
				unknown = append(unknown, u.Cluster+": "+u.Reason.Text)
			}
		}
		return found, unknown
	}
	known, err := fleet.Mesh().Istiod("east").Gateways(ctx)
	if err != nil || len(known) != 2 {
		t.Fatalf("istiod of east has the gateways %v, %v", known, err)
	}
	if found, unknown := verify(); len(found)+len(unknown) > 0 {
		t.Errorf("where all is well: found %v, not checked %v", found, unknown)
	}

	// A load balancer loses its address, and gets none for a while. istiod looks at Services that have one alone
	// (pilot/pkg/serviceregistry/kube/controller/controller.go, addOrUpdateService), and so keeps the old one.
	p := newPlanter(t, ctx, fleet, "west")
	defer p.recover()
	p.patch(serviceKind, system, "istio-eastwestgateway", `{"status":{"loadBalancer":null}}`, "status")
	time.Sleep(young)
	if known, err = fleet.Mesh().Istiod("east").Gateways(ctx); err != nil || len(known) != 2 {
		t.Fatalf("istiod of east has the gateways %v, %v: it is not as it was", known, err)
	}
	want := []string{"GW044 warning east,west"}
	if found, unknown := verify(); !slices.Equal(found, want) || len(unknown) > 0 {
		t.Errorf("an address that is gone: found %v, not checked %v; want %v", found, unknown, want)
	}
	p.recover()
	if found, unknown := verify(); len(found)+len(unknown) > 0 {
		t.Errorf("with the address again: found %v, not checked %v", found, unknown)
	}
}

func admin(t *testing.T, fleet *bed.Fleet, cluster string) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(fleet.Cluster(cluster).RESTConfig(bed.Admin))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// more makes one more pod of service shop/cart.
func more(t *testing.T, ctx context.Context, client kubernetes.Interface) {
	t.Helper()
	pod, err := client.CoreV1().Pods("shop").Get(ctx, "cart-0", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	another := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "cart-9", Labels: map[string]string{"app": pod.Labels["app"]}}}
	another.Spec = corev1.PodSpec{NodeName: pod.Spec.NodeName, Containers: []corev1.Container{{Name: "cart", Image: "example.com/cart:1", Ports: []corev1.ContainerPort{{ContainerPort: 8080}}}}}
	if _, err := client.CoreV1().Pods("shop").Create(ctx, another, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func patch(t *testing.T, ctx context.Context, client kubernetes.Interface, secret, change string) {
	t.Helper()
	_, err := client.CoreV1().Secrets(topology.SystemNamespace).Patch(ctx, secret, types.MergePatchType, []byte(change), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func encoded(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
