package endpoints

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
)

// uninjected: the endpoints have no sidecar, or are not pods. Of pods the first that ought
// to have one stands for all.
func (w *walk) uninjected(endpoints []istio.Dropped) finding.Finding {
	if at := slices.IndexFunc(endpoints, w.ought); at > 0 {
		endpoints = endpoints[at:]
	}
	f := finding.Finding{
		Severity: finding.Error, Clusters: []string{w.to.Context},
		Effect: fmt.Sprintf("istiod silently drops them: clients in %s cannot reach them", w.source.Context),
	}
	first := w.to.Pod(cut(endpoints[0].Pod))
	if first == nil {
		return w.notPods(f, endpoints)
	}
	for _, d := range endpoints {
		f.Evidence = append(f.Evidence, finding.Evidence{Field: "pod " + d.Pod, Value: cmp.Or(d.Detail, "no sidecar")})
	}
	why, o := w.to.NoSidecar(first), istio.WorkloadOf(first)
	if why.Field != "" {
		f.Evidence = append(f.Evidence, finding.Evidence{Cluster: w.to.Context, Field: why.Field, Value: why.Value})
	}
	f.Code, f.Object = "EP007", finding.In(o.Kind, o.Namespace, o.Name)
	f.Title = fmt.Sprintf("pods of %s in %s have no sidecar, and cannot be reached from another network", o, w.to.Context)
	if !w.elsewhere() && !w.to.HasSidecars(w.service.in(w.to)) {
		f.Severity = w.when(finding.Note) // no cluster has it in the mesh yet
	}
	switch why.Why {
	case model.NoSuchRevision:
		f.CausedBy = w.known.about(finding.Named("namespace", first.Namespace), []string{w.to.Context}, "CP020")
	case model.NotYetInjected:
		f.CausedBy = w.known.about(finding.Kind("pods"), []string{w.to.Context}, "CP030")
	default: // somebody wants it so
	}
	ns := w.to.Namespace(first.Namespace)
	switch why.Why {
	case model.NotSelected:
		if ns != nil {
			w.unlabeled(&f, ns)
		}
		f.Fix = append(f.Fix, restart(w.to, first)...)
	case model.OptedOut:
		f.Title = fmt.Sprintf("pods of %s in %s are excluded from injection, and cannot be reached from another network", o, w.to.Context)
		f.Fix = optIn(w.to, first, why)
	case model.TLSOptedOut:
		f.Title = fmt.Sprintf("pods of %s in %s take no mutual TLS, and cannot be reached from another network", o, w.to.Context)
		f.Fix = optIn(w.to, first, why)
	case model.OnHostNetwork:
		f.Title = fmt.Sprintf("pods of %s in %s use the node's network, and cannot be reached from another network", o, w.to.Context)
		f.Fix = []finding.Step{
			finding.Say(
				"The injector leaves out pods that use the network of their node. " +
					"A restart changes nothing: they need hostNetwork: false in their template.",
			),
		}
	case model.NoSuchRevision:
		f.Title = fmt.Sprintf("pods of %s in %s have no sidecar: no injector has revision %s", o, w.to.Context, why.Revision)
		known := w.to.InjectorRevisions()
		f.Evidence = append(f.Evidence, finding.Evidence{
			Cluster: w.to.Context, Field: "revisions and tags of the injection webhooks", Value: finding.List(known),
		})
		f.Fix = append(ofRevision(w.to, first, known), restart(w.to, first)...)
	case model.OfAmbient:
		f.Title = fmt.Sprintf("%s is in ambient mode in %s, and sidecars do not reach it on another network", o, w.to.Context)
		f.Fix = []finding.Step{
			finding.Say("Let ambient clients call it, or clients of its own network: sidecars reach no ambient pods behind a gateway."),
		}
	case model.IsGatewayItself, model.OfKubernetes:
		f.Title = fmt.Sprintf("%s is for clients of %s: it has no sidecar, and is not reached from another network", o, w.to.Context)
		f.Fix = []finding.Step{finding.Say("Call it by an address that is outside of the mesh, if other clusters need it.")}
	case model.NotYetInjected:
		f.Fix = append(f.Fix, restart(w.to, first)...)
		f.Fix = append(
			f.Fix,
			finding.Say("If the new pods have no sidecar either, the injector does not answer. See the events of their ReplicaSet:").By(
				finding.Kubectl(w.to.Context, "-n", first.Namespace, "get", "events", "--field-selector=reason=FailedCreate")),
		)
	}
	return f
}

// notPods: the endpoints match no pod that istiod has.
func (w *walk) notPods(f finding.Finding, endpoints []istio.Dropped) finding.Finding {
	for _, d := range endpoints {
		f.Evidence = append(f.Evidence, finding.Evidence{Field: "endpoint " + d.Address, Value: "no targetRef to a pod"})
	}
	f.Code, f.Object = "EP024", w.service.object()
	f.Title = fmt.Sprintf("endpoints of %s in %s match no pod that istiod knows: other networks cannot reach them",
		w.service, w.to.Context)
	f.Fix = []finding.Step{finding.Say("Make the EndpointSlices name their pods (targetRef), or give the Service a selector:").By(
		finding.Kubectl(w.to.Context, "-n", w.service.namespace, "get", "endpointslices",
			"-l", discoveryv1.LabelServiceName+"="+w.service.name, "-o", "yaml"))}
	return f
}

// unlabeled makes a finding about pods without a sidecar one about their namespace, which
// has no label for injection.
func (w *walk) unlabeled(f *finding.Finding, ns *corev1.Namespace) {
	f.Code, f.Object = "EP002", finding.Named("namespace", ns.Name)
	f.Title = fmt.Sprintf("namespace %s of %s is not labeled for injection: other networks cannot reach its pods",
		ns.Name, w.to.Context)
	label, value := model.LabelInjection, "enabled"
	for _, c := range w.clusters {
		o := c.Namespace(ns.Name)
		if c == w.to || o == nil || !model.Injects(o) {
			continue
		}
		f.Evidence = append(f.Evidence, finding.Evidence{Cluster: c.Context, Field: "labels of namespace " + ns.Name, Value: inline(o.Labels)})
		revision, known := o.Labels[istio.LabelRevision], w.to.InjectorRevisions()
		if o.Labels[model.LabelInjection] == "" && (len(known) == 0 || slices.Contains(known, revision)) {
			label, value = istio.LabelRevision, revision
		}
	}
	f.Fix = append(f.Fix, finding.Say("Label the namespace. All pods that are created there from then on get a sidecar:").By(
		remedy.LabelNamespace(w.to.Context, ns.Name, label, value)))
}

// ofRevision are the steps that have a pod injected by a revision that is there.
func ofRevision(c *model.Cluster, p *facts.Pod, known []string) []finding.Step {
	namespace := c.NamespaceLabels(p.Namespace)
	if namespace[model.LabelInjection] == "enabled" {
		revision := known[len(known)-1]
		if len(known) > 1 {
			revision = "REVISION"
		}
		return []finding.Step{
			finding.Say("Give the namespace the label of a revision that is there (%s) in place of %s:", finding.List(known), model.LabelInjection).
				By(
					finding.Kubectl(c.Context, "label", "namespace", p.Namespace, model.LabelInjection+"-", istio.LabelRevision+"="+revision)),
			finding.Say("Or install the revision tag default for it: istioctl --context=%s tag set default --revision REVISION.", c.Context),
		}
	}
	if namespace[istio.LabelRevision] == "" {
		return []finding.Step{finding.Say("Set label %s in the template of the pods to a revision that is there: %s.",
			istio.LabelRevision, finding.List(known))}
	}
	step := finding.Say("Label the namespace with a revision that is there:")
	if len(known) > 1 {
		step = finding.Say("Label the namespace with the revision that is meant, of %s:", finding.List(known))
	}
	return []finding.Step{step.By(remedy.LabelNamespace(c.Context, p.Namespace, istio.LabelRevision, known[len(known)-1]))}
}

// optIn are the steps that let the injector give a pod a sidecar that asks for none.
func optIn(c *model.Cluster, p *facts.Pod, why model.NoSidecar) []finding.Step {
	o := istio.WorkloadOf(p)
	field, key := "labels", why.Label
	if why.Annotation != "" {
		field, key = "annotations", why.Annotation
	}
	if key == "" {
		return []finding.Step{
			finding.Say("If the namespace is meant to be part of the mesh, change its label. All pods created there from then on get a sidecar:").By(
				remedy.LabelNamespace(c.Context, p.Namespace, model.LabelInjection, "enabled")),
			finding.Say("Then restart its workloads."),
		}
	}
	say := fmt.Sprintf("If %s is meant to be part of the mesh, remove %s from the template of its pods", o, why.Field)
	if !slices.Contains([]string{"deployment", "statefulset", "daemonset"}, o.Kind) {
		return []finding.Step{finding.Say("%s, and recreate them. A restart alone changes nothing.", say)}
	}
	return []finding.Step{finding.Say("%s. This recreates them; a restart alone changes nothing:", say).By(
		finding.Kubectl(c.Context, "-n", o.Namespace, "patch", strings.ToLower(o.Kind)+"/"+o.Name, "--type=json",
			"-p", remedy.Removal("spec", "template", "metadata", field, key)))}
}
