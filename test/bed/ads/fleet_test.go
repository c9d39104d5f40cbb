package ads_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/encoding/protojson"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/ads"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// start starts a fleet that ends with the test.
func start(t *testing.T, text string) (context.Context, *bed.Fleet) {
	t.Helper()
	// Servers that are not there yet take minutes to compile.
	ctx, cancel := context.WithTimeout(context.Background(), 9*time.Minute)
	t.Cleanup(cancel)
	wanted, err := topology.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	fleet, err := bed.StartTopology(ctx, wanted, bed.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := fleet.Stop(); err != nil {
			t.Error(err)
		}
	})
	return ctx, fleet
}

// compare compares the endpoints of the service with those that are wanted, in
// any order.
func compare(t *testing.T, config *ads.Config, subset string, want ...ads.Endpoint) {
	t.Helper()
	byAddress := cmpopts.SortSlices(func(a, b ads.Endpoint) bool { return a.Address < b.Address })
	if diff := cmp.Diff(want, config.Endpoints(cart, 80, subset), byAddress); diff != "" {
		t.Errorf("endpoints of subset %q (-want +got):\n%s", subset, diff)
	}
}

// withLocalityWeight returns endpoints as they are in a locality of that weight.
func withLocalityWeight(weight int, endpoints ...ads.Endpoint) []ads.Endpoint {
	for i := range endpoints {
		endpoints[i].LocalityWeight = weight
	}
	return endpoints
}

// ejectedHosts are the hosts of the service by address, read as a tool would.
func ejectedHosts(t *testing.T, address string) map[string]bool {
	t.Helper()
	response, err := http.Get("http://" + address + "/clusters?format=json")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	var clusters adminv3.Clusters
	if err := protojson.Unmarshal(body, &clusters); err != nil {
		t.Fatal(err)
	}
	hosts := map[string]bool{}
	for _, cluster := range clusters.GetClusterStatuses() {
		if cluster.GetName() != (ads.Service{Host: cart, Port: 80}).ClusterName() {
			continue
		}
		for _, host := range cluster.GetHostStatuses() {
			socket := host.GetAddress().GetSocketAddress()
			name := fmt.Sprintf("%s:%d", socket.GetAddress(), socket.GetPortValue())
			hosts[name] = host.GetHealthStatus().GetFailedOutlierCheck()
		}
	}
	return hosts
}

// podOf returns a pod of the namespace of the service.
func podOf(ctx context.Context, t *testing.T, cluster *bed.Cluster, name string) *corev1.Pod {
	t.Helper()
	client, err := kubernetes.NewForConfig(cluster.RESTConfig(bed.Admin))
	if err != nil {
		t.Fatal(err)
	}
	pod, err := client.CoreV1().Pods("shop").Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return pod
}
