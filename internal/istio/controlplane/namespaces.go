package controlplane

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
)

// namespacesOf are those of a cluster.
func namespacesOf(c *model.Cluster) []*corev1.Namespace {
	var out []*corev1.Namespace
	all := resources.Namespaces.Of(c.Cluster).Value
	for i := range all {
		out = append(out, &all[i])
	}
	return out
}

// notTaken: a namespace asks for sidecars, and no webhook takes its pods
// (manifests/charts/istio-control/istio-discovery/templates/mutatingwebhook.yaml).
func notTaken(p pass) {
	for _, c := range clusters(p) {
		hooks := c.InjectorHooks()
		for _, ns := range namespacesOf(c) {
			label, value, asks := model.AsksForSidecars(ns)
			if !asks || !known(hooks) || p.Model.Fleet.At.Sub(ns.CreationTimestamp.Time) < settled ||
				slices.ContainsFunc(hooks, func(h model.Hook) bool { return h.Takes(ns, nil) }) {
				continue
			}
			without, with, taken := pods(p, c, ns.Name, hooks)
			if taken || len(hooks) == 0 && len(without) == 0 {
				continue // its pods ask by labels of their own; or nothing shows that nobody injects
			}
			f := finding.Finding{
				Code: "CP020", Severity: finding.Error, Clusters: []string{c.Context}, Object: finding.Named("namespace", ns.Name),
				Title:    fmt.Sprintf("namespace %s asks for sidecars, and no webhook takes its pods", ns.Name),
				Evidence: []finding.Evidence{{Field: "namespace " + ns.Name + ", label " + label, Value: value}},
				Effect:   "its pods have no proxy: no mutual TLS, no policies, no routes",
			}
			if len(without) == 0 {
				f.Severity, f.Effect = finding.Warning, "pods that are made there from now on have no proxy"
				if with > 0 {
					f.Evidence = append(f.Evidence, finding.Evidence{Field: "its older pods that have a proxy", Value: fmt.Sprint(with)})
				}
			}
			f.Evidence = append(f.Evidence, evidenceOf(sharesOf(without, without))...)
			f.Evidence = append(f.Evidence, finding.Evidence{
				Field: "revisions and tags of the injection webhooks", Value: evidence.OrNone(strings.Join(c.InjectorRevisions(), ", ")),
			})
			f.Fix = takeNamespace(&f, c, ns, hooks, without)
			p.Report(f)
		}
	}
}

// known reports whether what all of some webhooks select was read.
func known(hooks []model.Hook) bool {
	return !slices.ContainsFunc(hooks, func(h model.Hook) bool { return !h.Known() })
}

// pods are those of a namespace that run without a proxy and would like one, how many have one, and
// whether a webhook takes any by labels of its own.
func pods(p pass, c *model.Cluster, namespace string, hooks []model.Hook) (without []*facts.Pod, with int, taken bool) {
	ns := c.Namespace(namespace)
	for _, pod := range c.PodsIn(namespace) {
		switch {
		case !model.Runs(pod):
		case istio.HasProxy(pod):
			with++
		case slices.ContainsFunc(hooks, func(h model.Hook) bool { return h.Takes(ns, pod.Labels) }):
			taken = true
		case !c.NoSidecar(pod).OnPurpose() && pod.Annotations[istio.AnnotationMirror] == "" && p.Model.Fleet.At.Sub(pod.Created) >= settled:
			without = append(without, pod)
		}
	}
	return without, with, taken
}

// takeNamespace are the steps after which a webhook takes the pods of a namespace.
func takeNamespace(f *finding.Finding, c *model.Cluster, ns *corev1.Namespace, hooks []model.Hook, without []*facts.Pod) []finding.Step {
	restart := remedy.RestartWorkloads(c.Context, workloadsOf(sharesOf(without, without)))
	if h, missing, ok := almost(ns, hooks); ok {
		f.Evidence = append(
			f.Evidence,
			finding.Evidence{Field: h.Object.String() + ", namespaceSelector", Value: "the namespace does not meet: " + missing},
		)
		out := []finding.Step{
			finding.Say("Where a vendor adds the requirement, as AKS does, annotate the webhook with admissions.enforcer/disabled=true."),
			finding.Say("Else remove the label that the webhook excludes from the namespace. These are its labels:").By(
				finding.Kubectl(c.Context, "get", "namespace", ns.Name, "--show-labels")),
		}
		return append(out, restart...)
	}
	label, value, _ := model.AsksForSidecars(ns)
	revisions := c.InjectorRevisions()
	switch {
	case len(revisions) == 0:
		return []finding.Step{
			finding.Say(
				"Install the webhook of istiod again: upgrade its installation with the values that it has. Then restart the workloads.",
			),
		}
	case slices.Contains(revisions, istio.DefaultRevision) && label == istio.LabelRevision:
		out := []finding.Step{finding.Say("Label the namespace for the revision that is there:").By(
			finding.Kubectl(c.Context, "label", "namespace/"+ns.Name, istio.LabelRevision+"-", model.LabelInjection+"=enabled"))}
		return append(out, restart...)
	}
	label = istio.LabelRevision
	args := []string{"label", "namespace/" + ns.Name, label + "=" + revisions[0], "--overwrite"}
	if ns.Labels[model.LabelInjection] != "" {
		args = append(args, model.LabelInjection+"-")
	}
	step := finding.Say("Label the namespace for a revision that is there:")
	out := append([]finding.Step{step.By(finding.Kubectl(c.Context, args...))}, restart...)
	tag := cmp.Or(map[string]string{"enabled": istio.DefaultRevision}[value], value)
	return append(
		out,
		finding.Say("Or let tag %s lead to a revision, for all namespaces that ask for it: istioctl --context=%s tag set %s --revision %s "+
			"--overwrite. Then restart the workloads.", tag, c.Context, tag, revisions[0]).Otherwise(),
	)
}

// almost is the webhook that would take a namespace but for requirements on labels that have nothing
// to do with Istio, and those.
func almost(ns *corev1.Namespace, hooks []model.Hook) (model.Hook, string, bool) {
	for _, h := range hooks {
		excluded := h.Excludes(ns)
		if len(excluded) > 0 && !slices.ContainsFunc(excluded, func(r string) bool {
			return strings.Contains(r, istio.LabelRevision) || strings.Contains(r, model.LabelInjection)
		}) {
			return h, strings.Join(excluded, ", "), true
		}
	}
	return model.Hook{}, "", false
}

// takenTwice: webhooks of two configurations, of different installations, take the pods of a
// namespace. The one that is called last decides which proxy they get.
func takenTwice(p pass) {
	for _, c := range clusters(p) {
		hooks := c.InjectorHooks()
		for _, ns := range namespacesOf(c) {
			var taking []model.Hook
			for _, h := range hooks {
				if h.Known() && h.Takes(ns, nil) &&
					!slices.ContainsFunc(taking, func(o model.Hook) bool { return o.Object == h.Object || sameTarget(o, h) }) {
					taking = append(taking, h)
				}
			}
			if len(taking) < 2 || !slices.ContainsFunc(c.PodsIn(ns.Name), model.Runs) {
				continue
			}
			last := taking[len(taking)-1]
			f := finding.Finding{
				Code: "CP021", Severity: finding.Warning, Clusters: []string{c.Context}, Object: finding.Named("namespace", ns.Name),
				Title:  fmt.Sprintf("%d webhooks inject the pods of namespace %s", len(taking), ns.Name),
				Effect: "new pods get the proxy of " + last.Object.Name + ", which is called last, and settings of both",
				Fix: []finding.Step{
					finding.Say("Let one of them take the namespace. See which labels they select, and uninstall the installation that is not wanted:").
						By(
							finding.Kubectl(c.Context, "get", "mutatingwebhookconfigurations", "-l", istio.InjectorSelector, "-o", "yaml")),
				},
			}
			for _, h := range taking {
				f.Evidence = append(f.Evidence, finding.Evidence{Field: h.Object.String(), Value: "calls " + target(h)})
			}
			p.Report(f)
		}
	}
}

// target is what a webhook calls, for people.
func target(h model.Hook) string {
	if name, _, ok := h.Service(); ok {
		return "service " + name.Namespace + "/" + name.Name
	}
	if h.Client.URL != nil {
		return line(*h.Client.URL)
	}
	return "nothing"
}

func sameTarget(a, b model.Hook) bool { return target(a) == target(b) }

// contradicting: labels of a namespace of which one has no effect beside the other.
func contradicting(p pass) {
	for _, c := range clusters(p) {
		hooks := c.InjectorHooks()
		for _, ns := range namespacesOf(c) {
			injection, revision := ns.Labels[model.LabelInjection], ns.Labels[istio.LabelRevision]
			f := finding.Finding{
				Code: "CP031", Severity: finding.Warning, Clusters: []string{c.Context}, Object: finding.Named("namespace", ns.Name),
				Evidence: []finding.Evidence{{Field: "namespace " + ns.Name + ", labels", Value: labelsOf(ns)}},
			}
			without := func(keys ...string) finding.Command {
				args := []string{"label", "namespace/" + ns.Name}
				for _, k := range keys {
					args = append(args, k+"-")
				}
				return finding.Kubectl(c.Context, args...)
			}
			switch {
			case injection == "enabled" && model.IsAmbientNamespace(ns):
				f.Title = fmt.Sprintf("namespace %s is in ambient mode, and asks for sidecars as well", ns.Name)
				f.Effect = "new pods get a sidecar, and are then not in ambient mode"
				f.Fix = []finding.Step{
					finding.Say("Remove the label for sidecars:").By(without(model.LabelInjection)),
					finding.Say("Or remove the one for ambient mode:").By(without(istio.LabelDataplaneMode)).Otherwise(),
				}
			case injection == "enabled" && revision != "" && leadsElsewhere(hooks, ns):
				f.Title = fmt.Sprintf(
					"namespace %s asks for revision %s, and its label %s goes first",
					ns.Name,
					revision,
					model.LabelInjection,
				)
				f.Effect = "new pods get the proxy of the default revision, and not of " + revision
				f.Fix = []finding.Step{
					finding.Say("Remove the label that goes first, then restart the workloads:").By(without(model.LabelInjection)),
					finding.Say("Or remove the one that is ignored:").By(without(istio.LabelRevision)).Otherwise(),
				}
			default:
				continue
			}
			p.Report(f)
		}
	}
}

// leadsElsewhere reports whether the revision that a namespace asks for is another installation than
// the one that injects its pods.
func leadsElsewhere(hooks []model.Hook, ns *corev1.Namespace) bool {
	alone := ns.DeepCopy()
	delete(alone.Labels, model.LabelInjection)
	var now, then []string
	for _, h := range hooks {
		if h.Takes(ns, nil) {
			now = append(now, target(h))
		}
		if h.Takes(alone, nil) {
			then = append(then, target(h))
		}
	}
	return len(now) > 0 && len(then) > 0 && !slices.Equal(finding.Distinct(now), finding.Distinct(then))
}

func labelsOf(ns *corev1.Namespace) string {
	var out []string
	for _, key := range []string{istio.LabelDataplaneMode, model.LabelInjection, istio.LabelRevision} {
		if value, ok := ns.Labels[key]; ok {
			out = append(out, key+"="+value)
		}
	}
	return strings.Join(out, ", ")
}

// withoutEffect: a label has a value that means nothing to Istio.
func withoutEffect(p pass) {
	for _, c := range clusters(p) {
		for _, ns := range namespacesOf(c) {
			for _, l := range []struct {
				key, like string
				values    []string
				effect    string
			}{
				{
					model.LabelInjection, "enabled", []string{"enabled", "disabled", ""},
					"pods of the namespace are not injected, also those that ask by a label of their own",
				},
				{istio.LabelDataplaneMode, "ambient", []string{"ambient", "none", ""}, "the pods of the namespace are not in ambient mode"},
			} {
				value := ns.Labels[l.key]
				if slices.Contains(l.values, value) {
					continue
				}
				f := finding.Finding{
					Code: "CP032", Severity: finding.Warning, Clusters: []string{c.Context}, Object: finding.Named("namespace", ns.Name),
					Title:    fmt.Sprintf("label %s of namespace %s has a value that Istio ignores", l.key, ns.Name),
					Evidence: []finding.Evidence{{Field: "namespace " + ns.Name + ", label " + l.key, Value: value}},
					Effect:   l.effect,
					Fix: []finding.Step{
						finding.Say("Give it the value %s, and restart the workloads:", l.like).
							By(remedy.LabelNamespace(c.Context, ns.Name, l.key, l.like)),
						finding.Say("Or remove it:").By(finding.Kubectl(c.Context, "label", "namespace/"+ns.Name, l.key+"-")).Otherwise(),
					},
				}
				if o := owner.Of(&ns.ObjectMeta); o.Known() {
					f.Fix = append(f.Fix, o.Step(c.Context, f.Object))
				}
				p.Gather(f)
			}
		}
	}
}
