package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/google/go-cmp/cmp"
)

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"down"}, {"up", "more"}, {"up", "--cluster", "east"}, {"list", "--clusters", "east"}} {
		if err := run(t.Context(), args); !errors.Is(err, errUsage) {
			t.Errorf("%q: got %v", args, err)
		}
	}
}

func TestList(t *testing.T) {
	if err := list(t.Context(), io.Discard); err != nil {
		t.Error(err)
	}
}

// startUp runs up until the test ends and returns what it says of a running fleet.
func startUp(t *testing.T, options upOptions) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	go func() {
		var log bytes.Buffer
		err := up(ctx, options, writer, &log)
		_ = writer.CloseWithError(err)
		done <- err
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(30 * time.Second):
			t.Error("it does not stop")
		}
	})

	said := ""
	buffer := make([]byte, 4096)
	for !strings.Contains(said, "Ctrl-C") {
		n, err := reader.Read(buffer)
		if err != nil {
			t.Fatalf("after %q: %v", said, err)
		}
		said += string(buffer[:n])
	}
	go io.Copy(io.Discard, reader)
	return said
}

// clientFrom returns a client of the kubeconfig that up told of.
func clientFrom(t *testing.T, said string) kubernetes.Interface {
	t.Helper()
	path := ""
	for line := range strings.Lines(said) {
		if _, after, found := strings.Cut(line, "export KUBECONFIG="); found {
			path = strings.TrimSpace(after)
		}
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestUp(t *testing.T) {
	said := startUp(t, upOptions{scenario: "../../testdata/scenario", clusters: "north"})
	for _, want := range []string{"kubectl --context east get", "kubectl --context north get", "kubectl --context west get"} {
		if !strings.Contains(said, want) {
			t.Errorf("it said %q, without %q", said, want)
		}
	}
	cart, err := clientFrom(t, said).CoreV1().Pods("shop").Get(t.Context(), "cart-0", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("10.1.0.7", cart.Status.PodIP); diff != "" {
		t.Error(diff)
	}
}

// A topology may come with manifests, too.
func TestUpMesh(t *testing.T) {
	said := startUp(t, upOptions{scenario: "../../testdata/topology"})
	client := clientFrom(t, said)
	cart, err := client.CoreV1().Pods("shop").Get(t.Context(), "cart-0", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("net", cart.Labels["topology.istio.io/network"]); diff != "" {
		t.Error(diff)
	}
	if _, err := client.CoreV1().ConfigMaps("shop").Get(t.Context(), "prices", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	_, after, found := strings.Cut(said, "curl ")
	if !found {
		t.Fatalf("it said %q", said)
	}
	url, _, _ := strings.Cut(after, "\n")
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(body), "synced") {
		t.Errorf("%s says %s, %v", url, body, err)
	}
}
