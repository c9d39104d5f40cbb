package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

func kubeconfigOf(t *testing.T, contexts ...bed.Context) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	if err := fleet.WriteKubeconfig(path, contexts); err != nil {
		t.Fatal(err)
	}
	return path
}

// startTopology starts clusters of the test's own: the other tests' have no controllers that
// meddle.
func startTopology(t *testing.T, ctx context.Context, top topology.Topology) *bed.Fleet {
	t.Helper()
	fleet, err := bed.StartTopology(ctx, top, bed.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := fleet.Stop(); err != nil {
			t.Error(err)
		}
	})
	return fleet
}

// shopOnTwoNetworks are two clusters with service shop/cart, each on a network of its own with a gateway at
// an address. primary is the cluster whose control plane west's proxies use; "" for west's own.
func shopOnTwoNetworks(east, west, primary string) topology.Topology {
	gateway := func(ip string) topology.Contents {
		return topology.Contents{Gateways: []topology.Gateway{{IPs: []string{ip}}}}
	}
	return topology.Topology{
		Everywhere: topology.Contents{
			Namespaces: []topology.Namespace{{Name: "shop", Labels: map[string]string{"istio-injection": "enabled"}}},
			Services:   []topology.Service{{Namespace: "shop", Name: "cart"}},
			Workloads:  []topology.Workload{{Namespace: "shop", Name: "cart"}},
		},
		Clusters: []topology.Cluster{
			{Name: "east", Network: "n1", Contents: gateway(east)}, {Name: "west", Network: "n2", RemoteOf: primary, Contents: gateway(west)},
		},
	}
}

// Without --contexts the fleet is what the current cluster's remote secrets name.
func TestFleetThroughRemoteSecrets(t *testing.T) {
	plant(t, istiotest.Healthy("east", "north", "west"))
	for name, c := range map[string]struct {
		contexts []bed.Context
		args     []string
		clusters []string
		findings []string
		says     string
	}{
		"all found": {
			contexts: []bed.Context{{Name: "prod-east", Cluster: "east"}, {Name: "other", Server: "https://127.0.0.1:1"}, {Name: "prod-north", Cluster: "north"}, {Name: "prod-west", Cluster: "west"}},
			clusters: []string{"prod-east", "prod-north", "prod-west"},
			says:     "Looking at prod-east (the current context), prod-north, prod-west, found through the remote secrets of prod-east.",
		},
		"from another context": {
			contexts: []bed.Context{{Cluster: "east"}, {Cluster: "north"}, {Cluster: "west"}},
			args:     []string{"--context", "west"},
			clusters: []string{"west", "east", "north"},
			says:     "Looking at west (the current context)",
		},
		"one beyond reach": {
			contexts: []bed.Context{{Cluster: "east"}, {Cluster: "north"}},
			clusters: []string{"east", "north"},
			findings: []string{"FLT007 warning east"},
			says:     "No context leads to cluster west at " + fleet.Cluster("west").URL(),
		},
		"secrets forbidden": {
			contexts: []bed.Context{{Cluster: "east", User: bed.Viewer}, {Cluster: "north"}},
			clusters: []string{"east"},
			says:     "Looking at east alone: its remote secrets, which name the other clusters, could not be read (forbidden).",
		},
		"all contexts": {
			contexts: []bed.Context{{Cluster: "north"}, {Cluster: "east"}},
			args:     []string{"--all-contexts"},
			clusters: []string{"east", "north"},
		},
		"a pattern": {
			contexts: []bed.Context{{Cluster: "north"}, {Cluster: "east"}, {Cluster: "west"}},
			args:     []string{"--contexts", "*st"},
			clusters: []string{"east", "west"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			out := mesh(t, options{kubeconfig: kubeconfigOf(t, c.contexts...)}, append([]string{"verify", "-o", "json"}, c.args...)...)
			doc := document(t, out)
			var clusters []string
			for _, cluster := range doc.Clusters {
				clusters = append(clusters, cluster.Context)
			}
			if diff := cmp.Diff(c.clusters, clusters); diff != "" {
				t.Errorf("clusters (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.findings, summary(doc)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if !strings.Contains(out.stderr, c.says) || (c.says == "") != !strings.Contains(out.stderr, "Looking at") {
				t.Errorf("on stderr, want %q\n%s", c.says, out.stderr)
			}
		})
	}
}

// Credential plugins of the user's own kubeconfig run, side by side; nothing that
// comes out of a cluster is run.
func TestCredentialPlugins(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the plugin is a shell script")
	}
	f := istiotest.Healthy("east", "north", "west")
	planted := filepath.Join(t.TempDir(), "planted")
	plant(t, f)
	for _, c := range f.Clusters {
		kubeconfig := strings.NewReplacer("SERVER", c.Server, "FILE", planted).Replace(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: SERVER}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: touch, args: [FILE]}}}]
`)
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: istiotest.System, Name: "istio-remote-secret-" + c.Name, Labels: map[string]string{istio.MultiClusterLabel: "true"}},
			Data:       map[string][]byte{c.Name: []byte(kubeconfig)},
		}
		for _, from := range fleet.Clusters() {
			if from.Name() != c.Name {
				if err := from.Apply(t.Context(), secret); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	var contexts []bed.Context
	for _, c := range fleet.Clusters() {
		credential := fmt.Sprintf(`{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":%q}}`, c.RESTConfig(bed.Admin).BearerToken)
		plugin := write(t, "plugin-"+c.Name(), "#!/bin/sh\nsleep 1\ncat <<'END'\n"+credential+"\nEND\n", 0o755)
		contexts = append(contexts, bed.Context{Cluster: c.Name(), Exec: &clientcmdapi.ExecConfig{Command: plugin}})
	}
	out := mesh(t, options{kubeconfig: kubeconfigOf(t, contexts...)}, "verify", "--all-contexts", "-o", "json")
	if diff := cmp.Diff([]string(nil), summary(document(t, out))); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if out.took < time.Second || out.took > 2500*time.Millisecond {
		t.Errorf("three plugins of one second each took %s", out.took)
	}
	if _, err := os.Stat(planted); err == nil {
		t.Error("the command of a kubeconfig from a cluster was run")
	}
}
