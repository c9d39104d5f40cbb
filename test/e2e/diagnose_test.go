package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/endpoints"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/ads"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// diagnosed is one step of Istio's multicluster troubleshooting guide: what diagnose says in
// its first line, and what a real istiod gives out before and after its fix.
type diagnosed struct {
	topology topology.Topology
	// happens is a script that breaks what was well until then.
	happens string
	first   string // in the first line
	verdict endpoints.Verdict
	// from is the cluster whose pod asks, and of the one whose endpoints it should get.
	from, of string
	before   []string // addresses
	after    []string // nil where no command alone mends it
}

// pod stands for the address of the pod of a cluster.
func pod(cluster string) string { return "pod of " + cluster }

const (
	eastGateway = "127.1.0.1"
	westGateway = "127.1.0.2"
)

// twoNetworks is a healthy mesh of two networks with Service cart.
func twoNetworks(change func(t *topology.Topology, east, west *topology.Cluster)) topology.Topology {
	t := topology.Topology{
		Everywhere: topology.Contents{
			Namespaces: []topology.Namespace{{Name: "shop", Labels: map[string]string{"istio-injection": "enabled"}}},
			Services:   []topology.Service{{Namespace: "shop", Name: "cart"}},
			Workloads:  []topology.Workload{{Namespace: "shop", Name: "cart"}},
		},
		Clusters: []topology.Cluster{
			{Name: "east", Network: "n1", Contents: topology.Contents{Gateways: []topology.Gateway{{IPs: []string{eastGateway}}}}},
			{Name: "west", Network: "n2", Contents: topology.Contents{Gateways: []topology.Gateway{{IPs: []string{westGateway}}}}},
		},
	}
	change(&t, &t.Clusters[0], &t.Clusters[1])
	return t
}

// guide are the cases of the guide's "Step-by-step diagnosis".
var guide = map[string]diagnosed{
	"all is well": {
		topology: twoNetworks(func(*topology.Topology, *topology.Cluster, *topology.Cluster) {}),
		first:    "ok", verdict: endpoints.Reaches, from: "east", of: "west", before: []string{pod("east"), westGateway},
	},
	"the secret is missing": {
		topology: twoNetworks(func(t *topology.Topology, _, _ *topology.Cluster) {
			t.RemoteSecrets = []topology.RemoteSecret{{In: "west", Of: "east"}}
		}),
		first: "SEC023", verdict: endpoints.Broken, from: "east", of: "west",
		before: []string{pod("east")}, after: []string{pod("east"), westGateway},
	},
	"the data key is the ID of the primary itself": {
		topology: twoNetworks(func(t *topology.Topology, _, _ *topology.Cluster) {
			t.RemoteSecrets = []topology.RemoteSecret{{In: "west", Of: "east"}, {In: "east", Of: "west", Key: "east"}}
		}),
		first: "SEC006", verdict: endpoints.Broken, from: "east", of: "west",
		before: []string{pod("east")}, after: []string{pod("east"), westGateway},
	},
	"the data key is no ID of the remote cluster": {
		topology: twoNetworks(func(_ *topology.Topology, _, west *topology.Cluster) {
			west.RemoteOf = "east"
		}),
		happens: `kubectl --context=east -n istio-system delete secret istio-remote-secret-west
			istioctl create-remote-secret --context=west --name=occident | kubectl --context=east apply -f -`,
		// Its endpoints are there; its proxies are not let in.
		first: "SEC004", verdict: endpoints.Broken, from: "east", of: "west",
		before: []string{pod("east"), westGateway}, after: []string{pod("east"), westGateway},
	},
	"the endpoint belongs to the primary": {
		topology: twoNetworks(func(_ *topology.Topology, east, west *topology.Cluster) {
			west.RemoteOf = "east"
			east.Gateways[0].Network = "-"
		}),
		first: "GW033", verdict: endpoints.Broken, from: "west", of: "east",
		before: []string{pod("east"), pod("west")}, after: []string{pod("west"), eastGateway},
	},
	"the endpoint belongs to the remote cluster": {
		topology: twoNetworks(func(_ *topology.Topology, _, west *topology.Cluster) {
			west.RemoteOf = "east"
		}),
		happens: "kubectl --context=east -n istio-system delete secret istio-remote-secret-west",
		first:   "SEC001", verdict: endpoints.Broken, from: "east", of: "west",
		before: []string{pod("east")}, after: []string{pod("east"), westGateway},
	},
	"the secret is there, and its credential is refused": {
		topology: twoNetworks(func(*topology.Topology, *topology.Cluster, *topology.Cluster) {}),
		happens: `config=$(kubectl --context=east -n istio-system get secret istio-remote-secret-west -o jsonpath='{.data.west}' |
				base64 -d | sed -E 's/(token: .*).{8}$/\1AAAAAAAA/' | base64 -w0)
			kubectl --context=east -n istio-system get secret istio-remote-secret-west -o yaml | grep -vE '^  (resourceVersion|uid):' |
				kubectl patch --local -f - -o yaml -p "{\"data\":{\"west\":\"$config\"}}" > refused.yaml
			kubectl --context=east -n istio-system delete secret istio-remote-secret-west
			sleep 2 # istiod takes secrets one after the other
			kubectl --context=east create -f refused.yaml`,
		first: "SEC012", verdict: endpoints.Broken, from: "east", of: "west",
		before: []string{pod("east")}, after: []string{pod("east"), westGateway},
	},
	"the secret was changed in place, and its credential is refused": {
		topology: twoNetworks(func(*topology.Topology, *topology.Cluster, *topology.Cluster) {}),
		happens: `config=$(kubectl --context=east -n istio-system get secret istio-remote-secret-west -o jsonpath='{.data.west}' |
				base64 -d | sed -E 's/(token: .*).{8}$/\1AAAAAAAA/' | base64 -w0)
			kubectl --context=east -n istio-system patch secret istio-remote-secret-west -p "{\"data\":{\"west\":\"$config\"}}"
			sleep 45 # istiod waits for half a minute for what it reads anew`,
		first: "SEC012", verdict: endpoints.Reaches, from: "east", of: "west",
		before: []string{pod("east"), westGateway}, after: []string{pod("east"), westGateway},
	},
	"pod addresses, as the address of the gateway is not known": {
		topology: twoNetworks(func(_ *topology.Topology, _, west *topology.Cluster) { west.Gateways[0].IPs = nil }),
		first:    "GW002", verdict: endpoints.Broken, from: "east", of: "west", before: []string{pod("east"), pod("west")},
	},
	"pod addresses, as the gateway has no label": {
		topology: twoNetworks(func(_ *topology.Topology, _, west *topology.Cluster) { west.Gateways[0].Network = "-" }),
		first:    "GW033", verdict: endpoints.Broken, from: "east", of: "west",
		before: []string{pod("east"), pod("west")}, after: []string{pod("east"), westGateway},
	},
	"pod addresses, as the network of the server is not known": {
		topology: twoNetworks(func(_ *topology.Topology, _, west *topology.Cluster) {
			west.NamespaceNetwork, west.InjectedNetwork = "-", "-"
		}),
		first: "NET001", verdict: endpoints.Broken, from: "east", of: "west",
		before: []string{pod("east"), pod("west")}, after: []string{pod("east"), westGateway},
	},
	"the network of the client is not known": { // since 1.30 it goes through gateways, its own cluster's included
		topology: twoNetworks(func(_ *topology.Topology, east, _ *topology.Cluster) { east.InjectedNetwork = "-" }),
		first:    "ok", verdict: endpoints.Reaches, from: "east", of: "west", before: []string{eastGateway, westGateway},
	},
	"a pod without sidecar": {
		topology: twoNetworks(func(_ *topology.Topology, _, west *topology.Cluster) {
			west.Workloads = []topology.Workload{{Namespace: "shop", Name: "cart", Uninjected: true}}
		}),
		first: "EP007", verdict: endpoints.Broken, from: "east", of: "west", before: []string{pod("east")},
	},
	"the port has another name": {
		topology: twoNetworks(func(_ *topology.Topology, _, west *topology.Cluster) {
			west.Services = []topology.Service{{Namespace: "shop", Name: "cart", Ports: []topology.Port{{Name: "http-web", Port: 80, Target: 8080}}}}
		}),
		first: "EP003", verdict: endpoints.Broken, from: "east", of: "west",
		before: []string{pod("east")}, after: []string{pod("east"), westGateway},
	},
}

// For each case diagnose names the cause in its first line, and its fix, pasted into a
// shell, makes the real istiod hand out the right endpoints.
func TestDiagnoseTheGuide(t *testing.T) {
	t.Parallel() // it waits most of the time, and has a fleet of its own
	kubectlBinary, env := kubectl(t)
	env = append(env, "PATH="+strings.Join([]string{istioctl(t), filepath.Dir(kubectlBinary), os.Getenv("PATH")}, string(os.PathListSeparator)))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	// Clusters of its own: the other tests' have no controllers that meddle.
	own, err := bed.Start(ctx, bed.Config{Clusters: []string{"east", "west"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := own.Stop(); err != nil {
			t.Error(err)
		}
	}()
	for name, c := range guide {
		t.Run(name, func(t *testing.T) {
			running, err := own.StartMesh(ctx, c.topology)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := running.Stop(context.WithoutCancel(ctx)); err != nil {
					t.Error(err)
				}
			}()
			connectAll(t, ctx, own, running, "east", "west")
			if c.happens != "" {
				shell(t, own, env, c.happens)
			}
			holdAddresses(t, ctx, own, running, c, c.before)
			o := options{program: endpointsBinary, kubeconfig: own.Kubeconfig()}
			args := []string{"diagnose", "cart.shop", "--contexts", "east,west"}
			text := mesh(t, o, args...)
			_, rows, _ := strings.Cut(text.stdout, "\n") // beneath the header
			if first, _, _ := strings.Cut(rows, "\n"); !strings.Contains(first, c.first) {
				t.Errorf("the first line does not say %q:\n%s%s", c.first, text.stdout, text.stderr)
			}
			if failed := c.verdict.Failed(); failed != (text.code == 1) || text.code == 2 {
				t.Errorf("exit code %d\n%s%s", text.code, text.stdout, text.stderr)
			}
			d := diagnosis(t, mesh(t, o, append(args, "-o", "json")...))
			// There are no proxies to ask here; TestListOnRealControlPlanes has some.
			d.Unknowns = slices.DeleteFunc(d.Unknowns, func(u finding.Unknown) bool { return slices.Equal(u.Codes, []finding.Code{"EP023"}) })
			if d.Verdict != c.verdict || len(d.Unknowns) > 0 {
				t.Errorf("verdict %s, unknown %+v", d.Verdict, d.Unknowns)
			}
			if c.verdict == endpoints.Reaches && c.after == nil {
				if out := mesh(t, o, "verify", "--contexts", "east,west"); out.code != 0 || out.stdout != "" {
					t.Errorf("verify: exit code %d\n%s%s", out.code, out.stdout, out.stderr)
				}
			}
			if c.after == nil {
				return
			}
			paste(t, own, env, d)
			holdAddresses(t, ctx, own, running, c, c.after)
			if out := mesh(t, o, args...); out.code != 0 {
				t.Errorf("after the fix: exit code %d\n%s%s", out.code, out.stdout, out.stderr)
			}
		})
	}
}

// diagnosisDocument is what diagnose -o json prints, as far as it is read here.
type diagnosisDocument struct {
	Verdict  endpoints.Verdict
	Findings []report.IdentifiedFinding
	Unknowns []finding.Unknown
}

func diagnosis(t *testing.T, out outcome) diagnosisDocument {
	t.Helper()
	var d diagnosisDocument
	if err := json.Unmarshal([]byte(out.stdout), &d); err != nil {
		t.Fatalf("%v: exit code %d\n%s\n%s", err, out.code, out.stdout, out.stderr)
	}
	return d
}

// paste runs the fixes of all findings in a shell.
func paste(t *testing.T, own *bed.Fleet, env []string, d diagnosisDocument) {
	t.Helper()
	var lines []string
	for _, f := range d.Findings {
		lines = append(lines, commands(f.Fix)...)
	}
	shell(t, own, env, strings.Join(lines, "\n"))
}

func shell(t *testing.T, own *bed.Fleet, env []string, script string) {
	t.Helper()
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = t.TempDir()
	cmd.Env = append(append(os.Environ(), "KUBECONFIG="+own.Kubeconfig()), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, script, out)
	}
}

// istioctl stands in for the real one, and makes the remote secret that it would make.
func istioctl(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	script := `#!/usr/bin/env bash
set -euo pipefail
[ "$1" = create-remote-secret ]
for a; do case $a in --context=*) context=${a#*=};; --name=*) name=${a#*=};; esac; done
token=$(kubectl --context="$context" -n istio-system get secret ` + topology.ReaderTokenSecret + ` -o jsonpath='{.data.token}' | base64 -d)
field() { kubectl config view --raw --minify --context="$context" -o jsonpath="{.clusters[0].cluster.$1}"; }
cat <<EOF
apiVersion: v1
kind: Secret
metadata:
  name: istio-remote-secret-$name
  namespace: istio-system
  labels: {istio/multiCluster: "true"}
stringData:
  $name: |
    apiVersion: v1
    kind: Config
    current-context: $name
    clusters: [{name: $name, cluster: {server: "$(field server)", certificate-authority-data: "$(field certificate-authority-data)"}}]
    contexts: [{name: $name, context: {cluster: $name, user: $name}}]
    users: [{name: $name, user: {token: "$token"}}]
EOF
`
	if err := os.WriteFile(filepath.Join(dir, "istioctl"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// holdAddresses waits until the pod of a cluster is given these addresses for the service.
func holdAddresses(t *testing.T, ctx context.Context, own *bed.Fleet, running *bed.Mesh, c diagnosed, want []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	names := map[string]string{}
	var asking ads.Proxy
	for _, name := range []string{"east", "west"} {
		p := cartPod(t, ctx, own.Cluster(name))
		names[p.Status.PodIP] = pod(name)
		if name == c.from {
			var err error
			if asking, err = ads.FromPod(&p); err != nil {
				t.Fatal(err)
			}
		}
	}
	plane := running.Istiod(c.from)
	if plane == nil {
		plane = running.Istiods()[0]
	}
	connection, err := ads.Connect(ctx, plane.GRPC(), asking, ads.WithoutListeners())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	want = slices.Sorted(slices.Values(want))
	for {
		var got []string
		for _, e := range connection.Config().Endpoints("cart.shop.svc.cluster.local", 80, "") {
			address := names[e.Address]
			if address == "" {
				address = e.Address
			}
			got = append(got, address)
		}
		if slices.Sort(got); slices.Equal(got, want) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("istiod gives out %v, not %v", got, want)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func cartPod(t *testing.T, ctx context.Context, cluster *bed.Cluster) corev1.Pod {
	t.Helper()
	client, err := kubernetes.NewForConfig(cluster.RESTConfig(bed.Admin))
	if err != nil {
		t.Fatal(err)
	}
	pods, err := client.CoreV1().Pods("shop").List(ctx, metav1.ListOptions{LabelSelector: "app=cart"})
	if err != nil || len(pods.Items) == 0 {
		t.Fatal(fmt.Errorf("no pod of cart in %s: %w", cluster.Name(), err))
	}
	return pods.Items[0]
}
