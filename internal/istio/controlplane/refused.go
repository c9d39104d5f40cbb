package controlplane

import (
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
)

// mostRefusals is how many workloads are evidence of a refusal.
const mostRefusals = 3

// refusal is a finding about workloads whose pods the API server refuses.
func refusal(p pass, c *model.Cluster, code finding.Code, all []model.Refusal) finding.Finding {
	f := finding.Finding{
		Code: code, Severity: finding.Error, Clusters: []string{c.Context},
		Effect: fmt.Sprintf("pods of %s are not created", finding.Plural(len(all), "workload")),
	}
	for i, r := range all {
		if i == mostRefusals {
			f.Evidence = append(f.Evidence, finding.Evidence{Field: "further workloads", Value: fmt.Sprint(len(all) - mostRefusals)})
			break
		}
		f.Evidence = append(f.Evidence, evidence.Refusal(r, p.Model.Fleet.At))
	}
	return f
}

// refusing are the refusals of a cluster that something holds for.
func refusing(c *model.Cluster, is func(model.Refusal) bool) []model.Refusal {
	return slices.DeleteFunc(c.Refusing(), func(r model.Refusal) bool { return !is(r) })
}

// podsRefused: the API server creates no pods since it cannot call the injector, or since what the
// injector adds does not fit a quota. What another rule says of workloads without any pod (PR014)
// is not said again.
func podsRefused(p pass) {
	for _, c := range clusters(p) {
		said := map[istio.WorkloadRef]bool{}
		if model.Cause(p, c.Context, finding.Object{}, "PR014") != "" {
			for _, r := range c.Refusals() {
				said[r.Of] = true
			}
		}
		byWebhook := refusing(c, func(r model.Refusal) bool { return r.Cause.ByWebhook() && !said[r.Of] })
		if len(byWebhook) > 0 {
			f := refusal(p, c, "CP024", byWebhook)
			f.Object, f.Title = finding.Kind("injection webhook"), remedy.WebhookFails(byWebhook[0].Cause)
			f.CausedBy = model.Cause(
				p,
				c.Context,
				finding.Object{},
				"CP001",
				"PR012",
				"PR002",
				"PR001",
				"CP022",
				"CERT037",
				"CP025",
				"PR014",
			)
			if f.CausedBy == "" && c.CallsNobody(byWebhook[0]) {
				f.CausedBy = model.Cause(p, c.Context, finding.Object{}, "CP026")
			}
			if f.Fix = remedy.CallableWebhook(c, byWebhook[0].Cause); f.CausedBy != "" {
				f.Fix = remedy.ByItsCause()
			}
			p.Report(f)
		}
		byQuota := refusing(c, func(r model.Refusal) bool { return r.Cause == model.Quota && r.NamesProxy() })
		if len(byQuota) > 0 {
			f := refusal(p, c, "CP024", byQuota)
			f.Object, f.Title = finding.Kind("quota"), "a quota refuses pods for the containers that the injector adds"
			f.Fix = []finding.Step{
				finding.Say("See what the quota allows, and what is used:").By(
					finding.Kubectl(c.Context, "-n", byQuota[0].Of.Namespace, "describe", "resourcequotas")),
				finding.Say(
					"Raise it by what a proxy asks for; or set requests and limits of proxies, in global.proxy.resources of the values of " +
						"istiod's installation.",
				),
			}
			p.Report(f)
		}
	}
}

// podSecurity: the level of a namespace forbids what is injected: istio-init needs NET_ADMIN and
// NET_RAW (https://kubernetes.io/docs/concepts/security/pod-security-standards/).
func podSecurity(p pass) {
	for _, c := range clusters(p) {
		forbidden := refusing(c, func(r model.Refusal) bool { return r.Cause == model.PodSecurity && r.NamesProxy() })
		for namespace, all := range byNamespace(forbidden) {
			f := refusal(p, c, "CP034", all)
			f.Object = finding.Named("namespace", namespace)
			f.Title = fmt.Sprintf("the Pod Security level of namespace %s forbids what the injector adds", namespace)
			const enforce = "pod-security.kubernetes.io/enforce"
			if level := c.NamespaceLabels(namespace)[enforce]; level != "" {
				f.Evidence = append(f.Evidence, finding.Evidence{Field: "namespace " + namespace + ", label " + enforce, Value: level})
			}
			f.Fix = []finding.Step{
				finding.Say("Install Istio with its CNI plugin: pods then need no privileges to be injected."),
				finding.Say("Or allow more in the namespace, also to its other pods:").By(
					remedy.LabelNamespace(c.Context, namespace, enforce, "privileged")).Otherwise(),
			}
			p.Report(f)
		}
	}
}

// sidecarSpoiled: another webhook drops restartPolicy of a native sidecar, as one does that was
// built on an API older than Kubernetes 1.28; the API server then refuses its probes.
func sidecarSpoiled(p pass) {
	for _, c := range clusters(p) {
		for namespace, all := range byNamespace(refusing(c, func(r model.Refusal) bool { return r.Cause == model.SpoiledSidecar })) {
			f := refusal(p, c, "CP037", all)
			f.Object = finding.Named("namespace", namespace)
			f.Title = fmt.Sprintf("another webhook spoils the native sidecars of namespace %s", namespace)
			var others []string
			if ns := c.Namespace(namespace); ns != nil {
				for _, h := range slices.Backward(c.Hooks()) {
					injects := slices.ContainsFunc(c.InjectorHooks(), func(i model.Hook) bool { return i.Object == h.Object })
					if h.Mutates && !injects && h.Takes(ns, nil) && !slices.Contains(others, h.Object.Name) {
						others = append(others, h.Object.Name)
					}
				}
			}
			f.Evidence = append(f.Evidence, finding.Evidence{
				Field: "other webhooks that may change its pods, the last one first", Value: evidence.OrNone(finding.List(others)),
			})
			f.Fix = []finding.Step{
				finding.Say("Update the product of that webhook to a release that knows Kubernetes 1.28."),
				finding.Say(
					"Or give the pods of its workloads annotation %s: \"false\" in their template: the sidecar is then an ordinary container.",
					istio.AnnotationNativeSidecar,
				),
			}
			p.Report(f)
		}
	}
}

// byNamespace are refusals by the namespaces of their workloads.
func byNamespace(all []model.Refusal) map[string][]model.Refusal {
	out := map[string][]model.Refusal{}
	for _, r := range all {
		out[r.Of.Namespace] = append(out[r.Of.Namespace], r)
	}
	return out
}
