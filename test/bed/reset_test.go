package bed

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// inventory lists the objects of a cluster that tests change, with the labels
// that a mesh would give them.
func inventory(t *testing.T, cluster *Cluster) []string {
	t.Helper()
	ctx := context.Background()
	client := clientOf(t, cluster, Admin).CoreV1()
	var lines []string
	add := func(kind string, meta metav1.ObjectMeta) {
		lines = append(lines, fmt.Sprintf("%s %s/%s %v", kind, meta.Namespace, meta.Name, meta.Labels))
	}
	all := metav1.ListOptions{}
	namespaces, err := client.Namespaces().List(ctx, all)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range namespaces.Items {
		add("namespace", n.ObjectMeta)
	}
	services, err := client.Services("").List(ctx, all)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range services.Items {
		add("service", s.ObjectMeta)
	}
	pods, err := client.Pods("").List(ctx, all)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pods.Items {
		add("pod", p.ObjectMeta)
	}
	configs, err := client.ConfigMaps("").List(ctx, all)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range configs.Items {
		// The API server writes this one by itself when it gets round to it.
		if c.Name != "extension-apiserver-authentication" {
			add("configmap", c.ObjectMeta)
		}
	}
	slices.Sort(lines)
	return lines
}

func TestResetRestores(t *testing.T) {
	ctx := t.Context()
	east := fleet.Cluster("east")
	resetAfter(t, east)
	before := inventory(t, east)

	held := pod("mesh", "held")
	held.Finalizers = []string{"example.com/held"}
	err := east.Apply(ctx,
		held,
		loadBalancer("127.0.0.8"),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "default", Labels: map[string]string{"istio-injection": "enabled"}}},
		&corev1.ConfigMap{ObjectMeta: named("", "in-default")},
	)
	if err != nil {
		t.Fatal(err)
	}
	// Applied again, it is still nothing that was there before.
	if err := east.Apply(ctx, held, loadBalancer("")); err != nil {
		t.Fatal(err)
	}
	kubernetes := &corev1.Service{ObjectMeta: named("default", "kubernetes")}
	if err := east.Delete(ctx, kubernetes); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, inventory(t, east)); diff == "" {
		t.Error("nothing has changed")
	}
	if err := east.Reset(ctx); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, inventory(t, east)); diff != "" {
		t.Error(diff)
	}
}

func TestDelete(t *testing.T) {
	ctx := t.Context()
	east := fleet.Cluster("east")
	resetAfter(t, east)
	before := inventory(t, east)
	if err := east.Apply(ctx, pod("mesh", "one"), pod("mesh", "two"), loadBalancer("")); err != nil {
		t.Fatal(err)
	}
	if err := east.Delete(ctx, pod("mesh", "one")); err != nil {
		t.Fatal(err)
	}
	err := east.Delete(ctx, pod("mesh", "one"))
	if !apierrors.IsNotFound(err) || !strings.Contains(err.Error(), "cluster east: delete pods mesh/one") {
		t.Errorf("got %v", err)
	}
	// A namespace takes along what is in it.
	if err := east.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "mesh"}}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, inventory(t, east)); diff != "" {
		t.Error(diff)
	}
	if len(east.changes.all()) > 0 {
		t.Errorf("there is something left to undo: %v", east.changes.all())
	}
}

func TestKeep(t *testing.T) {
	ctx := t.Context()
	west := fleet.Cluster("west")
	kept := &corev1.ConfigMap{ObjectMeta: named("kept", "base")}
	if err := west.Apply(ctx, kept); err != nil {
		t.Fatal(err)
	}
	west.Keep()
	base := inventory(t, west)

	changed := kept.DeepCopy()
	changed.Labels = map[string]string{"changed": "yes"}
	if err := west.Apply(ctx, changed, pod("kept", "new")); err != nil {
		t.Fatal(err)
	}
	if err := west.Reset(ctx); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(base, inventory(t, west)); diff != "" {
		t.Error(diff)
	}
	if err := west.Delete(ctx, kept, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kept"}}); err != nil {
		t.Error(err)
	}
	west.Keep()
}

func TestApplyHonoursItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	east := fleet.Cluster("east")
	resetAfter(t, east)
	if err := east.Apply(ctx, pod("default", "late")); err == nil {
		t.Error("there is no error")
	}
}
