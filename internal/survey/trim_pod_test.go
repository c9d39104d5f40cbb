package survey

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// workload are pods of one workload, as an API server has them.
func workload(name string, pods int) []corev1.Pod {
	yes := true
	var out []corev1.Pod
	for i := range pods {
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: fmt.Sprintf("%s-%d", name, i), Labels: map[string]string{"app": name, istio.LabelTLSMode: "istio"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: name, UID: "1", Controller: &yes}},
		}}
		p.Spec.Containers = []corev1.Container{
			{Name: "app", Image: "shop/" + name},
			{Name: istio.ProxyContainer, Image: "proxyv2", Env: []corev1.EnvVar{{Name: istio.EnvProxyNetwork, Value: "network-of-" + name}}},
		}
		p.Status.PodIP = fmt.Sprintf("10.0.0.%d", i)
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, Reason: "whatever"}}
		out = append(out, p)
	}
	return out
}

// Pods of one workload share what they have in common, and what is kept of each is what is
// kept of it alone.
func TestPodsShare(t *testing.T) {
	trimmer := newPodTrimmer()
	var trimmed []*corev1.Pod
	for _, p := range append(workload("cart", 2), workload("pay", 1)...) {
		out := trimmer.trim(&p)
		if diff := cmp.Diff(trimPod(&p), out); diff != "" {
			t.Errorf("%s alone (-) and among others (+):\n%s", p.Name, diff)
		}
		trimmed = append(trimmed, out)
	}
	same := func(a, b any) bool { return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer() }
	for what, of := range map[string]func(*corev1.Pod) any{
		"labels":     func(p *corev1.Pod) any { return p.Labels },
		"containers": func(p *corev1.Pod) any { return p.Spec.Containers },
		"owners":     func(p *corev1.Pod) any { return p.OwnerReferences },
	} {
		if cart, other, pay := of(trimmed[0]), of(trimmed[1]), of(trimmed[2]); !same(cart, other) || same(cart, pay) {
			t.Errorf("%s: %v, %v and %v", what, cart, other, pay)
		}
	}
	if a, b := trimmed[0].Spec.Containers[0].Env[0].Value, trimmed[2].Spec.Containers[0].Env[0].Value; a != "network-of-cart" || b != "network-of-pay" {
		t.Errorf("environments %q and %q", a, b)
	}
}
