package e2e

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// Pods of real API servers are reached as kubectl port-forward and kubectl exec
// reach them.
func TestPodAccess(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	fleet := startTopology(t, ctx, topology.Topology{
		Everywhere: topology.Contents{
			Namespaces: []topology.Namespace{{Name: "shop", Labels: map[string]string{"istio-injection": "enabled"}}},
			Workloads:  []topology.Workload{{Namespace: "shop", Name: "cart"}},
		},
		Clusters: []topology.Cluster{{Name: "east", Network: "n1"}},
	})
	mesh, cluster := fleet.Mesh(), fleet.Cluster("east")
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: fleet.Kubeconfig()},
		&clientcmd.ConfigOverrides{CurrentContext: cluster.Name()},
	).ClientConfig()
	if err != nil {
		t.Fatal(err)
	}
	istiod := podaccess.Pod{Namespace: topology.SystemNamespace, Name: topology.IstiodPod}
	get := func(ctx context.Context, config *rest.Config, pod podaccess.Pod, port int) (string, error) {
		client := podaccess.Client(ctx, config, pod, port)
		defer client.CloseIdleConnections()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://pod/debug/clusterz", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		return string(body), err
	}

	want, err := mesh.Istiod(cluster.Name()).Debug(ctx, "/debug/clusterz")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := get(ctx, config, istiod, 8080); err != nil || got != string(want) {
		t.Errorf("through a port-forward istiod says %q, itself %q, %v", got, want, err)
	}

	// Nothing listens there.
	if err := cluster.Forward(ctx, bed.Forward{Name: "closed", Namespaces: []string{"shop"}, Pods: []string{"cart-0"}, Port: 15999, To: "127.0.0.1:1"}); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		_, err = get(ctx, config, podaccess.Pod{Namespace: "shop", Name: "cart-0"}, 15999)
		if err != nil && strings.Contains(err.Error(), "refused") {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("a closed port: %v", err)
			break
		}
		time.Sleep(100 * time.Millisecond)
	}

	if _, err := get(ctx, config, podaccess.Pod{Namespace: "shop", Name: "nobody"}, 80); !apierrors.IsNotFound(err) {
		t.Errorf("a pod that does not exist: %v", err)
	}
	stranger := rest.CopyConfig(config)
	stranger.Impersonate.UserName = "stranger"
	if _, err := get(ctx, stranger, istiod, 8080); !apierrors.IsForbidden(err) {
		t.Errorf("a user without rights: %v", err)
	}
	ended, end := context.WithCancel(ctx)
	end()
	if _, err := podaccess.Dial(ended, config, istiod, 8080); err == nil {
		t.Error("dialled after the end")
	}

	program := filepath.Join(t.TempDir(), "count")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho $1$1$1\necho why >&2\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := cluster.AddProgram("count", program); err != nil {
		t.Fatal(err)
	}
	cart := podaccess.Pod{Namespace: "shop", Name: "cart-0", Container: "istio-proxy"}
	result, err := podaccess.Exec(ctx, config, cart, []string{"count", "abc"}, 5)
	if err != nil || string(result.Stdout) != "abcab" || string(result.Stderr) != "why\n" || result.Code != 0 || !result.Truncated {
		t.Errorf("exec: %q %q %d %v %v", result.Stdout, result.Stderr, result.Code, result.Truncated, err)
	}
	if result, err := podaccess.Exec(ctx, stranger, cart, []string{"count"}, 5); !apierrors.IsForbidden(err) {
		t.Errorf("exec without rights: %v, %v", result, err)
	}
	if result, err := podaccess.Exec(ctx, config, cart, []string{"no-such-program"}, 5); err == nil && result.Code == 0 {
		t.Errorf("a program that does not exist: %+v", result)
	}
}
