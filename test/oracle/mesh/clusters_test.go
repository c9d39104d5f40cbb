package mesh

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"

	"istio.io/istio/pkg/cluster"
	"istio.io/istio/pkg/config/mesh/meshwatcher"
	kubelib "istio.io/istio/pkg/kube"
	"istio.io/istio/pkg/kube/krt"
	"istio.io/istio/pkg/kube/multicluster"
	"istio.io/istio/pkg/test"
	"istio.io/istio/pkg/test/util/retry"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/topology"
)

// entry is one of /debug/clusterz.
type entry struct{ ID, Secret, State string }

// holdClusters compares which clusters a control plane reads, given that all of
// them answer.
func holdClusters(t *testing.T, v *istio.View, own *topology.Cluster) int {
	watched, _ := v.Clusters()
	var predicted []entry
	for _, w := range watched {
		predicted = append(predicted, entry{w.ID, w.Secret, string(w.State)})
	}
	got := clusterz(t, own, v.Istiod.ClusterID())
	byID := func(a, b entry) int { return strings.Compare(a.ID+a.Secret, b.ID+b.Secret) }
	slices.SortFunc(predicted, byID)
	slices.SortFunc(got, byID)
	if diff := cmp.Diff(predicted, got); diff != "" {
		t.Errorf("%s: clusters (-predicted +istiod):\n%s", v.Context, diff)
	}
	return len(got) - 1
}

// clusterz runs istiod's controller of remote secrets. Instead of clients for the kubeconfigs
// that it accepts it is given some of empty clusters.
func clusterz(t testing.TB, own *topology.Cluster, id string) []entry {
	var secrets []runtime.Object
	for _, o := range own.Objects {
		if s, ok := o.(*corev1.Secret); ok {
			secrets = append(secrets, s.DeepCopy())
		}
	}
	client := kubelib.NewFakeClient(secrets...)
	t.Cleanup(client.Shutdown)
	stop := test.NewStop(t)
	build := func(kubeconfig []byte, _ cluster.ID, _ ...func(*rest.Config)) (kubelib.Client, error) {
		if _, err := kubelib.NewUntrustedRestConfig(kubeconfig); err != nil {
			return nil, err
		}
		return kubelib.NewFakeClient(), nil
	}
	c := multicluster.NewController(multicluster.ControllerOptions{
		Client: client, ClusterID: cluster.ID(id), SystemNamespace: topology.System, MeshConfig: meshwatcher.NewTestWatcher(nil),
		ClientBuilder: build, Debugger: new(krt.DebugHandler),
	})
	client.RunAndWait(stop)
	if err := c.Run(stop); err != nil {
		t.Fatal(err)
	}
	retry.UntilOrFail(t, c.HasSynced, retry.Delay(time.Millisecond), retry.Timeout(20*time.Second))
	var out []entry
	for _, info := range c.ListRemoteClusters() {
		out = append(out, entry{string(info.ID), info.SecretName, info.SyncStatus})
	}
	return out
}
