package ads_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

// forwarding is how kubectl says where it listens.
var forwarding = regexp.MustCompile(`^Forwarding from (127\.0\.0\.1:\d+) `)

// portForward returns where a kubectl that ends with the test forwards a port of
// a pod to.
func portForward(ctx context.Context, t *testing.T, fleet *bed.Fleet, cluster, namespace, pod string, port int) string {
	t.Helper()
	kubectl, err := bed.Build(ctx, "kubectl", os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, kubectl, "--kubeconfig="+fleet.Kubeconfig(), "--context="+cluster,
		"--namespace="+namespace, "port-forward", "--address=127.0.0.1", "pod/"+pod, fmt.Sprintf(":%d", port))
	cmd.Stderr = os.Stderr
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		// It was killed, and says so.
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if match := forwarding.FindStringSubmatch(lines.Text()); match != nil {
			return match[1]
		}
	}
	t.Fatalf("kubectl port-forward has ended: %v", lines.Err())
	return ""
}
