package mesh

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"istio.io/istio/pkg/config/host"
	kubelib "istio.io/istio/pkg/kube"
	"istio.io/istio/pkg/test/util/retry"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/topology"
)

// settle changes every slice and then every Service of a cluster once, in nothing
// that matters, so that istiod looks at them again now that it has the others: what it made of
// them before depends on which came first (docs/istiod.md).
func (i *istiod) settle(t testing.TB, id string, client kubelib.Client, c *topology.Cluster) {
	t.Helper()
	last := ""
	for _, o := range c.Objects {
		if s, ok := o.(*discoveryv1.EndpointSlice); ok && client.ObjectFilter().Filter(s.Namespace) {
			s = s.DeepCopy()
			s.Annotations = map[string]string{"settle": "yes"}
			if _, err := client.Kube().DiscoveryV1().EndpointSlices(s.Namespace).Update(t.Context(), s, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			last = s.Namespace
		}
	}
	if last != "" {
		i.awaitSlices(t, id, client, last)
	}
	last = ""
	for _, o := range c.Objects {
		if s, ok := o.(*corev1.Service); ok && client.ObjectFilter().Filter(s.Namespace) {
			s = s.DeepCopy()
			metav1.SetMetaDataAnnotation(&s.ObjectMeta, "settle", "yes")
			if _, err := client.Kube().CoreV1().Services(s.Namespace).Update(t.Context(), s, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			last = s.Namespace
		}
	}
	if last != "" {
		i.awaitServices(t, id, client, last)
	}
}

// awaitSlices waits until all slices so far are taken in: events of one kind keep their order.
func (i *istiod) awaitSlices(t testing.TB, id string, client kubelib.Client, namespace string) {
	port, name := int32(1), "last"
	mark := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: namespace, Name: "settled", Labels: map[string]string{discoveryv1.LabelServiceName: "settled-" + id}},
		AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Name: &name, Port: &port}},
		Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"127.0.0.1"}}},
	}
	if _, err := client.Kube().DiscoveryV1().EndpointSlices(namespace).Create(t.Context(), mark, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool {
		_, ok := i.Env().EndpointIndex.ShardsForService("settled-"+id+"."+namespace+".svc.cluster.local", namespace)
		return ok
	})
}

// awaitServices does the same for Services; it can be called once for each namespace.
func (i *istiod) awaitServices(t testing.TB, id string, client kubelib.Client, namespace string) {
	t.Helper()
	mark := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "last-service"}}
	if _, err := client.Kube().CoreV1().Services(namespace).Create(t.Context(), mark, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool {
		return i.registries[id].GetService(host.Name("last-service."+namespace+".svc.cluster.local")) != nil
	})
}

func await(t testing.TB, ready func() bool) {
	t.Helper()
	retry.UntilOrFail(t, ready, retry.Delay(time.Millisecond), retry.Timeout(20*time.Second))
}
