package endpoints

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// hasEndpoints: there are pods, and they are ready.
func (w *walk) hasEndpoints() Verdict {
	some, ready := false, false
	for _, p := range w.ports {
		some = some || p.reached()+len(p.dropped) > 0
		ready = ready || !p.all(istio.NotReady, istio.Leaving, istio.IsDraining)
	}
	s := w.service.in(w.to)
	switch {
	case !some && len(s.Spec.Selector) > 0:
		return w.selectsNothing(s)
	case !some:
		return w.nothing(stepEndpoints, fmt.Sprintf("%s has the Service %s and no endpoints of it", w.to.Context, w.service))
	case !ready:
		return w.fault(stepEndpoints, w.notReady(s, w.ports[0].dropped))
	}
	return w.ok(stepEndpoints, "%s has %s", w.to.Context, finding.Plural(w.count(w.ports[0]), "endpoint"))
}

func (w *walk) notReady(s *corev1.Service, dropped []istio.Dropped) finding.Finding {
	f := finding.Finding{
		Code: "EP033", Severity: w.when(finding.Warning), Clusters: []string{w.to.Context}, Object: w.service.object(),
		Title:  fmt.Sprintf("no pod of %s is ready in %s", w.service, w.to.Context),
		Effect: fmt.Sprintf("requests reach no pod in %s", w.to.Context),
		Fix: []finding.Step{finding.Say("Look why the pods are not ready:").By(
			finding.Kubectl(w.to.Context, "-n", w.service.namespace, "describe", "pods", "-l", strings.Join(pairs(s.Spec.Selector), ",")))},
	}
	for _, d := range dropped {
		f.Evidence = append(f.Evidence, finding.Evidence{Field: cmp.Or(d.Pod, d.Address), Value: string(d.Reason)})
	}
	return f
}

// withoutPort is the finding about a Service that has ready pods and leads to a port by a name that
// none of them has: its EndpointSlices then have no port.
func (w *walk) withoutPort(s *corev1.Service) (finding.Finding, bool) {
	var named []string
	for _, p := range s.Spec.Ports {
		if p.TargetPort.Type == intstr.String {
			named = append(named, p.TargetPort.StrVal)
		}
	}
	ready := false
	for _, slice := range w.to.Slices(s.Namespace, s.Name) {
		ready = ready || len(slice.Ports) == 0 && slices.ContainsFunc(slice.Endpoints, func(e discoveryv1.Endpoint) bool {
			return e.Conditions.Ready == nil || *e.Conditions.Ready
		})
	}
	if !ready || len(named) == 0 || len(named) < len(s.Spec.Ports) {
		return finding.Finding{}, false
	}
	return finding.Finding{
		Code: "EP033", Severity: finding.Error, Clusters: []string{w.to.Context}, Object: w.service.object(),
		Title: fmt.Sprintf("no pod of %s in %s has the port that the Service leads to", w.service, w.to.Context),
		Evidence: []finding.Evidence{
			{Field: w.service.object().String() + ", targetPort", Value: finding.List(named)},
			{Field: "endpointslices of the Service", Value: "pods that are ready, and no ports"},
		},
		Effect: fmt.Sprintf("requests reach no pod in %s", w.to.Context),
		Fix: []finding.Step{
			finding.Say("See which ports the containers have, and by which names:").By(finding.Kubectl(w.to.Context, "-n", w.service.namespace,
				"get", "pods", "-l", strings.Join(pairs(s.Spec.Selector), ","), "-o", "jsonpath={.items[*].spec.containers[*].ports}")),
			finding.Say("Then give targetPort that name, or the number:").By(edit(w.to.Context, kindService, w.service.namespace, w.service.name)),
		},
	}, true
}

// selectsNothing: a Service without pods is as good as any, as it gives the name. It is
// wrong where its pods are there and have other labels.
func (w *walk) selectsNothing(s *corev1.Service) Verdict {
	if f, none := w.withoutPort(s); none {
		return w.fault(stepEndpoints, f)
	}
	for _, p := range w.to.PodsIn(s.Namespace) {
		if covered(s.Spec.Selector, p.Labels) && p.Phase != corev1.PodSucceeded && p.Phase != corev1.PodFailed {
			pod := istio.Backend{Pod: key(p.Namespace, p.Name)}
			return w.fault(stepEndpoints, w.notReady(s, []istio.Dropped{{Backend: pod, Reason: istio.NotReady}}))
		}
	}
	for _, c := range w.clusters {
		other := w.service.in(c)
		if other == nil || c == w.to || len(other.Spec.Selector) == 0 || inline(other.Spec.Selector) == inline(s.Spec.Selector) {
			continue
		}
		n := 0
		for _, p := range w.to.PodsIn(s.Namespace) {
			if covered(other.Spec.Selector, p.Labels) {
				n++
			}
		}
		if n == 0 {
			continue
		}
		return w.fault(stepEndpoints, finding.Finding{
			Code: "EP034", Severity: finding.Error, Clusters: []string{w.to.Context}, Object: w.service.object(),
			Title: fmt.Sprintf("Service %s selects no pod in %s, though there are pods for the selector that it has in %s",
				w.service, w.to.Context, c.Context),
			Evidence: []finding.Evidence{
				{Cluster: w.to.Context, Field: "selector", Value: inline(s.Spec.Selector)},
				{Cluster: c.Context, Field: "selector", Value: inline(other.Spec.Selector)},
				{Cluster: w.to.Context, Field: "pods with " + inline(other.Spec.Selector), Value: fmt.Sprint(n)},
			},
			Effect: fmt.Sprintf("requests reach no pod in %s", w.to.Context),
			Fix:    []finding.Step{finding.Run(w.service.patch(w.to.Context, operation{"add", "/spec/selector", other.Spec.Selector}))},
		})
	}
	return w.nothing(stepEndpoints, fmt.Sprintf("%s has the Service %s and no pods of it", w.to.Context, w.service))
}

func covered(selector, labels map[string]string) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return true
}
