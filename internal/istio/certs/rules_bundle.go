package certs

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// bundleCodes are the codes of faults that are inside Secret cacerts.
var bundleCodes = []finding.Code{"CERT005", "CERT006", "CERT007", "CERT008", "CERT009", "CERT011", "CERT019", "CERT030"}

// settled is how long a changed Secret may take to reach istiod: the kubelet
// writes it into the pod within about a minute and a half.
const settled = 2 * time.Minute

func caCertsObject(m *member) finding.Object {
	return finding.In("secret", m.SystemNamespace, istio.CACertsSecret)
}

// pluggedIn are the members whose Secret cacerts can be judged; of the others
// it notes which codes could not be, where there may be something to judge.
func (j *judgement) pluggedIn(codes ...finding.Code) []*member {
	var out []*member
	for _, m := range j.reached() {
		switch m.mode {
		case UnknownMode:
			j.NotChecked(m.Context, m.modeWhy, codes...)
		case PluggedIn:
			out = append(out, m)
		}
	}
	return out
}

// judgeBundles looks at the CA in Secret cacerts as istiod does when it loads
// it, and as a workload's peer does.
func judgeBundles(j *judgement) {
	for _, m := range j.pluggedIn(bundleCodes...) {
		var fatal string
		for _, d := range defects(m.ca, j.now) {
			f := finding.Finding{
				Code: d.code, Severity: d.severity, Clusters: []string{m.Context}, Object: caCertsObject(m),
				Title: d.title, Evidence: d.evidence, Effect: d.effect, Fix: fixBundle(m, d),
			}
			if d.fatal && fatal == "" {
				fatal = f.ID()
			}
			j.Add(f)
		}
	}
}

func fixBundle(m *member, d defect) []finding.Step {
	if d.leak {
		return []finding.Step{finding.Say("Make a new CA and move to it: every workload knows this key now. \"explain CERT010\" says how.")}
	}
	if d.code == "CERT011" {
		chain := finding.Shell("cat", keyCACert, keyRootCert)
		chain.Into = keyCertChain
		order := finding.Say("Put the signing certificate first into cert-chain.pem, then those above it, up to the root:").By(chain)
		return append([]finding.Step{order}, replacing(finding.Say("Then replace secret cacerts:"), m)...)
	}
	if d.code == "CERT019" {
		return replacing(finding.Say("Put the current revocation list of every CA in cert-chain.pem into ca-crl.pem. "+
			"Then replace secret cacerts:"), m)
	}
	return replacing(finding.Say("Put the right ca-cert.pem, ca-key.pem, root-cert.pem and cert-chain.pem into the current directory. "+
		"Then replace secret cacerts:"), m)
}

// judgeLayout looks at what the tls layout of Secret cacerts does unasked.
func judgeLayout(j *judgement) {
	for _, m := range j.pluggedIn("CERT012") {
		b := m.ca
		if b.layout.name != tlsLayout.name {
			continue
		}
		f := finding.Finding{Code: "CERT012", Clusters: []string{m.Context}, Object: caCertsObject(m)}
		switch {
		case b.both && b.contradicts():
			f.Severity = finding.Error
			f.Title = "secret cacerts holds two CAs: istiod takes tls.crt and passes over ca-cert.pem"
			other := pki.ParseBundle(b.secret.Data[keyCACert])
			f.Evidence = []finding.Evidence{
				{Field: b.at(tlsLayout.signing), Value: orElse(subjects(b.signing.Certificates), b.signing.Problem)},
				{Field: b.at(keyCACert), Value: orElse(subjects(other.Certificates), orElse(other.Problem, "absent"))},
			}
			f.Effect = "changes to the *.pem keys have no effect, without a word from istiod"
			f.Fix = replacing(finding.Say("Keep one layout. This keeps the *.pem files of the current directory:"), m)
		case b.has(keyCACRL):
			f.Severity = finding.Warning
			f.Title = "istiod reads no ca-crl.pem beside tls.crt in secret cacerts"
			f.Evidence = []finding.Evidence{{Field: b.at(keyCACRL), Value: "present, and passed over"}}
			f.Effect = "revoked certificates are accepted"
			f.Fix = replacing(finding.Say("Use the layout of ca-cert.pem, in which istiod reads revocation lists:"), m)
		default:
			continue
		}
		j.Add(f)
	}
	// A ca.crt that is no root is reported by judgeCertificates, with the others.
}

// judgeInUse: is the CA in the Secret the one that istiod has in memory? It
// publishes the root of the latter.
func judgeInUse(j *judgement) {
	for _, m := range j.pluggedIn("CERT004") {
		roots := m.ca.root.Certificates
		sameText := bytes.Equal(m.ca.secret.Data[m.ca.layout.root], publishedText(m))
		switch {
		case !resources.RootCert.Of(m.Cluster).Known():
			j.NotChecked(m.Context, m.rootCertUnread(), "CERT004")
			continue
		case !m.publishedKnown || len(roots) == 0 || sameText:
			continue
		}
		changed := lastWritten(m.ca.secret)
		if !changed.IsZero() && j.now.Sub(changed) < settled {
			reason := finding.Because("secret cacerts changed less than 2 minutes ago: istiod may still be reading it")
			j.NotChecked(m.Context, reason, "CERT004")
			continue
		}
		f := finding.Finding{
			Code: "CERT004", Severity: finding.Error, Clusters: []string{m.Context}, Object: caCertsObject(m),
			Title: "istiod does not run on the CA in secret cacerts",
			Evidence: []finding.Evidence{
				{Field: m.ca.at(m.ca.layout.root), Value: describeAll(roots)},
				{Field: "configmap istio-ca-root-cert, root-cert.pem", Value: orElse(describeAll(m.published.Certificates), m.published.Problem)},
			},
			Effect:   "workloads trust, and are signed by, another CA than the one that was installed; nothing in Kubernetes shows it",
			CausedBy: j.fatalDefect(m),
		}
		if sameSet(roots, m.published.Certificates) {
			// What istiod publishes is, byte for byte, what it has loaded.
			f.Severity = finding.Warning
			f.Title = "istiod has not loaded secret cacerts since the text of its root changed"
			f.Effect = "the roots are the same, but a new signing certificate or key that came with them is not in use"
		}
		f.Evidence = append(f.Evidence, whyNotInUse(m, changed)...)
		f.Fix = takeOver(m, f.CausedBy != "")
		j.Add(f)
	}
}

// fatalDefect is the finding that keeps istiod from loading the Secret's CA.
func (j *judgement) fatalDefect(m *member) string {
	if loads(m.ca, j.now) {
		return ""
	}
	return j.first([]string{m.Context}, bundleCodes...)
}

// whyNotInUse tells the cases of istio_ca.go, handleEvent, apart.
func whyNotInUse(m *member, changed time.Time) []finding.Evidence {
	var out []finding.Evidence
	started := istio.OldestStart(m.Cluster)
	if !changed.IsZero() && !started.IsZero() && changed.After(started) {
		out = append(out, finding.Evidence{
			Field: "secret cacerts was written",
			Value: changed.UTC().Format(time.RFC3339) + ", after istiod started at " + started.UTC().Format(time.RFC3339),
		})
	}
	if m.self != nil && sameSet(m.self.root.Certificates, m.published.Certificates) {
		return append(out, finding.Evidence{Field: "in use", Value: "the self-signed CA in secret istio-ca-secret: istiod does not watch for a cacerts that comes after it"})
	}
	if slices.ContainsFunc(m.istiods, func(i istio.Istiod) bool { return !i.On(istio.EnvMultiRoot) }) {
		return append(out, finding.Evidence{Field: istio.EnvMultiRoot, Value: "not true: istiod takes no change of root-cert.pem while it runs"})
	}
	return append(out, finding.Evidence{Field: istio.EnvMultiRoot, Value: "true: istiod takes a new root-cert.pem only if it extends or shortens the old one, in 1.29 byte by byte"})
}

func takeOver(m *member, broken bool) []finding.Step {
	if broken {
		return []finding.Step{restart(m, "Fix the secret first: else istiod does not come back after a restart. Then restart istiod:")}
	}
	if sameSet(m.ca.root.Certificates, m.published.Certificates) {
		return []finding.Step{restart(m, "Restart istiod, which then reads the CA in the secret:")}
	}
	first := finding.Say("First make sure that root-cert.pem of every cluster holds the old root and the new one.")
	if m.self != nil && sameSet(m.self.root.Certificates, m.published.Certificates) {
		first = rootChanges("CERT001", m.Context)
	}
	return []finding.Step{
		first,
		restart(m, "Restart istiod, which then reads the CA in the secret:"),
		finding.Say("Then restart the workloads, or wait about 12 hours until they have new certificates."),
	}
}

// judgeGone: the CA that istiod has in memory is in no Secret any more.
func judgeGone(j *judgement) {
	for _, m := range j.reached() {
		if m.mode == UnknownMode {
			j.NotChecked(m.Context, m.modeWhy, "CERT034")
			continue
		}
		gone := m.mode == NoCA || m.mode == SelfSigned && m.ca == nil && !sameSet(m.self.root.Certificates, m.published.Certificates)
		if !gone || !m.publishedKnown || len(m.published.Certificates) == 0 {
			continue
		}
		next := "makes a self-signed CA"
		if m.mode == SelfSigned {
			next = "takes the self-signed CA in secret istio-ca-secret"
		}
		j.Add(finding.Finding{
			Code: "CERT034", Severity: finding.Error, Clusters: []string{m.Context}, Object: caCertsObject(m),
			Title: "the mesh runs on a CA that is in no secret any more",
			Evidence: []finding.Evidence{
				{Field: "configmap istio-ca-root-cert, root-cert.pem", Value: describeAll(m.published.Certificates)},
				{Field: "secret cacerts", Value: "does not exist"},
				{Field: "secret istio-ca-secret", Value: selfSignedOr(m, "does not exist")},
			},
			Effect: "the next istiod pod that starts, in an update or when a node is drained, " + next + ", and this cluster is cut off from the others",
			Fix: replacing(finding.Say("Before istiod restarts, put the files of the CA back. "+
				"If its key is lost, take those of a new intermediate of the same root:"), m),
		})
	}
}

func selfSignedOr(m *member, otherwise string) string {
	if m.self == nil {
		return otherwise
	}
	return fmt.Sprintf("another root: %s", describeAll(m.self.root.Certificates))
}
