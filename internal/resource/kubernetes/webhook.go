package kubernetes

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/serverurl"
)

// What the API server calls webhook configurations.
const (
	MutatingWebhookResource   = "mutatingwebhookconfigurations"
	ValidatingWebhookResource = "validatingwebhookconfigurations"
)

// What the API server calls before it makes or changes objects: the webhooks of meshes, and those
// of others, which take the same pods or are themselves part of a mesh. They may come from the
// API server's cache: somebody installs them.
var (
	// MutatingWebhooks are all MutatingWebhookConfigurations.
	MutatingWebhooks = resource.All[admissionv1.MutatingWebhookConfigurationList](resource.About{
		Name: "all mutatingwebhookconfigurations", File: "mutatingwebhookconfigurations-all", Kind: "MutatingWebhookConfiguration",
		Group: admissionv1.GroupName, Resource: MutatingWebhookResource, Versions: v1, FromCache: true,
	}, TrimMutatingWebhook)
	// ValidatingWebhooks are all ValidatingWebhookConfigurations.
	ValidatingWebhooks = resource.All[admissionv1.ValidatingWebhookConfigurationList](resource.About{
		Name: "all validatingwebhookconfigurations", File: "validatingwebhookconfigurations-all", Kind: "ValidatingWebhookConfiguration",
		Group: admissionv1.GroupName, Resource: ValidatingWebhookResource, Versions: v1, FromCache: true,
	}, TrimValidatingWebhook)
)

// TrimMutatingWebhook keeps which objects webhooks are called for, and where.
func TrimMutatingWebhook(w *admissionv1.MutatingWebhookConfiguration) *admissionv1.MutatingWebhookConfiguration {
	out := &admissionv1.MutatingWebhookConfiguration{ObjectMeta: resource.OwnedMeta(&w.ObjectMeta)}
	for _, h := range w.Webhooks {
		out.Webhooks = append(out.Webhooks, admissionv1.MutatingWebhook{
			Name: h.Name, ClientConfig: trimWebhookClient(h.ClientConfig), FailurePolicy: h.FailurePolicy, Rules: trimRules(h.Rules),
			NamespaceSelector: h.NamespaceSelector, ObjectSelector: h.ObjectSelector,
		})
	}
	return out
}

// TrimValidatingWebhook keeps which objects webhooks are called for, and where.
func TrimValidatingWebhook(w *admissionv1.ValidatingWebhookConfiguration) *admissionv1.ValidatingWebhookConfiguration {
	out := &admissionv1.ValidatingWebhookConfiguration{ObjectMeta: resource.Meta(&w.ObjectMeta)}
	for _, h := range w.Webhooks {
		out.Webhooks = append(out.Webhooks, admissionv1.ValidatingWebhook{
			Name: h.Name, ClientConfig: trimWebhookClient(h.ClientConfig), FailurePolicy: h.FailurePolicy, Rules: trimRules(h.Rules),
			NamespaceSelector: h.NamespaceSelector, ObjectSelector: h.ObjectSelector,
		})
	}
	return out
}

// trimWebhookClient keeps where a webhook is called, and what of the CA is public.
func trimWebhookClient(c admissionv1.WebhookClientConfig) admissionv1.WebhookClientConfig {
	if c.URL != nil {
		shown := serverurl.Shown(*c.URL)
		c.URL = &shown
	}
	if c.CABundle != nil {
		c.CABundle = pki.Redact(c.CABundle)
	}
	return c
}

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
