package endpoints

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
)

// seesNamespace: the discovery selectors of the control plane's mesh config choose
// namespaces of every cluster by their labels there (pkg/kube/namespace/filter.go).
func (w *walk) seesNamespace() Verdict {
	if w.cp.Sees(w.id, w.service.namespace) || w.service.in(w.to) == nil {
		return w.ok(stepSees, "%s watches namespace %s of %s", istiodOf(w.cp), w.service.namespace, w.to.Context)
	}
	f := w.hidden(w.cp, w.to)
	if w.cp.Sees(w.cp.IDOf(w.source), w.service.namespace) || w.hasProxies() {
		return w.fault(stepSees, f)
	}
	return w.answer(stepSees, f) // the selectors are there to leave it out
}

// hasProxies reports whether the namespace of the service has sidecars in the source, and
// those of no other control plane there.
func (w *walk) hasProxies() bool {
	return len(w.source.ControlPlanes) < 2 && slices.ContainsFunc(w.source.PodsIn(w.service.namespace), model.IsClient)
}

// hidden is the finding about a namespace that discovery selectors leave out.
func (w *walk) hidden(cp *model.ControlPlane, in *model.Cluster) finding.Finding {
	labels := in.NamespaceLabels(w.service.namespace)
	f := finding.Finding{
		Code: "EP015", Severity: finding.Error, Clusters: []string{in.Context}, Object: finding.Named("namespace", w.service.namespace),
		Title: fmt.Sprintf("%s does not watch namespace %s of %s: discovery selectors", istiodOf(cp), w.service.namespace, in.Context),
		Evidence: []finding.Evidence{
			{Cluster: cp.Context, Field: "mesh config, discoverySelectors", Value: remedy.JSON(cp.Mesh.DiscoverySelectors)},
			{Cluster: in.Context, Field: "labels of namespace " + w.service.namespace, Value: cmp.Or(inline(labels), "none")},
		},
		Effect: fmt.Sprintf("for it, services of %s have no pods in %s", w.service.namespace, in.Context),
		Fix:    []finding.Step{finding.Say("Give the namespace a label that the selectors ask for.")},
	}
	for _, s := range cp.Mesh.DiscoverySelectors {
		if s != nil && len(s.MatchLabels) > 0 && !strings.HasPrefix(pairs(s.MatchLabels)[0], "-") {
			label := append([]string{"label", "namespace/" + w.service.namespace}, pairs(s.MatchLabels)...)
			f.Fix = []finding.Step{finding.Run(finding.Kubectl(in.Context, label...))}
			break
		}
	}
	return f
}

// resolvesName: the service is there, and has a name, on both sides. The proxy knows a
// service that its cluster lacks; only the name does not resolve.
func (w *walk) resolvesName() Verdict {
	if w.service.in(w.source) != nil {
		return w.ok(stepService, "both clusters have it")
	}
	if w.from.Gateway {
		return w.ok(stepService, "%s does not have it; gateways need no name", w.source.Context)
	}
	if w.capturesDNS() {
		return w.ok(stepService, "%s does not have it; the proxy answers for the name", w.source.Context)
	}
	return w.fault(stepService, w.withoutService())
}

// withoutService is the finding about a service that the cluster of the source does not have.
func (w *walk) withoutService() finding.Finding {
	f := finding.Finding{
		Code: "EP001", Severity: w.when(finding.Note), Clusters: []string{w.source.Context}, Object: w.service.object(),
		Title:    fmt.Sprintf("%s has no Service %s, so its clients cannot resolve the name", w.source.Context, w.service),
		Evidence: []finding.Evidence{{Cluster: w.source.Context, Field: w.service.text(), Value: "none"}},
		Effect:   fmt.Sprintf("\"no such host\" in %s, though its proxies know the endpoints", w.source.Context),
	}
	if w.source.Namespace(w.service.namespace) == nil {
		f.Code, f.Object = "EP002", finding.Named("namespace", w.service.namespace)
		f.Title = fmt.Sprintf("%s has no namespace %s, so its clients cannot resolve names of services there",
			w.source.Context, w.service.namespace)
		f.Evidence = []finding.Evidence{{Cluster: w.source.Context, Field: "namespace " + w.service.namespace, Value: "none"}}
		f.Fix = append(f.Fix, finding.Run(remedy.Apply(w.source.Context, map[string]any{
			"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]string{"name": w.service.namespace},
		})))
	}
	other := w.service.in(w.to)
	f.Evidence = append(f.Evidence, finding.Evidence{Cluster: w.to.Context, Field: w.service.text(), Value: portsOf(other)})
	f.Fix = append(f.Fix, finding.Say("Create the same Service there. It needs no pods:").By(copyOf(other, w.source.Context)))
	return f
}

// capturesDNS reports whether the proxy answers for names.
func (w *walk) capturesDNS() bool {
	return istio.CapturesDNS(w.from.env) || istio.CapturesDNS(w.cp.Mesh.DefaultConfig.ProxyMetadata)
}

// sameKind: what the Service is in the first cluster decides for all
// (pilot/pkg/serviceregistry/aggregate/controller.go, GetService).
func (w *walk) sameKind() Verdict {
	there, here := w.service.in(w.to), w.service.in(w.source)
	if here != nil && kindOf(here) != kindOf(there) {
		differing, other := w.differing(w.source, w.to, kindOf)
		f := w.differs("EP005", differing, other, "kind", kindOf)
		f.Title = fmt.Sprintf("Service %s is %s in %s and %s in %s",
			w.service, f.Evidence[0].Value, differing.Context, f.Evidence[1].Value, other.Context)
		f.Effect = "each control plane takes the Service of its own cluster for all, and the endpoints of the other are not used as such"
		f.Fix = []finding.Step{
			finding.Say("Make the Services alike. The kind of a Service cannot be changed: it has to be deleted and created again."),
			finding.Say("Careful: requests for %s in %s fail until the second command is done:", w.service, differing.Context).By(
				finding.Kubectl(differing.Context, "-n", w.service.namespace, "delete", "service/"+w.service.name),
				copyOf(w.service.in(other), differing.Context)),
		}
		return w.fault(stepKind, f)
	}
	if d := w.definition(); d != nil && d.Spec.Type == corev1.ServiceTypeExternalName {
		return w.nothing(stepKind, "the Service is another name for "+d.Spec.ExternalName)
	}
	return w.ok(stepKind, "%s", kindOf(there))
}

func kindOf(s *corev1.Service) string {
	switch {
	case s.Spec.Type == corev1.ServiceTypeExternalName:
		return "an ExternalName"
	case s.Spec.ClusterIP == corev1.ClusterIPNone:
		return "headless"
	default:
		return "one with an address"
	}
}

// differing is the one of two clusters whose Service differs from what most clusters have,
// the later one where as many have either; and the other one.
func (w *walk) differing(a, b *model.Cluster, value func(*corev1.Service) string) (differing, other *model.Cluster) {
	count := map[string]int{}
	for _, c := range w.clusters {
		if s := w.service.in(c); s != nil && c.Membership.State != model.Outside {
			count[value(s)]++
		}
	}
	of := func(c *model.Cluster) int { return count[value(w.service.in(c))] }
	if of(a) < of(b) || of(a) == of(b) && slices.Index(w.clusters, a) > slices.Index(w.clusters, b) {
		return a, b
	}
	return b, a
}

// differs begins a finding about a Service that is not alike in two clusters, and of which
// the differing one is to be changed.
func (w *walk) differs(
	code finding.Code, differing, other *model.Cluster, field string, value func(*corev1.Service) string,
) finding.Finding {
	f := finding.Finding{Code: code, Severity: finding.Error, Clusters: []string{differing.Context}, Object: w.service.object()}
	for _, c := range []*model.Cluster{differing, other} {
		f.Evidence = append(f.Evidence, finding.Evidence{
			Cluster: c.Context, Field: w.service.text() + ", " + field, Value: value(w.service.in(c)),
		})
	}
	return f
}

// pairs are labels as kubectl takes them.
func pairs(labels map[string]string) []string {
	var out []string
	for k, v := range labels {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return out
}

func inline(labels map[string]string) string { return strings.Join(pairs(labels), ", ") }
