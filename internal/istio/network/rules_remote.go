package network

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// isRemote reports whether the control plane of a cluster's pods is in another one.
func (m *member) isRemote() bool {
	return resources.Istiods.Of(m.Cluster).Known() && len(m.istiods) == 0 && len(m.viewers) > 0 && len(resources.Webhooks.Of(m.Cluster).Value) > 0
}

// injector is one webhook that injects sidecars.
type injector struct {
	configuration string
	admissionv1.MutatingWebhook
}

// injectors are those of the cluster, of each configuration the first: the
// others differ in what they select alone.
func (m *member) injectors() []injector {
	var out []injector
	for _, c := range resources.Webhooks.Of(m.Cluster).Value {
		if len(c.Webhooks) > 0 {
			out = append(out, injector{c.Name, c.Webhooks[0]})
		}
	}
	return out
}

func (i injector) object() finding.Object {
	return finding.Named("mutatingwebhookconfiguration", i.configuration)
}

// path is that of the request that the API server makes.
func (i injector) path() string {
	if url := i.ClientConfig.URL; url != nil {
		_, after, _ := strings.Cut(*url, "://")
		if at := strings.Index(after, "/"); at >= 0 {
			return after[at:]
		}
		return ""
	}
	if s := i.ClientConfig.Service; s != nil && s.Path != nil {
		return *s.Path
	}
	return ""
}

// judgeInjectionService: the API server of a remote cluster calls the injector by a
// Service, which has to be there and cannot be a mere name.
func judgeInjectionService(j *judgement, members []*member) {
	for _, m := range members {
		if !m.isRemote() {
			continue
		}
		for _, i := range m.injectors() {
			ref := i.ClientConfig.Service
			if ref == nil {
				continue
			}
			name := ref.Namespace + "/" + ref.Name
			f := finding.Finding{Severity: finding.Error, Clusters: []string{m.Context}, Object: i.object()}
			f.Evidence = []finding.Evidence{{Field: i.object().String() + ", service", Value: name}}
			at := slices.IndexFunc(resources.Services.Of(m.Cluster).Value, func(s corev1.Service) bool { return s.Namespace == ref.Namespace && s.Name == ref.Name })
			switch {
			case at < 0:
				f.Code, f.Title = "PR012", "the injection webhook calls a Service that does not exist"
				f.Evidence = append(f.Evidence, finding.Evidence{Field: "service " + name, Value: "does not exist"})
				f.Effect = "pods in namespaces with injection are not created"
				f.Fix = []finding.Step{
					finding.Say("Install the remote profile with the revision of the primary."),
					finding.Say("Careful: deleting the webhook stops injection by it, and new pods start without a sidecar. " +
						"Delete it only if an old installation left it; where Helm or an operator owns that installation, uninstall it there instead:").
						By(finding.Kubectl(m.Context, "delete", "mutatingwebhookconfiguration/"+i.configuration)),
				}
			case resources.Services.Of(m.Cluster).Value[at].Spec.Type == corev1.ServiceTypeExternalName:
				f.Code, f.Title = "PR002", "the injection webhook calls a Service of type ExternalName, which API servers refuse"
				f.Evidence = append(f.Evidence, finding.Evidence{Field: "service " + name + ", externalName", Value: orNone(resources.Services.Of(m.Cluster).Value[at].Spec.ExternalName)})
				f.Effect = "pods in namespaces with injection are not created: unsupported service type \"ExternalName\""
				f.Fix = []finding.Step{
					finding.Say("Set global.remotePilotAddress to an IPv4 address in the values of the remote installation."),
					finding.Say("Or set istiodRemote.injectionURL to https://%s:15017%s there.",
						cmp.Or(resources.Services.Of(m.Cluster).Value[at].Spec.ExternalName, "HOST"), cmp.Or(i.path(), "/inject")),
				}
			default:
				continue
			}
			j.Add(f)
		}
	}
}

// judgeInjectionPath: the path tells the injector for which cluster and network it
// works; without it pods are given those of the primary (pkg/kube/inject/webhook.go,
// parseInjectEnvs).
func judgeInjectionPath(j *judgement, members []*member) {
	for _, m := range members {
		if !m.isRemote() {
			continue
		}
		id := istio.ClusterID(m.Cluster)
		for _, i := range m.injectors() {
			one := *resources.Webhooks.With(
				&facts.Cluster{},
				facts.Read[[]admissionv1.MutatingWebhookConfiguration]{State: facts.OK, Value: []admissionv1.MutatingWebhookConfiguration{{Webhooks: []admissionv1.MutatingWebhook{i.MutatingWebhook}}}},
			)
			cluster, network := istio.ClusterID(&one), webhookNetwork(&one)
			var wrong []finding.Evidence
			expected := id
			for _, v := range m.viewers {
				if v.programs(m) && cluster != v.ids[m] {
					wrong = append(wrong, finding.Evidence{Cluster: v.Context, Field: "cluster ID for " + v.name(), Value: v.ids[m]})
					expected = v.ids[m]
				}
			}
			if network == "" && j.several {
				wrong = append(wrong, finding.Evidence{Field: "networks of the fleet", Value: strings.Join(j.networks, ", ")})
			}
			if len(wrong) == 0 {
				continue
			}
			j.Add(finding.Finding{
				Code: "PR003", Severity: finding.Error, Clusters: []string{m.Context}, Object: i.object(),
				Title: "the path of the injection webhook does not name the cluster and its network",
				Evidence: append([]finding.Evidence{
					{Cluster: m.Context, Field: i.object().String() + ", path", Value: orNone(i.path())},
				}, wrong...),
				Effect: "pods take themselves for those of another cluster or network: istiod refuses their identity, " +
					"or they are reached by wrong addresses",
				Fix: []finding.Step{
					finding.Say("Set istiodRemote.injectionPath to /inject/cluster/%s/net/%s in the values of the remote installation.",
						cmp.Or(expected, "CLUSTER"), cmp.Or(m.home(), "NETWORK")),
					finding.Say("Then restart the workloads."),
				},
			})
		}
	}
}

// judgeClaim: the primary writes its root and the webhook's CA bundle only into
// clusters that name it (pilot/pkg/serviceregistry/kube/controller/multicluster.go, checkShouldLead).
func judgeClaim(j *judgement, members []*member) {
	const annotation = annotationControlPlanes
	for _, m := range members {
		ns := m.namespaces[m.SystemNamespace]
		if !m.isRemote() || ns == nil {
			continue
		}
		var unbundled []finding.Evidence
		for _, i := range m.injectors() {
			if i.ClientConfig.Service != nil && len(i.ClientConfig.CABundle) == 0 {
				unbundled = append(unbundled, finding.Evidence{Cluster: m.Context, Field: i.object().String() + ", caBundle", Value: "none"})
			}
		}
		claimed := false
		var evidence []finding.Evidence
		var fix []finding.Step
		for _, v := range m.viewers {
			id := v.Istiod.ClusterID()
			named := slices.ContainsFunc(strings.Split(ns.Annotations[annotation], ","), func(s string) bool { return s == id || s == "*" })
			claimed = claimed || named && v.Istiod.On(istio.EnvExternalIstiod)
			evidence = append(evidence, finding.Evidence{Cluster: v.Context, Field: "istiod " + v.Istiod.Name, Value: fmt.Sprintf("cluster ID %s, %s %s", id, istio.EnvExternalIstiod, orNone(v.Istiod.Env(istio.EnvExternalIstiod)))})
			if !named {
				fix = append(fix, finding.Say("Name the primary in the remote cluster, which takes effect at once:").
					By(finding.Kubectl(m.Context, "annotate", "namespace/"+m.SystemNamespace, annotation+"="+id, "--overwrite")))
			}
			if !v.Istiod.On(istio.EnvExternalIstiod) {
				fix = append(fix, finding.Say("Set global.externalIstiod to true in the values of istiod's installation in %s, which restarts istiod.",
					v.Context))
			}
		}
		if !claimed {
			f := finding.Finding{
				Code: "PR005", Severity: finding.Warning, Clusters: []string{m.Context}, Object: finding.Named("namespace", m.SystemNamespace),
				Title:    "no primary takes the remote cluster for its own",
				Evidence: append([]finding.Evidence{{Cluster: m.Context, Field: "namespace " + m.SystemNamespace + ", annotation " + annotation, Value: orNone(ns.Annotations[annotation])}}, evidence...),
				Effect:   "nobody keeps the root in configmap istio-ca-root-cert and the webhook's caBundle up to date there: pods stop starting when the root changes",
				Fix:      fix,
			}
			if resources.RootCert.Of(m.Cluster).State == facts.Absent || len(unbundled) > 0 {
				f.Severity, f.Effect = finding.Error, "nobody writes the root and the webhook's caBundle there: pods with a sidecar do not start"
			}
			j.Add(f)
		}
		if len(unbundled) > 0 {
			j.Add(finding.Finding{
				Code: "PR004", Severity: finding.Error, Clusters: []string{m.Context}, Object: finding.Kind("mutatingwebhookconfigurations"),
				Title: "the injection webhook has no CA bundle", Evidence: unbundled,
				Effect: "the API server does not trust the injector: pods in namespaces with injection are not created, " +
					"x509: certificate signed by unknown authority",
				Fix:      []finding.Step{readLog("the CA bundle", m.viewers)},
				CausedBy: j.of(m.Context, finding.Object{}, "PR005"),
			})
		}
	}
}
