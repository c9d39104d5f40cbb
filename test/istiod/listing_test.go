package istiod

import (
	"bytes"
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
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/proxies"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/ads"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// TestTopologiesListed draws topologies, and holds what the program lists as expected
// against what it lists as real: from the proxies through port-forwards, and from the
// istiods.
func TestTopologiesListed(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "kubectl-mesh_endpoints")
	build := exec.Command("go", "build", "-o", binary, "./plugins/kubectl-mesh_endpoints")
	build.Dir, build.Env = "../..", append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	sources, endpoints := 0, 0
	for i, n := *seed, 0; n < *listed; i++ {
		top := draw(i)
		if slices.ContainsFunc(top.RemoteSecrets, topology.RemoteSecret.Broken) {
			continue // what does not work is not in the API objects
		}
		n++
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			mesh := start(t, ctx, top)
			defer func() {
				if err := mesh.Stop(context.WithoutCancel(ctx)); err != nil {
					t.Error(err)
				}
			}()
			settle(t, ctx, mesh)
			connectAll(t, ctx, mesh)
			var contexts []string
			for _, c := range top.Clusters {
				contexts = append(contexts, c.Name)
			}
			for _, service := range []string{"cart.shop", "db.shop", "old.bare"} {
				for _, source := range []string{"envoy", "istiod"} {
					eventually(t, ctx, service+" by "+source, func(ctx context.Context) (string, error) {
						l, err := runList(ctx, binary, service, "--contexts", strings.Join(contexts, ","), "--source", source, "-o", "json")
						if err != nil || l == nil {
							return "", err
						}
						s, e, wrong := judgeListing(*l)
						sources, endpoints = sources+s, endpoints+e
						return wrong, nil
					})
				}
			}
			if t.Failed() {
				text, err := yaml.Marshal(top)
				t.Logf("the topology: %v\n%s", err, text)
			}
		})
	}
	t.Logf("%d endpoints of %d sources are as expected", endpoints, sources)
	if sources == 0 || endpoints == 0 {
		t.Error("nothing was compared")
	}
}

// judgeListing counts what is as expected, and says what is not. A gateway with a host name,
// which only the istiods of the bed resolve, leaves open what is.
func judgeListing(l proxies.Listing) (sources, endpoints int, wrong string) {
	for _, s := range l.Sources {
		for _, d := range s.Destinations {
			if d.Verdict == proxies.Same {
				endpoints += len(d.Endpoints)
				continue
			}
			if strings.Contains(s.Unknown, "could take it for") { // by pods of the same name in a remote cluster
				continue
			}
			if s.Unknown == "" && d.Verdict == proxies.Unknown && slices.ContainsFunc(s.Unread, func(u string) bool { return strings.Contains(u, ".example") }) {
				continue
			}
			text, _ := json.MarshalIndent(d, "", " ")
			return 0, 0, fmt.Sprintf("%s/%s is %s: %s %s\n%s", s.Cluster, s.Pod, d.Verdict, s.Unknown, s.Unread, text)
		}
		sources++
	}
	return sources, endpoints, ""
}

// runList runs the program; nil where no cluster has the service.
func runList(ctx context.Context, binary string, args ...string) (*proxies.Listing, error) {
	cmd := exec.CommandContext(ctx, binary, append([]string{"list"}, args...)...)
	cmd.Env = []string{"KUBECONFIG=" + fleet.Kubeconfig(), "HOME=" + filepath.Dir(binary)}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if strings.Contains(stderr.String(), "there is no Service") {
			return nil, nil
		}
		return nil, fmt.Errorf("%w: %s", err, stderr.String())
	}
	l := &proxies.Listing{}
	return l, json.Unmarshal(stdout.Bytes(), l)
}

// connectAll connects all proxies, each to the control plane that serves it,
// and puts its admin interface behind port 15000 of its pod.
func connectAll(t *testing.T, ctx context.Context, mesh *bed.Mesh) {
	t.Helper()
	read := readFleet(t, ctx, mesh)
	for _, spec := range mesh.Topology().Clusters {
		plane := spec.Name
		if spec.RemoteOf != "" {
			plane = spec.RemoteOf
		}
		at := slices.IndexFunc(read.Clusters, func(c facts.Cluster) bool { return c.Context == spec.Name })
		locality := nodeLocalities(resources.Nodes.Of(&read.Clusters[at]).Value)
		for i := range resources.Pods.Of(&read.Clusters[at]).Value {
			p := resources.Pods.Of(&read.Clusters[at]).Value[i].Object()
			if !hasProxy(p) {
				continue
			}
			proxy, err := ads.FromPod(p)
			if err != nil {
				t.Fatal(err)
			}
			proxy.Locality = locality[p.Spec.NodeName]
			conn, err := ads.Connect(ctx, mesh.Istiod(plane).GRPC(), proxy, ads.WithoutListeners())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			admin, err := ads.ServeAdmin(conn)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = admin.Close() })
			if err := fleet.Cluster(spec.Name).Forward(ctx, bed.Forward{Name: "admin-" + p.Namespace + "-" + p.Name, Namespaces: []string{p.Namespace}, Pods: []string{p.Name}, Port: 15000, To: admin.Address()}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// nodeLocalities are region/zone by node.
func nodeLocalities(nodes []corev1.Node) map[string]string {
	out := map[string]string{}
	for _, n := range nodes {
		out[n.Name] = strings.TrimRight(n.Labels["topology.kubernetes.io/region"]+"/"+n.Labels["topology.kubernetes.io/zone"], "/")
	}
	return out
}
