package bed

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
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
	err := fleet.Multiply(t.Context(), "east", "many", "one", 250, func(i int, p *corev1.Pod) {
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
	none := int64(0)
	if err := pods.DeleteCollection(t.Context(), metav1.DeleteOptions{GracePeriodSeconds: &none}, metav1.ListOptions{}); err != nil {
		t.Error(err)
	}
	if err := fleet.Multiply(t.Context(), "east", "many", "absent", 1, nil); err == nil {
		t.Error("a pod that is not there was copied")
	}
}
