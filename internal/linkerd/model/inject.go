package model

import (
	"cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
)

// LabelAdmission is the label of namespaces that takes them out of the injector's webhook.
const LabelAdmission = "config.linkerd.io/admission-webhooks"

// Injection is the value of the annotation that decides for a pod whether the injector gives it a proxy: its
// own, or that of its namespace; false where the webhook is not called for it at all
// (charts/linkerd-control-plane/templates/proxy-injector-rbac.yaml, namespaceSelector).
func (c *Cluster) Injection(p *facts.Pod) (value string, called bool) {
	if p.Namespace == "kube-system" || p.Namespace == "cert-manager" || p.Labels[resources.LabelComponent] != "" {
		return "", false
	}
	for _, ns := range resources.Namespaces.Of(c.Cluster).Value {
		if ns.Name == p.Namespace {
			own := p.Annotations[resources.AnnotationInject]
			return cmp.Or(own, ns.Annotations[resources.AnnotationInject], "disabled"), ns.Labels[LabelAdmission] != "disabled"
		}
	}
	return "", false
}

// WantsProxy reports whether the injector gives a pod a proxy when it is created.
func (c *Cluster) WantsProxy(p *facts.Pod) bool {
	value, called := c.Injection(p)
	return called && (value == "enabled" || value == "ingress") && !p.HostNetwork && p.Owner.Kind != "Job" &&
		p.Container("istio-proxy") == nil // beside the proxy of another mesh it gives none
}
