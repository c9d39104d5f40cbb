package survey

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// trimInjector keeps of the injector's values those that say where pods are.
func trimInjector(c *corev1.ConfigMap) *corev1.ConfigMap {
	out := &corev1.ConfigMap{ObjectMeta: bareMeta(&c.ObjectMeta)}
	if v, ok := c.Data[istio.InjectorValuesKey]; ok {
		out.Data = map[string]string{istio.InjectorValuesKey: istio.ReduceInjectorValues(v)}
	}
	return out
}

// trimNetworkPolicy keeps what comes in: which ports of which pods, and from where.
func trimNetworkPolicy(p *networkingv1.NetworkPolicy) *networkingv1.NetworkPolicy {
	out := &networkingv1.NetworkPolicy{ObjectMeta: bareMeta(&p.ObjectMeta)}
	out.Spec = networkingv1.NetworkPolicySpec{PodSelector: p.Spec.PodSelector, PolicyTypes: p.Spec.PolicyTypes, Ingress: p.Spec.Ingress}
	return out
}

func trimWorkloadEntry(w *api.WorkloadEntry) *api.WorkloadEntry {
	return &api.WorkloadEntry{ObjectMeta: bareMeta(&w.ObjectMeta), Spec: w.Spec}
}

func trimServiceEntry(s *api.ServiceEntry) *api.ServiceEntry {
	return &api.ServiceEntry{ObjectMeta: bareMeta(&s.ObjectMeta), Spec: s.Spec}
}

// trimEvent keeps what happened to which object, and when last.
func trimEvent(e *corev1.Event) *corev1.Event {
	out := &corev1.Event{ObjectMeta: bareMeta(&e.ObjectMeta), Type: e.Type, Reason: e.Reason, Message: e.Message, Count: e.Count}
	out.InvolvedObject = corev1.ObjectReference{Kind: e.InvolvedObject.Kind, Namespace: e.InvolvedObject.Namespace, Name: e.InvolvedObject.Name}
	out.LastTimestamp = e.LastTimestamp
	if out.LastTimestamp.IsZero() { // events.k8s.io
		out.LastTimestamp.Time = e.EventTime.Time
	}
	if e.Series != nil && e.Series.LastObservedTime.After(out.LastTimestamp.Time) {
		out.LastTimestamp.Time = e.Series.LastObservedTime.Time
	}
	return out
}
