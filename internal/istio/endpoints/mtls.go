package endpoints

import (
	"cmp"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
)

// mutualTLS: what is behind a gateway takes mutual TLS, or istiod drops it
// (pilot/pkg/xds/endpoints/mtls_checker.go).
func (w *walk) mutualTLS() Verdict {
	if v := w.each(stepMTLS, func(p *port) (finding.Finding, bool) {
		var plain []istio.Dropped
		for _, d := range p.dropped {
			if d.Reason == istio.NoMTLS {
				plain = append(plain, d)
			}
		}
		if len(plain) == 0 {
			return finding.Finding{}, false
		}
		f := w.plain(w.cp, plain)
		if p.reached() > 0 {
			w.blame(stepMTLS, f)
			return finding.Finding{}, false
		}
		return f, true
	}); v != goesOn {
		return v
	}
	for _, p := range w.ports {
		for _, e := range p.direct {
			if e.Plain.Kind == "" && !e.MTLS {
				return w.ok(stepMTLS, "not all endpoints take it; on one network they need not")
			}
		}
	}
	return w.ok(stepMTLS, "the endpoints take it")
}

// plain is the finding about endpoints that do not take mutual TLS.
func (w *walk) plain(cp *model.ControlPlane, endpoints []istio.Dropped) finding.Finding {
	why := endpoints[0].Plain
	object := finding.In(strings.ToLower(why.Kind), why.First.Namespace, why.First.Name)
	f := finding.Finding{
		Severity: finding.Error, Clusters: []string{cp.Context}, Object: object,
		Effect: fmt.Sprintf("istiod silently drops the endpoints of %s: clients in %s cannot reach them", w.to.Context, w.source.Context),
		Evidence: []finding.Evidence{
			{Field: why.Kind + " " + why.Object, Value: strings.TrimPrefix(why.Text, why.Kind+" "+why.Object+" ")},
		},
	}
	change := edit(cp.Context, object.Kind, object.Namespace, object.Name)
	switch why.Kind {
	case "DestinationRule":
		f.Code = "EP008"
		f.Title = fmt.Sprintf("DestinationRule %s turns the mesh's TLS off, and gateways between networks take nothing else", why.Object)
		f.Fix = []finding.Step{finding.Say("Set tls.mode to ISTIO_MUTUAL, or remove tls:").By(change)}
	case "PeerAuthentication":
		f.Code = "EP009"
		f.Title = fmt.Sprintf("PeerAuthentication %s turns mutual TLS off, and gateways between networks take nothing else", why.Object)
		f.Fix = []finding.Step{finding.Say("Set the mode to STRICT, PERMISSIVE or UNSET:").By(change)}
	default:
		return w.uninjected(endpoints)
	}
	return f
}

// uninjected: the endpoints have no sidecar, or are not pods.
func (w *walk) uninjected(endpoints []istio.Dropped) finding.Finding {
	f := finding.Finding{
		Severity: finding.Error, Clusters: []string{w.to.Context},
		Effect: fmt.Sprintf("istiod silently drops them: clients in %s cannot reach them", w.source.Context),
	}
	for _, d := range endpoints {
		at := "endpoint " + d.Address
		if d.Pod != "" {
			at = "pod " + d.Pod
		}
		f.Evidence = append(f.Evidence, finding.Evidence{Field: at, Value: cmp.Or(d.Detail, "no sidecar")})
	}
	first := w.to.Pod(cut(endpoints[0].Pod))
	if first == nil {
		f.Code, f.Object = "EP024", w.service.object()
		f.Title = fmt.Sprintf("endpoints of %s in %s match no pod that istiod knows, and cannot be reached from another network",
			w.service, w.to.Context)
		f.Evidence[0].Value = "no targetRef to a pod"
		f.Fix = []finding.Step{finding.Say("Make the EndpointSlices name their pods (targetRef), or give the Service a selector:").By(
			finding.Kubectl(w.to.Context, "-n", w.service.namespace, "get", "endpointslices",
				"-l", discoveryv1.LabelServiceName+"="+w.service.name, "-o", "yaml"))}
		return f
	}
	o := istio.WorkloadOf(first)
	f.Code, f.Object = "EP007", finding.In(o.Kind, o.Namespace, o.Name)
	f.Title = fmt.Sprintf("pods of %s in %s have no sidecar, and cannot be reached from another network", o, w.to.Context)
	if ns := w.to.Namespace(first.Namespace); ns != nil && !injects(ns) && !injectsPod(first) {
		w.unlabeled(&f, ns)
	}
	f.Fix = append(f.Fix, restart(w.to, first)...)
	return f
}

// unlabeled makes a finding about pods without a sidecar one about their namespace, which
// has no label for injection.
func (w *walk) unlabeled(f *finding.Finding, ns *corev1.Namespace) {
	f.Code, f.Object = "EP002", finding.Named("namespace", ns.Name)
	f.Title = fmt.Sprintf("namespace %s of %s is not labeled for injection: its pods cannot be reached from another network",
		ns.Name, w.to.Context)
	label, value := labelInjection, "enabled"
	for _, c := range w.clusters {
		o := c.Namespace(ns.Name)
		if c == w.to || o == nil || !injects(o) {
			continue
		}
		f.Evidence = append(f.Evidence, finding.Evidence{Cluster: c.Context, Field: "labels of namespace " + ns.Name, Value: inline(o.Labels)})
		if revision := o.Labels[istio.LabelRevision]; revision != "" {
			label, value = istio.LabelRevision, revision
		}
	}
	f.Evidence = append(f.Evidence, finding.Evidence{
		Cluster: w.to.Context, Field: "labels of namespace " + ns.Name, Value: cmp.Or(inline(ns.Labels), "none"),
	})
	f.Fix = append(f.Fix, finding.Run(remedy.LabelNamespace(w.to.Context, ns.Name, label, value)))
}

// labelInjection is the label of namespaces whose pods get a sidecar.
const labelInjection = "istio-injection"

// injects reports whether pods of a namespace get a sidecar.
func injects(ns *corev1.Namespace) bool {
	return ns.Labels[labelInjection] == "enabled" || ns.Labels[istio.LabelRevision] != "" && ns.Labels[labelInjection] != "disabled"
}

func injectsPod(p *facts.Pod) bool {
	return p.Labels["sidecar.istio.io/inject"] == "true" || p.Labels[istio.LabelRevision] != ""
}
