package main

import (
	"bytes"
	"context"
	"errors"
	"io"
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

func TestUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	go func() {
		var log bytes.Buffer
		err := up(ctx, upOptions{scenario: "../../testdata/scenario", clusters: "north"}, writer, &log)
		_ = writer.CloseWithError(err)
		done <- err
	}()

	said, path := "", ""
	buffer := make([]byte, 4096)
	for !strings.Contains(said, "Ctrl-C") {
		n, err := reader.Read(buffer)
		if err != nil {
			t.Fatalf("after %q: %v", said, err)
		}
		said += string(buffer[:n])
	}
	go io.Copy(io.Discard, reader)
	for line := range strings.Lines(said) {
		if _, after, found := strings.Cut(line, "export KUBECONFIG="); found {
			path = strings.TrimSpace(after)
		}
	}
	for _, want := range []string{"kubectl --context east get", "kubectl --context north get", "kubectl --context west get"} {
		if !strings.Contains(said, want) {
			t.Errorf("it said %q, without %q", said, want)
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
	cart, err := client.CoreV1().Pods("shop").Get(ctx, "cart-0", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("10.1.0.7", cart.Status.PodIP); diff != "" {
		t.Error(diff)
	}
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Error("it does not stop")
	}
}
