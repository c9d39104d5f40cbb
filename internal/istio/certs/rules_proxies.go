package certs

import (
	"fmt"
	"slices"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// judgeProxies: a workload renews its certificate and the roots that it trusts at about
// half of the certificate's life (security/pkg/nodeagent/cache/secretcache.go, rotateTime);
// until then it has those of before. Nobody asks proxies unless it is wanted.
func judgeProxies(j *judgement) {
	if j.Proxies == nil {
		return
	}
	external := slices.ContainsFunc(j.members, func(m *member) bool { return m.mode == External })
	for _, m := range j.reached() {
		asked := j.Proxies[m.Context]
		switch why := m.unpublished(external); {
		case unclear(why):
			j.NotChecked(m.Context, why, "CERT015")
			continue
		case asked.State != facts.OK:
			j.NotChecked(m.Context, rule.Unread("pods with a sidecar", asked.State, asked.Why()), "CERT015")
			continue
		}
		var old []outdated
		for _, p := range asked.Value {
			o, why := m.outdated(p)
			if unclear(why) {
				j.NotChecked(m.Context, why, "CERT015")
			} else if o.severity != "" {
				old = append(old, o)
			}
		}
		if len(old) > 0 {
			j.Add(m.oldMaterial(old, len(asked.Value)))
		}
	}
}

// unpublished says why it is not known what workloads of the cluster should trust.
func (m *member) unpublished(external bool) finding.Reason {
	switch {
	case m.mode == External, m.mode == Remote && external:
		return finding.Because("something other than istiod signs, and its roots need not be those of configmap " + istio.RootCertConfigMap)
	case m.mode == UnknownMode:
		return m.modeWhy
	case resources.RootCert.Of(m.Cluster).State == facts.Absent, m.publishedKnown && len(m.published.Certificates) == 0:
		return finding.Because("configmap " + istio.RootCertConfigMap + " has no root")
	case !m.publishedKnown:
		return m.rootCertUnread()
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
func (m *member) outdated(p facts.ProxyMaterial) (o outdated, why finding.Reason) {
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
		return o, finding.Because(proxy + ": its certificate is none that istiod makes, but of " + leaf.Issuer())
	}
	o.pod = p.Pod
	field := func(what string) string { return fmt.Sprintf("pod %s/%s, %s", p.Pod.Namespace, p.Pod.Name, what) }
	published := m.published.Certificates
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
	case !leaf.NotAfter.After(m.now):
		note(finding.Error, "present a certificate that has expired", finding.Evidence{Field: field("certificate, ended"), Value: leaf.NotAfter.UTC().Format(time.RFC3339)})
	case m.unsigned(leaf, chain[1:]):
		note(finding.Error, "present a certificate that no root published there signs", finding.Evidence{Field: field("certificate, issuer"), Value: leaf.Issuer()})
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
func (m *member) unsigned(leaf pki.Certificate, intermediates []pki.Certificate) bool {
	if ca := m.current(); ca != nil {
		if signing, ok := ca.signing.First(); ok && leaf.CheckSignatureFrom(signing.Certificate) == nil {
			return false
		}
	}
	_, err := findPaths(leaf, intermediates, m.published.Certificates, anyUsage)
	return err != nil
}

// shortNames are certificates as a person tells them apart.
func shortNames(certs []pki.Certificate) string {
	var out []string
	for _, c := range pki.Unique(certs) {
		out = append(out, fmt.Sprintf("%s (SHA-256 %.16s…)", c.Subject(), c.SHA256))
	}
	return finding.List(out)
}

// oldMaterial is the finding about proxies of one cluster.
func (m *member) oldMaterial(old []outdated, asked int) finding.Finding {
	slices.SortStableFunc(old, func(a, b outdated) int {
		return slices.Index(finding.Severities, a.severity) - slices.Index(finding.Severities, b.severity)
	})
	f := finding.Finding{
		Code: "CERT015", Severity: old[0].severity, Clusters: []string{m.Context},
		Title:    fmt.Sprintf("%d of %d proxies of %s that were asked %s", len(old), asked, m.Context, old[0].what),
		Evidence: []finding.Evidence{{Field: "configmap " + istio.RootCertConfigMap, Value: shortNames(m.published.Certificates)}},
		Effect:   "between them and workloads with the certificates of now TLS fails, until they renew theirs: at half of its life, mostly 12 hours",
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
	f.Fix = m.renewProxies(workloads)
	return f
}

// renewProxies are the steps that give proxies certificates and roots of now.
func (m *member) renewProxies(workloads []istio.WorkloadRef) []finding.Step {
	var restarted []finding.Command
	var others []finding.Step
	for _, w := range workloads {
		switch w.Kind {
		case "deployment", "daemonset", "statefulset":
			restarted = append(restarted, finding.Kubectl(m.Context, "-n", w.Namespace, "rollout", "restart", w.Kind+"/"+w.Name))
		case "pod":
			others = append(others,
				finding.Say("Careful: nothing recreates %s. Keep its manifest, delete it, and create it again:", w).
					By(finding.Kubectl(m.Context, "-n", w.Namespace, "delete", "pod/"+w.Name)))
		default:
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
