package primaryremote

import (
	"fmt"
	"slices"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// notManaged finds remote clusters that no primary manages: one writes its root and the
// webhook's CA bundle only into clusters that name it, and only where it is told to
// (pilot/pkg/serviceregistry/kube/controller/multicluster.go, checkShouldLead).
func notManaged(p pass) {
	for _, r := range remotes(p) {
		ns := r.Namespace(r.SystemNamespace)
		if ns == nil {
			continue
		}
		managed := false
		seen := []finding.Evidence{{
			Cluster: r.Context, Field: "namespace " + r.SystemNamespace + ", annotation " + istio.AnnotationControlPlanes,
			Value: evidence.OrNone(ns.Annotations[istio.AnnotationControlPlanes]),
		}}
		var fix []finding.Step
		for _, cp := range r.by {
			id, external := cp.Istiod.ClusterID(), cp.Istiod.On(istio.EnvExternalIstiod)
			named := slices.ContainsFunc(r.NamedControlPlanes(), func(s string) bool { return s == id || s == "*" })
			managed = managed || named && external || cp.Cluster == r.Cluster // its own it always manages
			seen = append(seen, finding.Evidence{
				Cluster: cp.Context, Field: "istiod " + cp.Istiod.Name,
				Value: fmt.Sprintf("cluster ID %s, %s %s", id, istio.EnvExternalIstiod, evidence.OrNone(cp.Istiod.Env(istio.EnvExternalIstiod))),
			})
			if !named {
				fix = append(fix, finding.Say("Name the primary in the remote cluster, which takes effect at once:").
					By(finding.Kubectl(r.Context, "annotate", "namespace/"+r.SystemNamespace, istio.AnnotationControlPlanes+"="+id, "--overwrite")))
			}
			if !external {
				fix = append(fix, finding.Say("Set global.externalIstiod to true in the values of istiod's installation in %s, which restarts istiod.",
					cp.Context))
			}
		}
		if managed {
			continue
		}
		f := finding.Finding{
			Code: "PR005", Severity: finding.Warning, Clusters: []string{r.Context}, Object: finding.Named("namespace", r.SystemNamespace),
			Title: "no primary manages the remote cluster", Evidence: seen,
			Effect: "nobody keeps the root in configmap istio-ca-root-cert and the webhook's caBundle up to date there: " +
				"pods stop starting when the root changes",
			Fix: fix,
		}
		if resources.RootCert.Of(r.Cluster.Cluster).State == facts.Absent || len(r.withoutBundle()) > 0 {
			f.Severity, f.Effect = finding.Error, "nobody writes the root and the webhook's caBundle there: pods with a sidecar do not start"
		}
		p.Report(f)
	}
}

// withoutBundle are the webhooks that call a Service and have no CA bundle.
func (r remote) withoutBundle() []model.Injector {
	var out []model.Injector
	for _, i := range r.Injectors() {
		if _, ok := i.Service(); ok && len(i.ClientConfig.CABundle) == 0 {
			out = append(out, i)
		}
	}
	return out
}

// noBundle finds remote clusters whose webhooks have no CA bundle, which a primary writes.
func noBundle(p pass) {
	for _, r := range remotes(p) {
		var seen []finding.Evidence
		for _, i := range r.withoutBundle() {
			seen = append(seen, finding.Evidence{Cluster: r.Context, Field: i.Object().String() + ", caBundle", Value: "none"})
		}
		if r.Namespace(r.SystemNamespace) == nil || len(seen) == 0 {
			continue
		}
		p.Report(finding.Finding{
			Code: "PR004", Severity: finding.Error, Clusters: []string{r.Context}, Object: objectBundles,
			Title: "the injection webhook has no CA bundle", Evidence: seen,
			Effect: "the API server does not trust the injector: pods in namespaces with injection are not created, " +
				"x509: certificate signed by unknown authority",
			Fix:      []finding.Step{readLog("the CA bundle", r.by)},
			CausedBy: r.cause(p, "PR005"),
		})
	}
}

// settledBundle is how long a primary may take to write its CA into a webhook that was just made.
const settledBundle = time.Hour

// otherBundle finds remote clusters whose webhooks have a CA bundle without any root that the control
// planes publish.
func otherBundle(p pass) {
	for _, r := range remotes(p) {
		seen := r.otherBundles(p)
		if len(seen) == 0 || len(r.untrusted(p)) > 0 {
			continue // PR014 says it where pods are refused already
		}
		p.Report(finding.Finding{
			Code: "PR004", Severity: finding.Error, Clusters: []string{r.Context}, Object: objectBundles,
			Title: titleOtherBundle, Evidence: seen,
			Effect: "the API server does not trust the injector: pods in namespaces with injection are not created, " +
				"x509: certificate signed by unknown authority",
			Fix:      []finding.Step{readLog("the CA bundle", r.by)},
			CausedBy: r.cause(p, "PR005"),
		})
	}
}

const titleOtherBundle = "the CA bundle of the injection webhook is not the CA of the primary"

// otherBundles is a line for each webhook whose CA bundle has no root of the control planes, where those
// sign their own certificate, and the roots of these.
func (r remote) otherBundles(p pass) []finding.Evidence {
	var roots []string
	for _, cp := range r.by {
		if _, own := cp.CertificateNames(); !own || cp.Istiod.CAElsewhere || len(cp.Cluster.Roots()) == 0 {
			return nil
		}
		roots = append(roots, cp.Cluster.Roots()...)
	}
	var out []finding.Evidence
	for _, i := range r.Injectors() {
		bundle := pki.ParseBundle(i.ClientConfig.CABundle)
		_, byService := i.Service() // one with a URL may have a certificate of a public CA
		if !byService || len(bundle.Certificates) == 0 || p.Model.Fleet.At.Sub(i.Meta.CreationTimestamp.Time) < settledBundle ||
			slices.ContainsFunc(bundle.Certificates, func(c pki.Certificate) bool { return slices.Contains(roots, c.SHA256) }) {
			continue
		}
		var names []string
		for _, c := range bundle.Certificates {
			names = append(names, fmt.Sprintf("%s (SHA-256 %.16s…)", c.Subject(), c.SHA256))
		}
		out = append(out, finding.Evidence{Cluster: r.Context, Field: i.Object().String() + ", caBundle", Value: finding.List(names)})
	}
	if len(out) == 0 {
		return nil
	}
	for _, cp := range r.by {
		var short []string
		for _, root := range cp.Cluster.Roots() {
			short = append(short, fmt.Sprintf("SHA-256 %.16s…", root))
		}
		out = append(out, finding.Evidence{Cluster: cp.Context, Field: "roots of " + cp.String(), Value: finding.List(short)})
	}
	return out
}

// untrusted are workloads whose pods the API server refuses since it does not trust the injector.
func (r remote) untrusted(p pass) []finding.Evidence {
	var out []finding.Evidence
	for _, refusal := range r.Refusals() {
		if refusal.Cause == model.WebhookUntrusted && len(out) < mostRefusals {
			out = append(out, evidence.Refusal(refusal, p.Model.Fleet.At))
		}
	}
	return out
}

// objectBundles is what has to get another CA bundle.
var objectBundles = finding.Kind("mutatingwebhookconfigurations")

// readLog is the step that finds out why primaries do not write into a remote cluster.
func readLog(what string, by []*model.ControlPlane) finding.Step {
	step := finding.Say("Read the log of istiod, which writes %s into clusters that it manages (PR005), to see why it does not:", what)
	for _, cp := range by {
		step = step.By(logOf(cp))
	}
	return step
}

// logOf is the command that shows what a control plane logged of late.
func logOf(cp *model.ControlPlane) finding.Command {
	return finding.Kubectl(cp.Context, "-n", cp.Istiod.Namespace, "logs", "deployment/"+cp.Istiod.Name, "--since=1h")
}
