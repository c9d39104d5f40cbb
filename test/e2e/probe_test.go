package e2e

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/probetest"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// Gateways are tried from this machine and by commands in pods, on a real API
// server, and what is seen is the same.
func TestProbe(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	// Addresses of their own, for the usual port.
	addresses := map[string]string{}
	for _, name := range []string{"east", "west"} {
		addresses[name] = fmt.Sprintf("127.%d.%d.%d", 2+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250))
	}
	clusterOf := func(name, network string) topology.Cluster {
		return topology.Cluster{Name: name, Network: network, Contents: topology.Contents{Gateways: []topology.Gateway{{IPs: []string{addresses[name]}}}}}
	}
	fleet := startTopology(t, ctx, topology.Topology{
		Everywhere: topology.Contents{
			Namespaces: []topology.Namespace{{Name: "shop", Labels: map[string]string{"istio-injection": "enabled"}}},
			Workloads:  []topology.Workload{{Namespace: "shop", Name: "cart"}},
			Services:   []topology.Service{{Namespace: "shop", Name: "cart", Ports: []topology.Port{{Name: "http", Port: 8080}}}},
		},
		Clusters: []topology.Cluster{clusterOf("east", "n1"), clusterOf("west", "n2")},
	})
	listeners := map[string]net.Listener{}
	for name, address := range addresses {
		listener, err := net.Listen("tcp", net.JoinHostPort(address, "15443"))
		if err != nil {
			t.Fatal(err)
		}
		listeners[name] = listener
		certificate := probetest.Leaf(t, authority(ctx, t, fleet.Cluster(name)), "spiffe://cluster.local/ns/shop/sa/cart")
		probetest.GatewayOn(t, listeners[name], certificate, "outbound_.8080_._.cart.shop.svc.cluster.local")
	}
	run := func(args ...string) outcome {
		t.Helper()
		return mesh(t, options{program: network, kubeconfig: fleet.Kubeconfig()}, append(args, "--contexts", "east,west")...)
	}
	type trial struct{ Cluster, From, Tool, Result, Detail string }
	probe := func(args ...string) (int, []trial) {
		t.Helper()
		out := run(append([]string{"probe", "-o", "json"}, args...)...)
		var doc struct {
			Probes []struct {
				trial
				Purpose string
			}
		}
		if err := json.Unmarshal([]byte(out.stdout), &doc); err != nil {
			t.Fatalf("%v: %d\n%s\n%s", err, out.code, out.stdout, out.stderr)
		}
		var trials []trial
		for _, got := range doc.Probes {
			if got.Purpose == "requests" {
				trials = append(trials, got.trial)
			} else if got.Purpose != "pod-to-pod" || got.Cluster != "west" || got.Result != "not-tried" && got.Result != "not-reached-directly" {
				t.Errorf("%+v", got) // the pods have no network
			}
		}
		return out.code, trials
	}
	const trusted = "reachable-and-trusted"

	code, got := probe()
	want := []trial{{"east", "this machine", "", trusted, "by west"}, {"west", "this machine", "", trusted, "by east"}}
	if diff := cmp.Diff(want, got); diff != "" || code != 0 {
		t.Errorf("from this machine %d (-want +got):\n%s", code, diff)
	}

	// The pods have no shell and nothing else.
	const pod = "pod shop/cart-0 of east"
	const nothing = "the container has nothing to try it with: openssl, curl, bash, nc and wget by sh, and pilot-agent were looked for"
	code, got = probe("--from-pod", "east/shop/cart-0")
	want = []trial{{"east", pod, "", "not-tried", nothing}, {"west", pod, "", "not-tried", nothing}}
	if diff := cmp.Diff(want, got); diff != "" || code != 2 {
		t.Errorf("from a pod without tools %d (-want +got):\n%s", code, diff)
	}

	for _, tool := range []string{"sh", "openssl"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Skipf("this machine has no %s", tool)
		}
		if err := fleet.Cluster("east").AddProgram(tool, path); err != nil {
			t.Fatal(err)
		}
	}
	code, got = probe("--from-pod", "east/shop/cart-0/istio-proxy")
	want = []trial{{"east", pod, "openssl", trusted, "by west"}, {"west", pod, "openssl", trusted, "by east"}}
	if diff := cmp.Diff(want, got); diff != "" || code != 0 {
		t.Errorf("from a pod %d (-want +got):\n%s", code, diff)
	}
	verified := document(t, run("verify", "--probe", "--from-pod", "east/shop/cart-0", "-o", "json"))
	if len(verified.Findings) > 0 || verified.Summary.Unchecked > 0 {
		t.Errorf("of gateways that are trusted: %v, not checked %+v", summary(verified), verified.Unknowns)
	}

	if err := listeners["west"].Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args     []string
		severity string
	}{
		{nil, "warning"}, {[]string{"--from-pod", "east/shop/cart-0"}, "error"},
		{[]string{"--from-pod", "east/shop/cart-0", "--from-pod", "west/shop/cart-0"}, "error"},
	} {
		out := run(append([]string{"verify", "--probe", "-o", "json"}, c.args...)...)
		if diff := cmp.Diff([]string{"GW013 " + c.severity + " west"}, summary(document(t, out))); diff != "" || (out.code == 1) != (c.severity == "error") {
			t.Errorf("a gateway that refuses, %q: %d (-want +got):\n%s", c.args, out.code, diff)
		}
	}
	out := run("probe", "--from-pod", "east/shop/cart-0")
	if out.code != 1 || !strings.Contains(out.stdout, "From "+pod+":\n") || !strings.Contains(out.stdout, " refused\n") || !strings.Contains(out.stderr, "verify --probe --from-pod east/shop/cart-0/istio-proxy\"") {
		t.Errorf("%d\n%s\n%s", out.code, out.stdout, out.stderr)
	}

	for flag, want := range map[string]string{
		"north/shop/cart-0": "--from-pod north/shop/cart-0 begins with no context of the fleet (east, west)",
		"east/shop/cart-9":  "there is no pod cart-9 in namespace shop of east",
	} {
		if out := run("probe", "--from-pod", flag); out.code != 2 || !strings.Contains(out.stderr, want) || out.stdout != "" {
			t.Errorf("--from-pod %s: %d\n%s\n%s", flag, out.code, out.stdout, out.stderr)
		}
	}

	// Who may not run commands in pods is told so.
	viewer := filepath.Join(t.TempDir(), "viewer")
	if err := fleet.WriteKubeconfig(viewer, []bed.Context{{Cluster: "east", User: bed.Viewer}, {Cluster: "west", User: bed.Viewer}}); err != nil {
		t.Fatal(err)
	}
	out = mesh(t, options{program: network, kubeconfig: viewer}, "probe", "--contexts", "east,west", "--from-pod", "east/shop/cart-0")
	if out.code != 2 || !strings.Contains(out.stdout, "not tried: exec sh in pod shop/cart-0/istio-proxy: ") || !strings.Contains(out.stdout, "forbidden") {
		t.Errorf("without the right to exec: %d\n%s\n%s", out.code, out.stdout, out.stderr)
	}

	// A host name is resolved from here, and that is said.
	clients, err := kubernetes.NewForConfig(fleet.Cluster("west").RESTConfig(bed.Admin))
	if err != nil {
		t.Fatal(err)
	}
	services := clients.CoreV1().Services(topology.SystemNamespace)
	service, err := services.Get(ctx, "istio-eastwestgateway", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{Hostname: "localhost"}}
	if _, err := services.UpdateStatus(ctx, service, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	out = run("gateways")
	if out.code != 0 || !strings.Contains(out.stdout, "host name misleads") || !strings.Contains(out.stderr, "Resolved from this machine, and not where istiod runs: localhost.\n") {
		t.Errorf("gateways: %d\n%s\n%s", out.code, out.stdout, out.stderr)
	}
	if diff := cmp.Diff([]string{"GW003 error west"}, summary(document(t, run("verify", "-o", "json")))); diff != "" {
		t.Errorf("a host name that leads nowhere (-want +got):\n%s", diff)
	}

	// Nothing was made in the clusters.
	for _, name := range []string{"east", "west"} {
		clients, err := kubernetes.NewForConfig(fleet.Cluster(name).RESTConfig(bed.Admin))
		if err != nil {
			t.Fatal(err)
		}
		pods, err := clients.CoreV1().Pods("shop").List(ctx, metav1.ListOptions{})
		if err != nil || len(pods.Items) != 1 || len(pods.Items[0].Spec.EphemeralContainers) > 0 {
			t.Errorf("pods of %s: %v, %v", name, pods, err)
		}
	}
}

// authority is the CA on which the istiod of a cluster runs.
func authority(ctx context.Context, t *testing.T, cluster *bed.Cluster) *istiotest.Authority {
	t.Helper()
	clients, err := kubernetes.NewForConfig(cluster.RESTConfig(bed.Admin))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := clients.CoreV1().Secrets(topology.SystemNamespace).Get(ctx, "cacerts", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(secret.Data["ca-cert.pem"], secret.Data["ca-key.pem"])
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(secret.Data["ca-cert.pem"])
	ca, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		t.Fatal("the key of the CA does not sign")
	}
	return &istiotest.Authority{Cert: ca, Key: signer, Issuer: &istiotest.Authority{}}
}
