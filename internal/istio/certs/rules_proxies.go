package certs

import (
	"fmt"
	"slices"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// outdatedProxies: a workload renews its certificate and the roots that it trusts at about
// half of the certificate's life (security/pkg/nodeagent/cache/secretcache.go, rotateTime);
// until then it has those from before a change.
func outdatedProxies(p *pass) {
	answers := optionsOf(p.Model).Proxies
	external := slices.ContainsFunc(trustOf(p.Model).authorities, func(a *authority) bool { return a.mode == External })
	for _, a := range able(p) {
		asked := answers[a.Context]
		if why := a.unpublished(external); unclear(why) {
			p.NotChecked(a.Context, why)
			continue
		}
		if why, lacks := rule.Lack("pods with a sidecar", asked); lacks {
			p.NotChecked(a.Context, why)
			continue
		}
		var old []outdated
		for _, proxy := range asked.Value {
			o, why := a.outdated(proxy)
			if unclear(why) {
				p.NotChecked(a.Context, why)
			} else if o.severity != "" {
				old = append(old, o)
			}
		}
		if len(old) > 0 {
			p.Report(a.oldMaterial(old, len(asked.Value)))
		}
	}
}

// unpublished says why it is not known what workloads of the cluster should trust.
func (a *authority) unpublished(external bool) finding.Reason {
	switch {
	case a.mode == External, a.mode == Remote && external:
		return finding.Because("something other than istiod signs, and its roots need not be those of configmap " + istio.RootCertConfigMap)
	case a.mode == UnknownMode:
		return a.modeWhy
	case resources.RootCert.Of(a.Cluster).State == facts.Absent, a.publishedKnown && len(a.published.Certificates) == 0:
		return finding.Because("configmap " + istio.RootCertConfigMap + " has no root")
	case !a.publishedKnown:
		return a.rootCertUnread()
	}
	return finding.Reason{}
}

// outdated is what is old about the certificates of a proxy.
type outdated struct {
	pod      *facts.Pod
	severity finding.Severity
	what     string
	evidence []finding.Evidence
}

// outdated compares what a proxy has with what istiod publishes; it says why it cannot.
func (a *authority) outdated(p facts.ProxyMaterial) (o outdated, why finding.Reason) {
	proxy := fmt.Sprintf("proxy of pod %s/%s", p.Pod.Namespace, p.Pod.Name)
	switch p.State {
	case facts.OK:
	case facts.Absent:
		return o, finding.Because(proxy + ": the pod is gone meanwhile")
	default:
		return o, rule.Unread(proxy, p.State, p.Why())
	}
	chain, trusted := pki.ParseBundle(p.Value.Chain).Certificates, pki.ParseBundle(p.Value.Roots).Certificates
	if len(chain) == 0 || len(trusted) == 0 {
		return o, finding.Because(proxy + ": it has no certificate of the mesh yet")
	}
	leaf := chain[0]
	if len(leaf.Certificate.Subject.Organization) > 0 || leaf.IsCA {
		return o, finding.Because(proxy + ": istiod did not issue its certificate, its issuer is " + leaf.Issuer())
	}
	o.pod = p.Pod
	field := func(what string) string { return fmt.Sprintf("pod %s/%s, %s", p.Pod.Namespace, p.Pod.Name, what) }
	published := a.published.Certificates
	var lacks []pki.Certificate
	for _, c := range published {
		if !holds(trusted, c) {
			lacks = append(lacks, c)
		}
	}
	note := func(s finding.Severity, what string, e finding.Evidence) {
		if o.severity == "" || !o.severity.AtLeast(s) {
			o.severity, o.what = s, what
		}
		o.evidence = append(o.evidence, e)
	}
	switch {
	case !leaf.NotAfter.After(a.now):
		note(finding.Error, "present a certificate that has expired",
			finding.Evidence{Field: field("certificate, ended"), Value: leaf.NotAfter.UTC().Format(time.RFC3339)})
	case a.unsigned(leaf, chain[1:]):
		note(finding.Error, "present a certificate that no root published there signs",
			finding.Evidence{Field: field("certificate, issuer"), Value: leaf.Issuer()})
	}
	switch {
	case len(lacks) == len(published):
		note(finding.Error, "trust none of the roots published there", finding.Evidence{Field: field("trusts"), Value: shortNames(trusted)})
	case len(lacks) > 0:
		note(finding.Warning, "do not trust all roots published there", finding.Evidence{Field: field("trusts"), Value: shortNames(trusted)})
	}
	return o, finding.Reason{}
}

// unsigned reports whether peers that trust what the cluster publishes refuse a chain that
// is not of the CA that istiod has now: what is wrong with that other rules say. Expiry of
// CAs is theirs too.
func (a *authority) unsigned(leaf pki.Certificate, intermediates []pki.Certificate) bool {
	if ca := a.current(); ca != nil {
		if signing, ok := ca.signing.First(); ok && leaf.CheckSignatureFrom(signing.Certificate) == nil {
			return false
		}
	}
	_, err := findPaths(leaf, intermediates, a.published.Certificates, anyUsage)
	return err != nil
}

// shortNames are certificates as a person distinguishes them.
func shortNames(certs []pki.Certificate) string {
	var out []string
	for _, c := range pki.Unique(certs) {
		out = append(out, fmt.Sprintf("%s (SHA-256 %.16s…)", c.Subject(), c.SHA256))
	}
	return finding.List(out)
}

// oldMaterial is the finding about proxies of one cluster.
func (a *authority) oldMaterial(old []outdated, asked int) finding.Finding {
	slices.SortStableFunc(old, func(x, y outdated) int {
		return slices.Index(finding.Severities, x.severity) - slices.Index(finding.Severities, y.severity)
	})
	f := finding.Finding{
		Code: "CERT015", Severity: old[0].severity, Clusters: []string{a.Context},
		Title:    fmt.Sprintf("%d of %d proxies of %s that were asked %s", len(old), asked, a.Context, old[0].what),
		Evidence: []finding.Evidence{{Field: "configmap " + istio.RootCertConfigMap, Value: shortNames(a.published.Certificates)}},
		Effect: "between them and workloads with the certificates of now TLS fails, until they renew theirs: " +
			"at half of its life, mostly 12 hours",
	}
	if f.Severity == finding.Warning {
		f.Effect = "they refuse workloads with certificates of those roots, until they renew theirs: at half of its life, mostly 12 hours"
	}
	var workloads []istio.WorkloadRef
	for _, o := range old {
		f.Evidence = append(f.Evidence, o.evidence...)
		if w := istio.WorkloadOf(o.pod); !slices.Contains(workloads, w) {
			workloads = append(workloads, w)
		}
	}
	f.Fix = a.renewProxies(workloads)
	return f
}

// renewProxies are the steps that give proxies certificates and roots of now.
func (a *authority) renewProxies(workloads []istio.WorkloadRef) []finding.Step {
	var restarted []finding.Command
	var others []finding.Step
	for _, w := range workloads {
		if command, ok := remedy.RestartWorkload(a.Context, w); ok {
			restarted = append(restarted, command)
		} else if w.Kind == "pod" {
			others = append(others,
				finding.Say("Careful: nothing recreates %s. Keep its manifest, delete it, and create it again:", w).
					By(finding.Kubectl(a.Context, "-n", w.Namespace, "delete", "pod/"+w.Name)))
		} else {
			others = append(others, finding.Say("Recreate the pods of %s.", w))
		}
	}
	first := finding.Say("First make sure that istiod signs with a CA of these roots (CERT004).")
	if len(restarted) == 0 {
		return append([]finding.Step{first}, others...)
	}
	again := finding.Say("Then restart these workloads, and all others that are like them:").By(restarted...)
	return append([]finding.Step{first, again}, others...)
}
