// Package controlplane holds the rules about Linkerd's own pods, and about the proxies that its
// injector adds to others. Everything in it is pure.
package controlplane

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

type pass = rule.Pass[*model.Mesh]

// Rules are those about the control plane and the proxies, in the order in which they run.
func Rules() []*rule.Rule[*model.Mesh] {
	return []*rule.Rule[*model.Mesh]{{
		Reports: []rule.Report{rule.May("CP103", finding.Error, finding.Warning)},
		Needs:   []rule.Need{resources.Config, resources.ControlPlanes},
		Run:     unscheduled,
	}, {
		Reports: []rule.Report{rule.May("CP112", finding.Error, finding.Warning)},
		Needs:   append([]rule.Need{resources.Config, resources.ControlPlanes, resources.Pods}, waitedRows()...),
		Run:     oldDefinitions,
	}, {
		Reports: []rule.Report{rule.May("CP101", finding.Error, finding.Warning)},
		Needs:   []rule.Need{resources.Config, resources.ControlPlanes, resources.Pods}, After: []finding.Code{"CP103", "CP112"},
		Run: down,
	}, {
		Reports: []rule.Report{rule.May("CP102", finding.Warning)},
		Needs:   []rule.Need{resources.Config, resources.Pods}, After: []finding.Code{"CP112"},
		Run: restarts,
	}, {
		Reports: []rule.Report{rule.May("CP106", finding.Error)},
		Needs:   []rule.Need{resources.Config, resources.MutatingWebhooks, resources.InjectorSecrets},
		Run:     webhook,
	}, {
		Reports: []rule.Report{rule.May("CP104", finding.Warning)},
		Needs:   []rule.Need{resources.Config, resources.Pods, resources.Namespaces},
		Uses:    []rule.Need{resources.MutatingWebhooks},
		After:   []finding.Code{"CP101", "CP106"},
		Run:     uninjected,
	}, {
		Reports: []rule.Report{rule.May("CP105", finding.Warning)},
		Needs:   []rule.Need{resources.Config, resources.Namespaces, resources.Pods},
		Run:     misplaced,
	}, {
		Reports: []rule.Report{rule.May("CP110", finding.Error)},
		Needs:   []rule.Need{resources.Config, resources.Pods},
		Run:     notSetUp,
	}, {
		Reports: []rule.Report{rule.May("CP113", finding.Error)},
		Needs:   []rule.Need{resources.Config, resources.Pods, resources.Services},
		Run:     outside,
	}, {
		Reports: []rule.Report{rule.May("CP109", finding.Warning)},
		Needs:   []rule.Need{resources.Config, resources.Pods},
		Run:     unready,
	}, {
		Reports: []rule.Report{rule.May("CP108", finding.Warning)},
		Needs:   []rule.Need{resources.Config, resources.Pods},
		Run:     skewed,
	}, {
		Reports: []rule.Report{rule.May("CP114", finding.Error, finding.Warning)},
		Needs:   []rule.Need{resources.Config, resources.Pods, resources.Nodes, resources.NodeLeases},
		Run:     wrongClocks,
	}, {
		Reports: []rule.Report{rule.May("CP115", finding.Error, finding.Warning)},
		Needs: []rule.Need{
			resources.Config, resources.Pods, resources.Services, resources.EndpointSlices, resources.MutatingWebhooks,
			resources.ValidatingWebhooks, resources.APIServices, resources.Servers, resources.AuthorizationPolicies,
			resources.NetworkAuthentications, resources.ServerAuthorizations,
		},
		Run: refusesAPIServer,
	}}
}

// injectors are the webhooks of proxy injectors.
func injectors(c *model.Cluster) []admissionv1.MutatingWebhookConfiguration {
	var out []admissionv1.MutatingWebhookConfiguration
	for _, w := range resources.MutatingWebhooks.Of(c.Cluster).Value {
		if resources.IsInjector(&w) {
			out = append(out, w)
		}
	}
	return out
}

// components are those of every installation, and what stops where one is down.
var components = []struct{ name, effect string }{
	{"destination", "proxies keep the endpoints that they know, and new ones get none"},
	{"identity", "proxies get no new certificates; those that they have end within a day"},
	{"proxy-injector", "new pods start without a proxy, or not at all where the webhook must not fail"},
}

func deploymentOf(c *model.Cluster, component string) *appsv1.Deployment {
	all := resources.ControlPlanes.Of(c.Cluster).Value
	i := slices.IndexFunc(all, func(d appsv1.Deployment) bool {
		return d.Namespace == c.Namespace && d.Labels[resources.LabelComponent] == component
	})
	if i < 0 {
		return nil
	}
	return &all[i]
}

func object(d *appsv1.Deployment) finding.Object {
	return finding.In("deployment", d.Namespace, d.Name)
}

func describe(c *model.Cluster, d *appsv1.Deployment) []finding.Step {
	return []finding.Step{finding.Say("See why:").By(finding.Kubectl(c.Context, "-n", d.Namespace, "describe", "pods", "-l",
		resources.LabelComponent+"="+d.Labels[resources.LabelComponent]))}
}

// unscheduled: the API server or the scheduler refuses the pods.
func unscheduled(p *pass) {
	for _, c := range model.Able(p) {
		for _, d := range resources.ControlPlanes.Of(c.Cluster).Value {
			for _, condition := range d.Status.Conditions {
				if condition.Type != appsv1.DeploymentReplicaFailure || condition.Status != corev1.ConditionTrue || d.Namespace != c.Namespace {
					continue
				}
				f := finding.Finding{
					Code: "CP103", Severity: finding.Error, Clusters: []string{c.Context}, Object: object(&d),
					Title: "pods of the control plane cannot be made",
					Evidence: []finding.Evidence{{Field: "condition ReplicaFailure", Value: cmp.Or(strings.TrimSpace(condition.Message),
						condition.Reason, "true")}},
					Effect: "there are fewer pods of the component than there should be, or none",
					Fix:    describe(c, &d),
				}
				if d.Status.ReadyReplicas > 0 {
					f.Severity = finding.Warning
				}
				p.Report(f)
			}
		}
	}
}

// down: linkerd check is content with one pod of each component that is ready.
func down(p *pass) {
	for _, c := range model.Able(p) {
		for _, component := range components {
			d := deploymentOf(c, component.name)
			if d == nil {
				continue // a release without it, or a name of its own
			}
			pods := c.Component(component.name)
			ready := 0
			for _, pod := range pods {
				if pod.IsReady() {
					ready++
				}
			}
			wanted := 1
			if d.Spec.Replicas != nil {
				wanted = int(*d.Spec.Replicas)
			}
			f := finding.Finding{
				Code: "CP101", Severity: finding.Error, Clusters: []string{c.Context}, Object: object(d),
				Title:    fmt.Sprintf("no pod of %s is ready", component.name),
				Evidence: []finding.Evidence{{Field: "pods that are ready", Value: fmt.Sprintf("%d of %d", ready, max(wanted, len(pods)))}},
				Effect:   component.effect, Fix: describe(c, d),
				CausedBy: model.Cause(p, c.Context, object(d), "CP103", "CP112"),
			}
			switch {
			case ready == 0 && wanted == 0:
				f.Title = component.name + " is scaled to no pod"
				f.Fix = []finding.Step{finding.Say("Start it:").By(finding.Kubectl(c.Context, "-n", d.Namespace, "scale", "deployment/"+d.Name,
					"--replicas=1"))}
			case ready == 0:
			case ready < len(pods) && waits(c, pods):
				f.Severity = finding.Warning
				f.Title = fmt.Sprintf("not all pods of %s are ready", component.name)
				f.Effect = "the others do its work; when they are replaced, nobody does"
			default:
				continue
			}
			p.Report(f)
		}
	}
}

// settling is how long a pod may take to become ready.
const settling = 5 * time.Minute

// waits reports whether a pod is not ready for longer than a rollout takes.
func waits(c *model.Cluster, pods []*facts.Pod) bool {
	return slices.ContainsFunc(pods, func(p *facts.Pod) bool { return !p.IsReady() && old(c, p) })
}

func old(c *model.Cluster, p *facts.Pod) bool {
	return !p.Created.IsZero() && c.Now().Sub(p.Created) > settling
}

// often is from how many restarts of a container on, and within how long, they are no accident.
const often, lately = 5, 2 * time.Hour

// restarts: a component that is killed again and again, by its memory limit above all, serves in
// between.
func restarts(p *pass) {
	for _, c := range model.Able(p) {
		for _, component := range components {
			var evidence []finding.Evidence
			var at finding.Object
			for _, pod := range c.Component(component.name) {
				for _, s := range pod.Statuses {
					if s.Restarts >= often && !s.Started.IsZero() && c.Now().Sub(s.Started) < lately {
						at = model.WorkloadOf(pod)
						evidence = append(evidence, finding.Evidence{
							Field: "pod " + pod.Namespace + "/" + pod.Name + ", container " + s.Name,
							Value: fmt.Sprintf("%d restarts, the last one %s ago", s.Restarts, finding.Age(c.Now().Sub(s.Started))),
						})
					}
				}
			}
			if len(evidence) == 0 {
				continue
			}
			cause := ""
			if component.name == "destination" {
				cause = model.Cause(p, c.Context, finding.Object{}, "CP112")
			}
			p.Report(finding.Finding{
				Code: "CP102", Severity: finding.Warning, Clusters: []string{c.Context}, Object: at,
				Title:    fmt.Sprintf("%s restarts again and again", component.name),
				Evidence: evidence, Effect: "while it restarts: " + component.effect,
				CausedBy: cause,
				Fix: []finding.Step{finding.Say("See why its last container ended. A memory limit is raised by %sResources.memory.limit (Helm):",
					strings.ReplaceAll(component.name, "proxy-injector", "proxyInjector")).
					By(finding.Kubectl(c.Context, "-n", at.Namespace, "describe", "pods", "-l", resources.LabelComponent+"="+component.name))},
			})
		}
	}
}

// webhook: the API server calls the injector with the CA in the webhook. One that cert-manager or
// its injector fills is empty for a moment.
func webhook(p *pass) {
	for _, c := range model.Able(p) {
		var secret *corev1.Secret
		all := resources.InjectorSecrets.Of(c.Cluster).Value
		for i := range all {
			if all[i].Namespace == c.Namespace {
				secret = &all[i]
			}
		}
		for _, w := range injectors(c) {
			for i := range w.Webhooks {
				h := &w.Webhooks[i]
				if s := h.ClientConfig.Service; s == nil || s.Namespace != c.Namespace || secret == nil {
					continue
				}
				chain := pki.ParseBundle(secret.Data[corev1.TLSCertKey]).Certificates
				bundle := pki.ParseBundle(h.ClientConfig.CABundle).Certificates
				if len(chain) == 0 || len(bundle) == 0 || signed(chain, bundle) {
					continue
				}
				f := finding.Finding{
					Code: "CP106", Severity: finding.Error, Clusters: []string{c.Context}, Object: finding.Named("mutatingwebhookconfiguration", w.Name),
					Title: "the API server does not trust the proxy injector",
					Evidence: []finding.Evidence{
						{Field: "caBundle", Value: bundle[0].Subject() + " (" + pki.Short(bundle[0].SHA256) + ")"},
						{Field: "secret " + secret.Namespace + "/" + secret.Name + ", tls.crt", Value: chain[0].Subject() + ", issued by " +
							chain[0].Issuer()},
					},
					Effect: "new pods start without a proxy, or not at all where the webhook must not fail",
				}
				f.Fix = append(owner.Of(&secret.ObjectMeta).Steps(c.Context, finding.In("secret", secret.Namespace, secret.Name)),
					finding.Say("Upgrade the control plane, which writes both again. Then restart the injector:").
						By(remedy.Restart(c.Context, finding.In("deployment", c.Namespace, "linkerd-proxy-injector"))))
				p.Report(f)
			}
		}
	}
}

// signed reports whether the first certificate is one of a bundle, or signed by one, at once or by those
// that come with it.
func signed(chain, bundle []pki.Certificate) bool {
	c := chain[0]
	for range len(chain) + 1 {
		for _, b := range bundle {
			if b.SHA256 == c.SHA256 || bytes.Equal(c.RawIssuer, b.RawSubject) && b.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate,
				c.Signature) == nil {
				return true
			}
		}
		i := slices.IndexFunc(chain, func(o pki.Certificate) bool { return bytes.Equal(c.RawIssuer, o.RawSubject) && o.SHA256 != c.SHA256 })
		if i < 0 {
			return false
		}
		c = chain[i]
	}
	return false
}

// uninjected: pods that should have a proxy and have none. The webhook may fail by default, and pods
// made meanwhile are never injected later.
func uninjected(p *pass) {
	for _, c := range model.Able(p) {
		type group struct {
			workload finding.Object
			pods     []*facts.Pod
		}
		var groups []*group
		for _, pod := range c.Pods() {
			if model.Meshed(pod) || !c.WantsProxy(pod) {
				continue
			}
			w := model.WorkloadOf(pod)
			i := slices.IndexFunc(groups, func(g *group) bool { return g.workload == w })
			if i < 0 {
				i = len(groups)
				groups = append(groups, &group{workload: w})
			}
			groups[i].pods = append(groups[i].pods, pod)
		}
		for _, g := range groups {
			value, _ := c.Injection(g.pods[0])
			f := finding.Finding{
				Code: "CP104", Severity: finding.Warning, Clusters: []string{c.Context}, Object: g.workload,
				Title: fmt.Sprintf("%s should have a proxy and have none", finding.Plural(len(g.pods), "pod")),
				Evidence: []finding.Evidence{
					{Field: "annotation " + resources.AnnotationInject, Value: value},
					{Field: "pod " + g.pods[0].Namespace + "/" + g.pods[0].Name, Value: "has no container linkerd-proxy"},
				},
				Effect: "they take and send plain text; mirrors of other clusters and policies do not work for them",
				Fix: append([]finding.Step{finding.Say("See whether the injector gives a reason, and recreate the pods:").
					By(finding.Kubectl(c.Context, "-n", g.workload.Namespace, "events", "--for="+g.workload.Kind+"/"+g.workload.Name))},
					remedy.RestartWorkloads(c.Context, []finding.Object{g.workload})...),
				CausedBy: cmp.Or(model.Cause(p, c.Context, finding.Object{}, "CP106"),
					model.Cause(p, c.Context, finding.In("deployment", c.Namespace, "linkerd-proxy-injector"), "CP101")),
			}
			if failsOpen(c) {
				f.Evidence = append(f.Evidence, finding.Evidence{
					Field: "failurePolicy of the injector's webhook", Value: "Ignore: pods that are made while it does not answer get no proxy",
				})
			}
			p.Report(f)
		}
	}
}

// failsOpen reports whether the API server makes pods without a proxy where the injector does not answer.
func failsOpen(c *model.Cluster) bool {
	for _, w := range injectors(c) {
		for i := range w.Webhooks {
			if h := &w.Webhooks[i]; h.FailurePolicy != nil && *h.FailurePolicy == admissionv1.Ignore &&
				h.ClientConfig.Service != nil && h.ClientConfig.Service.Namespace == c.Namespace {
				return true
			}
		}
	}
	return false
}

// unready: a proxy that is not ready takes its pod out of all Services. Only a pod that is not ready
// shows it, and only if the proxy itself is the reason.
func unready(p *pass) {
	for _, c := range model.Able(p) {
		var groups []finding.Object
		counted := map[finding.Object][]string{}
		for _, pod := range c.Pods() {
			if pod.IsReady() || !old(c, pod) || pod.Labels[resources.LabelComponent] != "" {
				continue
			}
			for _, s := range pod.Statuses {
				if s.Name == resources.ProxyContainer && !s.Ready {
					w := model.WorkloadOf(pod)
					if counted[w] == nil {
						groups = append(groups, w)
					}
					counted[w] = append(counted[w], pod.Name)
				}
			}
		}
		for _, w := range groups {
			p.Report(finding.Finding{
				Code: "CP109", Severity: finding.Warning, Clusters: []string{c.Context}, Object: w,
				Title:    fmt.Sprintf("the proxies of %s are not ready", finding.Plural(len(counted[w]), "pod")),
				Evidence: []finding.Evidence{{Field: "container linkerd-proxy, not ready", Value: finding.List(counted[w])}},
				Effect:   "the pods get no requests",
				Fix: []finding.Step{finding.Say("See what a proxy says; most often it gets no certificate, or does not reach the control plane:").
					By(finding.Kubectl(c.Context, "-n", w.Namespace, "logs", "pod/"+counted[w][0], "-c", resources.ProxyContainer, "--tail=50"))},
			})
		}
	}
}
