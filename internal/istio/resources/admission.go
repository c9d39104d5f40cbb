package resources

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// What the API server calls before it makes or changes objects: the webhooks of Istio, and those
// of others, which take the same pods or are themselves part of the mesh. They may come from the
// API server's cache: somebody installs them.
var (
	// MutatingWebhooks are all MutatingWebhookConfigurations, Webhooks among them.
	MutatingWebhooks = resource.All[admissionv1.MutatingWebhookConfigurationList](resource.About{
		Name: "all mutatingwebhookconfigurations", File: "mutatingwebhookconfigurations-all", Kind: "MutatingWebhookConfiguration",
		Group: admissionv1.GroupName, Resource: "mutatingwebhookconfigurations", Versions: v1, FromCache: true,
	}, trimWebhook)
	// AllValidatingWebhooks are all ValidatingWebhookConfigurations, ValidatingWebhooks among them.
	AllValidatingWebhooks = resource.All[admissionv1.ValidatingWebhookConfigurationList](resource.About{
		Name: "all validatingwebhookconfigurations", File: "validatingwebhookconfigurations-all", Kind: "ValidatingWebhookConfiguration",
		Group: admissionv1.GroupName, Resource: "validatingwebhookconfigurations", Versions: v1, FromCache: true,
	}, trimValidatingWebhook)
)

// mostRefusals is how many events of refused pods are read: each names a workload, and a few say
// what is the matter with all.
const mostRefusals = 500

// RefusedPods are the events of all namespaces that say that the API server refuses the pods of
// a workload.
var RefusedPods = resource.List[corev1.EventList](resource.About{
	Name: "events of refused pods", File: "events-failed-create", Kind: "Event", Resource: "events", Versions: v1,
	Fields: "reason=" + FailedCreate + ",type=" + corev1.EventTypeWarning, Sample: mostRefusals,
}, resource.Belonging[*corev1.Event]{
	Belongs: func(_ *facts.Cluster, e *corev1.Event) bool { return e.Reason == FailedCreate },
}, TrimEvent)

// trimRules keeps which objects a webhook is called for.
func trimRules(rules []admissionv1.RuleWithOperations) []admissionv1.RuleWithOperations {
	var out []admissionv1.RuleWithOperations
	for _, r := range rules {
		out = append(out, admissionv1.RuleWithOperations{
			Operations: r.Operations, Rule: admissionv1.Rule{APIGroups: r.APIGroups, Resources: r.Resources, Scope: r.Scope},
		})
	}
	return out
}
