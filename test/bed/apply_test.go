package bed

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// pod returns a pod that the API server accepts.
func pod(namespace, name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: named(namespace, name),
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "example.com/app:1"}}},
	}
}

// loadBalancer returns a service with an address, if one is given.
func loadBalancer(ip string) *corev1.Service {
	service := &corev1.Service{
		ObjectMeta: named("mesh", "gateway"),
		Spec: corev1.ServiceSpec{
			Type:  corev1.ServiceTypeLoadBalancer,
			Ports: []corev1.ServicePort{{Name: "tls", Port: 15443}},
		},
	}
	if ip != "" {
		service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: ip}}
	}
	return service
}

func TestApplyScenario(t *testing.T) {
	ctx := t.Context()
	manifests, err := LoadManifests("testdata/scenario")
	if err != nil {
		t.Fatal(err)
	}
	for _, cluster := range fleet.Clusters() {
		resetAfter(t, cluster)
		for _, object := range manifests[cluster.Name()] {
			if err := cluster.Apply(ctx, object); err != nil {
				t.Fatal(err)
			}
		}
	}

	east := clientOf(t, fleet.Cluster("east"), Viewer)
	cart, err := east.CoreV1().Pods("shop").Get(ctx, "cart-0", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if cart.Status.Phase != corev1.PodRunning || cart.Status.PodIP != "10.1.0.7" {
		t.Errorf("the pod's status is %+v", cart.Status)
	}
	if cart.UID == types.UID("2b1a2a4e-7f0d-4d5e-9d0e-0a4f5a3c8d11") || cart.ResourceVersion == "4711" {
		t.Error("the pod has what only the server may set")
	}
	shop, err := east.CoreV1().Namespaces().Get(ctx, "shop", metav1.GetOptions{})
	if err != nil || shop.Labels["istio-injection"] != "enabled" {
		t.Errorf("the namespace is %+v, %v", shop, err)
	}
	gateway, err := clientOf(t, fleet.Cluster("west"), Viewer).CoreV1().Services("mesh").Get(ctx, "gateway", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := []corev1.LoadBalancerIngress{{IP: "127.0.0.9"}}
	got := gateway.Status.LoadBalancer.Ingress
	for i := range got {
		got[i].IPMode = nil // the server's default
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the gateway's status: %s", diff)
	}
}

func TestApplyReplaces(t *testing.T) {
	ctx := t.Context()
	east := fleet.Cluster("east")
	resetAfter(t, east)
	client := clientOf(t, east, Admin)

	replicas := int32(2)
	labels := map[string]string{"app": "cart"}
	deployment := &appsv1.Deployment{
		ObjectMeta: named("mesh", "cart"),
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod("", "").Spec},
		},
		Status: appsv1.DeploymentStatus{Replicas: 2, ReadyReplicas: 1},
	}
	first := pod("mesh", "cart-0")
	first.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.1.0.8"}
	if err := east.Apply(ctx, deployment, first, loadBalancer("127.0.0.8")); err != nil {
		t.Fatal(err)
	}

	// What is mutable is updated; a pod's containers are not; and a status that
	// is not stated any more is that of a new object.
	changed := deployment.DeepCopy()
	changed.Status.ReadyReplicas = 2
	second := pod("mesh", "cart-0")
	second.Spec.Containers[0].Name = "other"
	second.Finalizers = []string{"example.com/held"}
	if err := east.Apply(ctx, changed, second, loadBalancer("")); err != nil {
		t.Fatal(err)
	}
	if live, err := client.AppsV1().Deployments("mesh").Get(ctx, "cart", metav1.GetOptions{}); err != nil {
		t.Error(err)
	} else if live.Status.ReadyReplicas != 2 || live.Status.Replicas != 2 {
		t.Errorf("the deployment's status is %+v", live.Status)
	}
	if live, err := client.CoreV1().Pods("mesh").Get(ctx, "cart-0", metav1.GetOptions{}); err != nil {
		t.Error(err)
	} else if live.Spec.Containers[0].Name != "other" || live.Status.Phase != corev1.PodPending || live.Status.PodIP != "" {
		t.Errorf("the pod is %+v, %+v", live.Spec.Containers, live.Status)
	}
	if live, err := client.CoreV1().Services("mesh").Get(ctx, "gateway", metav1.GetOptions{}); err != nil {
		t.Error(err)
	} else if len(live.Status.LoadBalancer.Ingress) != 0 {
		t.Errorf("the gateway's status is %+v", live.Status)
	}
}

func TestApplyErrors(t *testing.T) {
	east := fleet.Cluster("east")
	resetAfter(t, east)
	config := &corev1.ConfigMap{ObjectMeta: named("mesh", "twice")}
	for name, test := range map[string]struct {
		objects []runtime.Object
		want    []string
	}{
		"invalid": {
			[]runtime.Object{&corev1.Pod{ObjectMeta: named("mesh", "empty")}},
			[]string{"cluster east", "pods mesh/empty", "spec.containers"},
		},
		"unknown kind": {
			[]runtime.Object{parse(t, "{apiVersion: example.com/v1, kind: Widget, metadata: {name: w}}")[0]},
			[]string{"cluster east", `Widget "w"`, "no matches for kind"},
		},
		"twice":   {[]runtime.Object{config, config}, []string{"configmaps mesh/twice", "given twice"}},
		"no name": {[]runtime.Object{&corev1.ConfigMap{}}, []string{"kind ConfigMap has no name"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := east.Apply(t.Context(), test.objects...)
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q", err, want)
				}
			}
		})
	}
}

const widgets = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: widgets.example.com
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
status:
  storedVersions: [v1]
---
apiVersion: example.com/v1
kind: Widget
metadata: {name: w, namespace: workshop}
spec: {size: 3}
status: {ready: true}
`

func TestApplyCustomResources(t *testing.T) {
	ctx := t.Context()
	east := fleet.Cluster("east")
	resetAfter(t, east)
	objects := parse(t, widgets)
	widgetsV1 := objects[1].GroupVersionKind().GroupVersion().WithResource("widgets")
	viewer, err := newClient(east.RESTConfig(Viewer))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := east.Apply(ctx, objects[1], objects[0]); err != nil {
			t.Fatal(err)
		}
		live, err := viewer.dynamic.Resource(widgetsV1).Namespace("workshop").Get(ctx, "w", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, field := range []string{"spec", "status"} {
			if diff := cmp.Diff(objects[1].Object[field], live.Object[field]); diff != "" {
				t.Errorf("%s: %s", field, diff)
			}
		}
		if err := east.Reset(ctx); err != nil {
			t.Fatal(err)
		}
		_, err = east.client.dynamic.Resource(crds).Get(ctx, "widgets.example.com", metav1.GetOptions{})
		if !apierrors.IsNotFound(err) {
			t.Fatalf("the definition is still there: %v", err)
		}
	}
}

func TestResetIsFast(t *testing.T) {
	ctx := t.Context()
	east := fleet.Cluster("east")
	resetAfter(t, east)
	var objects []runtime.Object
	for _, namespace := range []string{"a", "b", "c", "d"} {
		for _, name := range []string{"1", "2", "3", "4"} {
			running := pod(namespace, name)
			running.Status.Phase = corev1.PodRunning
			objects = append(objects, running)
		}
	}
	if err := east.Apply(ctx, objects...); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	for range 3 {
		if err := east.Reset(ctx); err != nil {
			t.Fatal(err)
		}
		if err := east.Apply(ctx, objects...); err != nil {
			t.Fatal(err)
		}
	}
	took := time.Since(start) / 3
	t.Logf("reset and apply of %d objects: %s", len(objects)+4, took)
	if took > 3*time.Second {
		t.Errorf("reset and apply took %s", took)
	}
}
