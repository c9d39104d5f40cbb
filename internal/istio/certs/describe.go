package certs

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// describe names a certificate for evidence: whose it is, which it is, and
// until when.
func describe(c pki.Certificate) string {
	return fmt.Sprintf("%s, sha256 %s, until %s", c.Subject(), pki.Short(c.SHA256), day(c.NotAfter))
}

func describeAll(certs []pki.Certificate) string {
	out := make([]string, len(certs))
	for i, c := range certs {
		out[i] = describe(c)
	}
	return strings.Join(out, "; ")
}

func subjects(certs []pki.Certificate) string { return strings.Join(subjectsOf(certs), "; ") }

func subjectsOf(certs []pki.Certificate) []string {
	var out []string
	for _, c := range pki.Unique(certs) {
		out = append(out, c.Subject())
	}
	return out
}

// day is a date in UTC.
func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// span is a time for people: the two largest units would be one too many.
func span(d time.Duration) string {
	count := func(n int, unit string) string {
		if n == 1 {
			return "1 " + unit
		}
		return fmt.Sprintf("%d %ss", n, unit)
	}
	d = d.Abs()
	const aDay = 24 * time.Hour
	switch {
	case d < 2*time.Minute:
		return count(int(d/time.Second), "second")
	case d < 2*time.Hour:
		return count(int(d/time.Minute), "minute")
	case d < 2*aDay:
		return count(int(d/time.Hour), "hour")
	default:
		return count(int(d/aDay), "day")
	}
}

// restart is the command that makes istiod read its CA anew.
func restart(m *member) []string {
	var out []string
	for _, i := range m.istiods {
		out = append(out, finding.Kubectl(m.Context, "-n %s rollout restart deployment/%s", i.Namespace, i.Name))
	}
	if len(out) == 0 {
		out = append(out, finding.Kubectl(m.Context, "-n %s rollout restart deployment/istiod", m.SystemNamespace))
	}
	return out
}

// replace is the command that makes Secret cacerts from the four files in the
// current directory, in the layout that Istio documents.
func replace(m *member) string {
	create := fmt.Sprintf("-n %s create secret generic cacerts --from-file=ca-cert.pem --from-file=ca-key.pem --from-file=root-cert.pem --from-file=cert-chain.pem", m.SystemNamespace)
	if m.ca == nil {
		return finding.Kubectl(m.Context, "%s", create)
	}
	if m.ca.has(keyCACRL) {
		create += " --from-file=" + keyCACRL
	}
	verb := "replace"
	if t := m.ca.secret.Type; t != "" && t != corev1.SecretTypeOpaque {
		verb = "replace --force" // the type of a Secret cannot be changed
	}
	return finding.Kubectl(m.Context, "%s --dry-run=client -o yaml | %s", create, finding.Kubectl(m.Context, "%s -f -", verb))
}
