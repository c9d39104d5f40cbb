package mesh

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"istio.io/istio/pilot/pkg/features"
	kubelib "istio.io/istio/pkg/kube"
	"istio.io/istio/pkg/kube/mcs"
	istiotest "istio.io/istio/pkg/test"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/topology"
)

// With the Multi-Cluster Services API, endpoints of other clusters are those of the
// services that they export.
func TestServiceExports(t *testing.T) {
	istiotest.SetForTest(t, &features.EnableMCSServiceDiscovery, true)
	var n tally
	for s := uint64(1); s <= 8; s++ {
		t.Run(fmt.Sprintf("seed=%d", s), func(t *testing.T) {
			fleet := topology.Draw(s)
			for at, c := range fleet.Clusters {
				for i, o := range c.Objects {
					switch o := o.(type) {
					case *appsv1.Deployment:
						container := &o.Spec.Template.Spec.Containers[0]
						container.Env = append(container.Env, corev1.EnvVar{Name: istio.EnvMCSDiscovery, Value: "true"})
					case *corev1.Service:
						if (i+at)%2 == 0 {
							c.Objects = append(c.Objects, &api.ServiceExport{ObjectMeta: metav1.ObjectMeta{Namespace: o.Namespace, Name: o.Name}})
						}
					}
				}
			}
			hold(t, fleet, &n)
		})
	}
	if n.dropped == 0 || n.endpoints == 0 {
		t.Errorf("nothing was compared: %+v", n)
	}
}

// export makes the ServiceExports of a cluster.
func export(t testing.TB, client kubelib.Client, c *topology.Cluster) {
	t.Helper()
	for _, o := range c.Objects {
		e, ok := o.(*api.ServiceExport)
		if !ok {
			continue
		}
		u := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": mcs.MCSSchemeGroupVersion.String(), "kind": "ServiceExport", "metadata": map[string]any{"name": e.Name, "namespace": e.Namespace},
		}}
		if _, err := client.Dynamic().Resource(mcs.ServiceExportGVR).Namespace(e.Namespace).Create(t.Context(), u, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}
