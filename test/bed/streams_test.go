package bed

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// testStreams checks that port-forward and exec lead to local processes, by way
// of the API server.
func testStreams(t *testing.T, mesh *Mesh, cluster *Cluster) {
	kubectl, err := Build(t.Context(), "kubectl", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	streaming, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	run := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(streaming, kubectl, append([]string{"--context", cluster.Name()}, args...)...)
		cmd.Env = append(os.Environ(), "KUBECONFIG="+mesh.fleet.Kubeconfig())
		return cmd
	}

	for _, said := range []string{"first", "second"} {
		// The second replaces the first while the cluster runs.
		admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, said) }))
		defer admin.Close()
		err := cluster.Forward(t.Context(), Forward{
			Name: "admin", Namespaces: []string{"shop"}, Pods: []string{"cart-0"}, Port: 15000,
			To: admin.Listener.Addr().String(),
		})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		for got != said && ctx.Err() == nil {
			got = throughForward(t, run("port-forward", "-n", "shop", "pod/cart-0", ":15000"), "/")
		}
		if got != said {
			t.Errorf("a port-forward leads to %q, want %q", got, said)
		}
	}
	got := throughForward(t, run("port-forward", "-n", topology.SystemNamespace, "pod/"+topology.IstiodPod, ":8080"), "/debug/clusterz")
	if want, err := mesh.Istiod(cluster.Name()).Debug(t.Context(), "/debug/clusterz"); err != nil || got != string(want) {
		t.Errorf("the control plane's pod says %q, itself %q, %v", got, want, err)
	}
	if err := cluster.Forward(t.Context(), Forward{Name: "out", To: "192.0.2.1:80"}); err == nil {
		t.Error("a forward leads out of this machine")
	}

	program := filepath.Join(t.TempDir(), "agent")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nread line\necho \"$1 and $line\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := cluster.AddProgram("pilot-agent", program); err != nil {
		t.Fatal(err)
	}
	cmd := run("exec", "-i", "-n", "shop", "cart-0", "-c", "istio-proxy", "--", "pilot-agent", "this")
	cmd.Stdin = strings.NewReader("that\n")
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "this and that\n" {
		t.Errorf("exec: %q, %v", out, err)
	}
	if out, err := run("exec", "-n", "shop", "cart-0", "-c", "istio-proxy", "--", "ls").CombinedOutput(); err == nil {
		t.Errorf("exec reaches this machine's ls: %s", out)
	}
}

// throughForward returns what a server says at the other end of a port-forward,
// or nothing if it cannot be reached.
func throughForward(t *testing.T, forward *exec.Cmd, path string) string {
	t.Helper()
	out, err := forward.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := forward.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = forward.Process.Kill()
		_ = forward.Wait()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(line) // Forwarding from 127.0.0.1:1234 -> 15000
	if len(fields) < 3 {
		t.Fatalf("kubectl said %q", line)
	}
	if _, _, err := net.SplitHostPort(fields[2]); err != nil {
		t.Fatalf("kubectl said %q", line)
	}
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + fields[2] + path)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return string(body)
}
