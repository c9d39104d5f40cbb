package bed

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestMultiply(t *testing.T) {
	east := fleet.Cluster("east")
	resetAfter(t, east)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "many", Name: "one"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "registry.example/app:1"}}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}
	if err := east.Apply(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	err := Multiply(t.Context(), fleet, "east", "many", "one", 250, func(i int, p *corev1.Pod) {
		p.Name, p.UID = fmt.Sprintf("copy-%03d", i), types.UID(fmt.Sprintf("uid-%03d", i))
	})
	if err != nil {
		t.Fatal(err)
	}
	pods := clientOf(t, east, Admin).CoreV1().Pods("many")
	got, err := pods.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Items) != 251 {
		t.Errorf("%d pods", len(got.Items))
	}
	for _, p := range got.Items {
		if p.Status.Phase != corev1.PodRunning || p.Spec.Containers[0].Image != "registry.example/app:1" {
			t.Errorf("%+v", p)
		}
	}
	copyOthers(t, east)
	none := int64(0)
	if err := pods.DeleteCollection(t.Context(), metav1.DeleteOptions{GracePeriodSeconds: &none}, metav1.ListOptions{}); err != nil {
		t.Error(err)
	}
	if err := Multiply[corev1.Pod](t.Context(), fleet, "east", "many", "absent", 1, nil); err == nil {
		t.Error("a pod that is not there was copied")
	}
}

// copyOthers copies a Service and an EndpointSlice.
func copyOthers(t *testing.T, east *Cluster) {
	t.Helper()
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "many", Name: "one"},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: 80}}},
	}
	slice := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: "many", Name: "one"}, AddressType: discoveryv1.AddressTypeIPv4, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}}}}
	if err := east.Apply(t.Context(), service, slice); err != nil {
		t.Fatal(err)
	}
	err := Multiply(t.Context(), fleet, "east", "many", "one", 3, func(i int, s *corev1.Service) {
		s.Name, s.Spec.ClusterIP, s.Spec.ClusterIPs = fmt.Sprintf("copy-%d", i), fmt.Sprintf("10.96.200.%d", i+1), []string{fmt.Sprintf("10.96.200.%d", i+1)}
	})
	if err != nil {
		t.Fatal(err)
	}
	err = Multiply(t.Context(), fleet, "east", "many", "one", 2, func(i int, s *discoveryv1.EndpointSlice) { s.Name = fmt.Sprintf("copy-%d", i) })
	if err != nil {
		t.Fatal(err)
	}
	client := clientOf(t, east, Admin)
	services, err := client.CoreV1().Services("many").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(services.Items) != 4 {
		t.Errorf("%v, %d Services", err, len(services.Items))
	}
	slices, err := client.DiscoveryV1().EndpointSlices("many").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(slices.Items) != 3 {
		t.Errorf("%v, %d EndpointSlices", err, len(slices.Items))
	}
}
