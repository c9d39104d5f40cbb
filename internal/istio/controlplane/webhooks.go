package controlplane

import (
	"fmt"
	"slices"
	"strings"
	"time"

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

// matters reports whether a webhook of Istio is called for something that exists: an injector for
// the pods of a namespace, a validator for any of Istio's objects.
func matters(c *model.Cluster, h model.Hook) bool {
	switch {
	case !h.Known():
		return false
	case !h.Mutates:
		return h.IsForIstio()
	}
	for _, ns := range namespacesOf(c) {
		if h.Takes(ns, nil) ||
			slices.ContainsFunc(c.PodsIn(ns.Name), func(p *facts.Pod) bool { return istio.HasProxy(p) && h.Takes(ns, p.Labels) }) {
			return true
		}
	}
	return false
}

// stops says what a webhook of Istio that cannot be called stops.
func stops(h model.Hook) string {
	switch {
	case h.Mutates && h.Fails:
		return "pods that it injects are refused"
	case h.Mutates:
		return "pods that it injects are made without a proxy"
	case h.Fails:
		return "Istio's objects cannot be created or changed"
	}
	return "Istio's objects are not checked: one that is invalid gets in"
}

// withoutEndpoints: a webhook of Istio calls a Service of a cluster's own that has no ready endpoint.
func withoutEndpoints(p pass) {
	for _, c := range clusters(p) {
		for _, h := range slices.Concat(c.InjectorHooks(), c.ValidatorHooks()) {
			name, _, ok := h.Service()
			if !ok || !matters(c, h) || reachesSomebody(c, name) {
				continue
			}
			i, installed := c.AnsweredBy(h)
			service := c.Service(name.Namespace, name.Name)
			if service != nil && len(c.Slices(name.Namespace, name.Name)) == 0 {
				continue // Kubernetes makes one for each Service, be it empty: it was not read
			}
			if !installed && (service == nil || c.Primary() && c.Abandoned(name)) || installed && i.Since() < settled && i.Wanted() > 0 {
				continue // left over by an installation that is gone (CP026); or about to start
			}
			f := finding.Finding{
				Code: "CP022", Severity: finding.Error, Clusters: []string{c.Context}, Object: h.Object,
				Title:    "the webhook calls a Service without a ready endpoint",
				Evidence: []finding.Evidence{{Field: h.Object.String() + ", service", Value: name.Namespace + "/" + name.Name}},
				Effect:   stops(h),
				CausedBy: model.Cause(p, c.Context, finding.Object{}, "CP001", "PR012"),
				Fix: []finding.Step{finding.Say("See which pods the Service selects, and whether they are ready:").By(
					remedy.DescribeService(c.Context, finding.In("service", name.Namespace, name.Name)))},
			}
			if !h.Fails {
				f.Severity = finding.Warning
			}
			if service == nil {
				f.Title = "the webhook calls a Service that does not exist"
				f.Fix = []finding.Step{
					finding.Say("Upgrade the installation of istiod with the values that it has: it recreates the Service."),
				}
			} else {
				f.Evidence = append(f.Evidence, finding.Evidence{
					Field: "service " + name.Namespace + "/" + name.Name + ", selected pods",
					Value: fmt.Sprintf("%d, none of them ready", len(c.SelectedPods(service))),
				})
			}
			if f.CausedBy != "" {
				f.Fix = remedy.ByItsCause()
			}
			p.Gather(f)
		}
	}
}

// reachesSomebody reports whether a Service has a ready endpoint, or leads out of the cluster.
func reachesSomebody(c *model.Cluster, name istio.ObjectName) bool {
	if s := c.Service(name.Namespace, name.Name); s != nil && len(s.Spec.Selector) == 0 {
		return true // somebody else gives it endpoints
	}
	for _, slice := range c.Slices(name.Namespace, name.Name) {
		for _, e := range slice.Endpoints {
			if e.Conditions.Ready == nil || *e.Conditions.Ready {
				return true
			}
		}
	}
	return false
}

// leftOver: a validating webhook calls the Service of an installation that is gone. The default
// one stays where it was when a revision is removed, or a new one is given up.
func leftOver(p pass) {
	for _, c := range clusters(p) {
		if !c.Primary() {
			continue
		}
		for _, h := range slices.Concat(c.ValidatorHooks(), c.InjectorHooks()) {
			name, _, ok := h.Service()
			service := c.Service(name.Namespace, name.Name)
			if !ok || service != nil && !c.Abandoned(name) || p.Model.Fleet.At.Sub(h.Meta.CreationTimestamp.Time) < settled {
				continue
			}
			if _, installed := c.AnsweredBy(h); installed {
				continue
			}
			if service == nil && h.Mutates && slices.ContainsFunc(c.InjectorHooks(), func(o model.Hook) bool {
				return o.Object == h.Object && (!o.Known() || matters(c, o))
			}) {
				continue // PR012
			}
			f := finding.Finding{
				Code: "CP026", Severity: finding.Note, Clusters: []string{c.Context}, Object: h.Object,
				Title: "a webhook of an installation of istiod that is gone was left over",
				Evidence: []finding.Evidence{
					{Field: h.Object.String() + ", service", Value: name.Namespace + "/" + name.Name + ", which does not exist"},
					{Field: "revisions that are installed", Value: evidence.OrNone(strings.Join(installedRevisions(c), ", "))},
				},
				Effect: "none: nothing is there that it is called for",
			}
			remove := finding.Say("Careful: this deletes the webhook. See that no installation needs it, then delete it:").By(
				finding.Kubectl(c.Context, "delete", strings.Replace(h.Object.String(), " ", "/", 1)))
			f.Fix = []finding.Step{remove}
			if service != nil {
				f.Evidence[0].Value = name.Namespace + "/" + name.Name + ", which selects no pod"
			}
			refuses := func(o model.Hook) bool { return o.Object == h.Object && o.Fails && matters(c, o) }
			if h.Mutates && slices.ContainsFunc(c.InjectorHooks(), refuses) {
				f.Severity, f.Effect = finding.Error, "pods that it injects are refused"
				f.Title = "a webhook of an installation that is gone refuses pods"
			}
			if !h.Mutates && h.Fails && h.IsForIstio() {
				f.Severity, f.Effect = finding.Error, "every change of one of Istio's objects is refused"
				f.Title = "a webhook that checks Istio's objects calls an installation that is gone"
				f.Fix = []finding.Step{
					remove,
					finding.Say(
						"Then let the revision that is there check them: istioctl --context=%s tag set default --revision %s, or defaultRevision in the "+
							"values of chart base.",
						c.Context, installedRevisions(c)[0],
					),
				}
			}
			if o := owner.Of(&h.Meta); o.Known() && o.Tool != owner.Istiod {
				f.Fix = append(f.Fix, o.Step(c.Context, h.Object))
			}
			p.Gather(f)
		}
	}
}

// installedRevisions are those of the installations of a cluster.
func installedRevisions(c *model.Cluster) []string {
	var out []string
	for _, i := range c.Installed() {
		out = append(out, i.Revision)
	}
	return finding.Distinct(out)
}

// opens is how long istiod may take until its validating webhook refuses what it cannot check: it
// tries at least once a minute (pkg/webhooks/validation/controller/controller.go).
const opens = 10 * time.Minute

// staysOpen: a validating webhook lets everything pass, though its istiod is ready: istiod closes it
// as soon as the API server rejects an invalid object through it, and tries for ever. That needs the
// API server to reach port 15017 of istiod.
func staysOpen(p pass) {
	for _, c := range clusters(p) {
		for _, h := range c.ValidatorHooks() {
			if h.Fails || len(h.Client.CABundle) == 0 || p.Model.Fleet.At.Sub(h.Meta.CreationTimestamp.Time) < opens ||
				!writtenLastByIstiod(h) {
				continue
			}
			i, ok := c.AnsweredBy(h)
			if !ok || i.Ready() == 0 || i.Since() < opens || !i.Used() {
				continue
			}
			p.Report(finding.Finding{
				Code: "CP024", Severity: finding.Warning, Clusters: []string{c.Context}, Object: h.Object,
				Title: "istiod has not been able to close its validating webhook: the API server may not reach it",
				Evidence: []finding.Evidence{
					{
						Field: h.Object.String() + ", failurePolicy",
						Value: "Ignore, written by istiod last; made " + age(p, h.Meta.CreationTimestamp.Time) + " ago",
					},
					{Field: i.Object().String(), Value: fmt.Sprintf("%d of %d ready", i.Ready(), i.Wanted())},
				},
				Effect: "invalid objects of Istio get in; if the API server does not reach port 15017 of istiod, new pods are refused too",
				Fix: []finding.Step{
					finding.Say(
						"Let the API server connect to TCP port %d of the nodes: by a firewall rule on GKE with private nodes, by the "+
							"security group of the nodes on EKS.",
						model.PortInjection,
					),
				},
			})
		}
	}
}

// writtenLastByIstiod reports whether istiod was the last to write a webhook: what somebody wrote
// later is meant so.
func writtenLastByIstiod(h model.Hook) bool {
	var last time.Time
	by := ""
	for _, f := range h.Meta.ManagedFields {
		if f.Time != nil && !f.Time.Time.Before(last) {
			last, by = f.Time.Time, f.Manager
		}
	}
	return by == "pilot-discovery"
}

// unchecked: nothing refuses an invalid object of Istio, and proxies refuse what comes of one. With a
// webhook that lets pass what it cannot check, or none, that is what a gateway then lacks when it
// restarts.
func unchecked(p pass) {
	for _, c := range clusters(p) {
		hooks := slices.DeleteFunc(c.ValidatorHooks(), func(h model.Hook) bool { return !h.IsForIstio() })
		if len(c.Installations()) == 0 || slices.ContainsFunc(hooks, func(h model.Hook) bool { return h.Fails }) {
			continue
		}
		rejected := model.Cause(p, c.Context, finding.Object{}, "CP042")
		if len(hooks) == 0 && rejected == "" {
			continue // who left the webhook out knows
		}
		f := finding.Finding{
			Code: "CP027", Severity: finding.Note, Clusters: []string{c.Context}, Object: finding.Kind("validating webhook"),
			Title:  "Istio's objects are not checked when they are changed",
			Effect: "one that is invalid gets in, and is noticed when proxies refuse it, or restart",
			Fix: []finding.Step{
				finding.Say("Check what is there:").By(finding.Shell("istioctl", "analyze", "--context="+c.Context, "--all-namespaces")),
				finding.Say(
					"Let the webhook refuse what is invalid: leave base.validationFailurePolicy unset in the values of the installation.",
				),
			},
		}
		for _, h := range hooks {
			f.Evidence = append(f.Evidence, finding.Evidence{Field: h.Object.String() + ", failurePolicy", Value: "Ignore"})
		}
		if len(hooks) == 0 {
			f.Evidence = []finding.Evidence{{Field: "validating webhooks for Istio's objects", Value: "none"}}
		}
		if rejected != "" {
			f.Severity = finding.Warning
			f.Effect = "one that is invalid got in, or may have: proxies refuse what they are sent"
		}
		p.Report(f)
	}
}

// withoutTemplate: an injector runs without its ConfigMap: istiod looks for it once, when it starts,
// and is ready all the same (pilot/pkg/bootstrap/sidecarinjector.go).
func withoutTemplate(p pass) {
	for _, c := range clusters(p) {
		for _, i := range c.Installations() {
			object := finding.In("configmap", i.Istiod.Namespace, i.Istiod.InjectorConfigMap())
			calls := slices.ContainsFunc(c.InjectorHooks(), func(h model.Hook) bool { return i.Answers(h) && matters(c, h) })
			if !calls || i.Ready() == 0 {
				continue
			}
			f := finding.Finding{
				Code: "CP025", Severity: finding.Error, Clusters: []string{c.Context}, Object: object,
				Title:  "the injector has no template",
				Effect: "the API server gets 404 for new pods, and refuses them",
				Fix: []finding.Step{
					finding.Say("Upgrade the installation of istiod with the values that it has, so that the ConfigMap is there."),
					finding.Say("Then restart istiod: it looks for it only when it starts:").By(remedy.RestartIstiod(c.Context, i.Istiod)),
				},
			}
			at := slices.IndexFunc(resources.Injectors.Of(c.Cluster).Value, func(m corev1.ConfigMap) bool { return m.Name == object.Name })
			switch {
			case at < 0:
				if !refusedWithout(c) {
					continue // istiod may have it from a file
				}
				f.Evidence = []finding.Evidence{{Field: object.String(), Value: "does not exist"}}
			default:
				cm := &resources.Injectors.Of(c.Cluster).Value[at]
				var lacks []string
				for _, key := range []string{istio.InjectorConfigKey, istio.InjectorValuesKey} {
					if _, ok := cm.Data[key]; !ok {
						lacks = append(lacks, key)
					}
				}
				if len(lacks) == 0 || !refusedWithout(c) {
					continue
				}
				f.Evidence = []finding.Evidence{{Field: object.String() + ", keys that are missing", Value: strings.Join(lacks, ", ")}}
			}
			p.Report(f)
		}
	}
}

// refusedWithout reports whether pods are refused as an injector without a template refuses them.
func refusedWithout(c *model.Cluster) bool {
	return slices.ContainsFunc(c.Refusing(), func(r model.Refusal) bool {
		return r.Cause == model.WebhookOther || r.Cause == model.WebhookWithoutTarget && strings.Contains(r.Message, "404")
	})
}
