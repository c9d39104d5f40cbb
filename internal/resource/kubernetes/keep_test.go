package kubernetes

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// with has meshes want something for one test.
func with(t *testing.T, w ...Wanted) {
	t.Helper()
	before := wanted
	wanted = w
	t.Cleanup(func() { wanted = before })
}

func pod() *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: "p", Labels: map[string]string{"app": "web"}, Annotations: map[string]string{"first/kept": "1", "second/kept": "2", "other": "secret"},
	}}
	env := []corev1.EnvVar{{Name: "A", Value: "long"}, {Name: "B", Value: "b"}, {Name: "TOKEN", Value: "secret"}}
	p.Spec.ServiceAccountName = "account"
	p.Spec.Containers = []corev1.Container{{Name: "app", Env: env}, {Name: "one", Env: env}, {Name: "two", Env: env}}
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "app"}, {Name: "two"}}
	return p
}

// What each of two meshes wants is kept, and nothing else.
func TestTwoMeshes(t *testing.T) {
	is := func(want string) func(string) bool { return func(key string) bool { return key == want } }
	with(t, Wanted{
		Containers: []string{"one"}, Env: []string{"A"}, Reduce: map[string]func(string) string{"A": func(string) string { return "short" }},
		PodAnnotation: is("first/kept"), ServiceAnnotation: is("first/kept"),
	}, Wanted{
		Containers: []string{"two"}, Env: []string{"B"}, PodAnnotation: is("second/kept"), NamespaceAnnotation: is("second/kept"), SliceLabel: is("second/kept"),
		ServiceAccount: func(labels map[string]string) bool { return labels["app"] == "web" },
	})
	p := NewPodTrimmer()(pod())
	if len(p.Annotations) != 2 || p.Annotations["first/kept"] != "1" || p.Annotations["second/kept"] != "2" || p.ServiceAccount != "account" {
		t.Errorf("annotations %v, account %q", p.Annotations, p.ServiceAccount)
	}
	if len(p.Containers) != 2 || p.Containers[0].Name != "one" || p.Containers[1].Name != "two" || len(p.Statuses) != 1 {
		t.Errorf("containers %+v, statuses %+v", p.Containers, p.Statuses)
	}
	if env := []corev1.EnvVar{{Name: "A", Value: "short"}, {Name: "B", Value: "b"}}; !slices.Equal(p.Containers[0].Env, env) {
		t.Errorf("environment %+v", p.Containers[0].Env)
	}
	annotated := metav1.ObjectMeta{Annotations: pod().Annotations, Labels: pod().Annotations}
	if a := trimService(&corev1.Service{ObjectMeta: annotated}).Annotations; len(a) != 1 || a["first/kept"] != "1" {
		t.Errorf("of a Service %v", a)
	}
	if a := TrimNamespace(&corev1.Namespace{ObjectMeta: annotated}).Annotations; len(a) != 1 || a["second/kept"] != "2" {
		t.Errorf("of a Namespace %v", a)
	}
	if l := TrimEndpointSlice(&discoveryv1.EndpointSlice{ObjectMeta: annotated}).Labels; len(l) != 1 || l["second/kept"] != "2" {
		t.Errorf("of an EndpointSlice %v", l)
	}
}

// Where no mesh wants anything, nothing is kept that can hold anything.
func TestNoMesh(t *testing.T) {
	with(t)
	p := NewPodTrimmer()(pod())
	if len(p.Annotations)+len(p.Containers)+len(p.Statuses) != 0 || p.ServiceAccount != "" || p.Labels["app"] != "web" {
		t.Errorf("%+v", p)
	}
}

// Annotations tell templates apart.
func TestTemplatesWithAnnotations(t *testing.T) {
	with(t, Wanted{PodAnnotation: func(string) bool { return true }})
	trim := NewPodTrimmer()
	a, b, other := trim(pod()), trim(pod()), pod()
	other.Annotations["other"] = "changed"
	if c := trim(other); a.PodTemplate != b.PodTemplate || a.PodTemplate == c.PodTemplate {
		t.Error("templates are not shared as they should be")
	}
}
