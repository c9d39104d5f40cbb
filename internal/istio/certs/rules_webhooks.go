package certs

import (
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// webhook is a webhook that calls a control plane of the cluster.
type webhook struct {
	object finding.Object
	name   string
	client admissionv1.WebhookClientConfig
	meta   *metav1.ObjectMeta
	// admits: it injects sidecars; others check configuration.
	admits bool
}

// webhooks are those that call a Service of one of the cluster's own control planes; istiod
// keeps their CA up to date (pkg/webhooks/webhookpatch.go, and pkg/webhooks/validation/
// controller).
func (a *authority) webhooks() []webhook {
	own := func(c admissionv1.WebhookClientConfig) bool {
		return c.Service != nil && c.Service.Namespace == a.SystemNamespace &&
			slices.ContainsFunc(a.istiods, func(i istio.Istiod) bool { return i.Name == c.Service.Name })
	}
	var out []webhook
	for i := range resources.Webhooks.Of(a.Cluster).Value {
		c := &resources.Webhooks.Of(a.Cluster).Value[i]
		for _, w := range c.Webhooks {
			if own(w.ClientConfig) {
				object := finding.Named("mutatingwebhookconfiguration", c.Name)
				out = append(out, webhook{object, w.Name, w.ClientConfig, &c.ObjectMeta, true})
			}
		}
	}
	for i := range resources.ValidatingWebhooks.Of(a.Cluster).Value {
		c := &resources.ValidatingWebhooks.Of(a.Cluster).Value[i]
		for _, w := range c.Webhooks {
			ignored := w.FailurePolicy != nil && *w.FailurePolicy == admissionv1.Ignore
			if own(w.ClientConfig) && len(w.ClientConfig.CABundle) > 0 && !ignored { // until istiod is ready it is like that
				object := finding.Named("validatingwebhookconfiguration", c.Name)
				out = append(out, webhook{object, w.Name, w.ClientConfig, &c.ObjectMeta, false})
			}
		}
	}
	return out
}

// givenAnotherCertificate reports whether a control plane has its certificate from somewhere
// else than the CA whose root is published.
func (a *authority) givenAnotherCertificate() bool {
	return slices.ContainsFunc(a.istiods, func(i istio.Istiod) bool {
		provider := i.Env(istio.EnvCertProvider)
		return i.CAElsewhere || provider != "" && provider != "istiod"
	})
}

// staleWebhooks: the CA by which the API server checks a control plane is another one than
// that of the control plane's certificate.
func staleWebhooks(p *pass) {
	for _, a := range able(p) {
		if len(a.istiods) == 0 || a.givenAnotherCertificate() {
			continue
		}
		if !resources.RootCert.Of(a.Cluster).Known() {
			p.NotChecked(a.Context, a.rootCertUnread())
			continue
		}
		if why, lacks := rule.Lacks(a.Cluster, resources.ValidatingWebhooks); lacks {
			p.NotChecked(a.Context, why)
		}
		roots := a.published.Certificates
		if own := a.current(); own != nil && foreign(p, a) != "" {
			roots = own.root.Certificates // another control plane wrote those that are published
		}
		if len(roots) == 0 || a.now.Sub(lastWritten(resources.RootCert.Of(a.Cluster).Value)) < settled || a.newborn() {
			continue
		}
		var stale []webhook
		for _, w := range a.webhooks() {
			bundle := pki.ParseBundle(w.client.CABundle)
			if !sharesRoot(bundle.Certificates, roots) && a.now.Sub(w.meta.CreationTimestamp.Time) > newborn {
				stale = append(stale, w)
			}
		}
		for len(stale) > 0 {
			object := stale[0].object
			same := slices.DeleteFunc(slices.Clone(stale), func(w webhook) bool { return w.object != object })
			stale = slices.DeleteFunc(stale, func(w webhook) bool { return w.object == object })
			f := a.staleWebhook(same)
			f.Evidence = append(f.Evidence, finding.Evidence{Field: "root of istiod's certificate", Value: describeAll(roots)})
			p.Report(f)
		}
	}
}

func (a *authority) staleWebhook(all []webhook) finding.Finding {
	w := all[0]
	f := finding.Finding{
		Code: "CERT037", Severity: finding.Error, Clusters: []string{a.Context}, Object: w.object,
		Title: "the caBundle of the injection webhook is not the CA of istiod's certificate",
		Effect: "the API server refuses the injector: new pods in namespaces with injection are not created, " +
			"x509: certificate signed by unknown authority",
	}
	if !w.admits {
		f.Title = "the caBundle of the validation webhook is not the CA of istiod's certificate"
		f.Effect = "the API server refuses changes of Istio's configuration: x509: certificate signed by unknown authority"
	}
	for _, w := range all {
		bundle := pki.ParseBundle(w.client.CABundle)
		f.Evidence = append(f.Evidence, finding.Evidence{
			Field: fmt.Sprintf("%s, %s, caBundle", w.object, w.name),
			Value: orElse(describeAll(bundle.Certificates), orElse(bundle.Problem, "none")),
		})
	}
	f.Fix = []finding.Step{restart(a, "Restart istiod, which writes the CA into its webhooks when it starts:")}
	if by := owner.Of(w.meta); by.WritesAgain() {
		f.Fix = append(f.Fix, by.Step(a.Context, w.object),
			finding.Say("Let %s leave caBundle alone, which istiod writes: it may be what puts the old one back.", by.Tool))
	}
	return f
}
