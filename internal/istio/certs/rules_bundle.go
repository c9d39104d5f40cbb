package certs

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// settled is how long a changed Secret may take to reach istiod: the kubelet
// writes it into the pod within about a minute and a half.
const settled = 2 * time.Minute

func caCertsObject(a *authority) finding.Object {
	return finding.In("secret", a.SystemNamespace, istio.CACertsSecret)
}

// unloadableBundles looks at the CA in Secret cacerts as istiod does when it loads it, and
// as a workload's peer does.
func unloadableBundles(p *pass) {
	// That a signature is not known to be broken, the rule for weak keys says.
	for _, a := range pluggedIn(p, inBundle...) {
		for _, d := range defects(a.ca, a.now) {
			p.Report(finding.Finding{
				Code: d.code, Severity: d.severity, Clusters: []string{a.Context}, Object: caCertsObject(a),
				Title: d.title, Evidence: d.evidence, Effect: d.effect, Fix: fixBundle(a, d),
			})
		}
	}
}

func fixBundle(a *authority, d defect) []finding.Step {
	if d.leak {
		return []finding.Step{finding.Say("Make a new CA and move to it: every workload knows this key now. \"explain CERT010\" says how.")}
	}
	if d.code == "CERT011" {
		chain := finding.Shell("cat", keyCACert, keyRootCert)
		chain.Into = keyCertChain
		order := finding.Say("Put the signing certificate first into cert-chain.pem, then those above it, up to the root:").By(chain)
		return append([]finding.Step{order}, replacing(finding.Say("Then replace secret cacerts:"),
			"the signing certificate first in its chain, then those above it, up to the root", a)...)
	}
	if d.code == "CERT019" {
		return replacing(finding.Say("Put the current revocation list of every CA in cert-chain.pem into ca-crl.pem. "+
			"Then replace secret cacerts:"), "a current revocation list of every CA in its chain", a)
	}
	return replacing(finding.Say("Put the right ca-cert.pem, ca-key.pem, root-cert.pem and cert-chain.pem into the current directory. "+
		"Then replace secret cacerts:"), "a signing certificate with its key, its chain and its root", a)
}

// keysOfOtherLayout: Secret cacerts has keys that istiod ignores beside those of the tls
// layout. A ca.crt that is no root is reported with the other certificates.
func keysOfOtherLayout(p *pass) {
	for _, a := range pluggedIn(p) {
		b := a.ca
		if b.layout.name != tlsLayout.name {
			continue
		}
		f := finding.Finding{Code: "CERT012", Clusters: []string{a.Context}, Object: caCertsObject(a)}
		switch {
		case b.both && b.contradicts():
			f.Severity = finding.Error
			f.Title = "secret cacerts holds two CAs: istiod takes tls.crt and ignores ca-cert.pem"
			other := pki.ParseBundle(b.secret.Data[keyCACert])
			f.Evidence = []finding.Evidence{
				{Field: b.at(tlsLayout.signing), Value: orElse(subjects(b.signing.Certificates), b.signing.Problem)},
				{Field: b.at(keyCACert), Value: orElse(subjects(other.Certificates), orElse(other.Problem, "absent"))},
			}
			f.Effect = "istiod silently ignores changes to the *.pem keys"
			f.Fix = replacing(finding.Say("Keep one layout. This keeps the *.pem files of the current directory:"),
				"the keys of one layout alone", a)
		case b.has(keyCACRL):
			f.Severity = finding.Warning
			f.Title = "istiod ignores ca-crl.pem in secret cacerts, which has tls.crt"
			f.Evidence = []finding.Evidence{{Field: b.at(keyCACRL), Value: "present, and ignored"}}
			f.Effect = "revoked certificates are accepted"
			f.Fix = replacing(finding.Say("Use the layout of ca-cert.pem, in which istiod reads revocation lists:"),
				"ca-cert.pem, ca-key.pem, cert-chain.pem, root-cert.pem and ca-crl.pem", a)
		default:
			continue
		}
		p.Report(f)
	}
}

// bundleNotInUse: the CA in Secret cacerts is not the one that istiod has in memory, of
// which it publishes the root.
func bundleNotInUse(p *pass) {
	for _, a := range pluggedIn(p) {
		roots := a.ca.root.Certificates
		sameText := bytes.Equal(a.ca.secret.Data[a.ca.layout.root], a.publishedText())
		switch {
		case !resources.RootCert.Of(a.Cluster).Known():
			p.NotChecked(a.Context, a.rootCertUnread())
			continue
		case !a.publishedKnown || len(roots) == 0 || sameText || foreign(p, a) != "":
			continue
		}
		changed := lastWritten(a.ca.secret)
		if !changed.IsZero() && a.now.Sub(changed) < settled {
			reason := finding.Because("secret cacerts changed less than 2 minutes ago: istiod may still be reading it")
			p.NotChecked(a.Context, reason)
			continue
		}
		f := finding.Finding{
			Code: "CERT004", Severity: finding.Error, Clusters: []string{a.Context}, Object: caCertsObject(a),
			Title: "istiod does not run on the CA in secret cacerts",
			Evidence: []finding.Evidence{
				{Field: a.ca.at(a.ca.layout.root), Value: describeAll(roots)},
				{Field: "configmap istio-ca-root-cert, root-cert.pem", Value: orElse(describeAll(a.published.Certificates), a.published.Problem)},
			},
			Effect:   "workloads trust, and are signed by, another CA than the one that was installed; nothing in Kubernetes shows it",
			CausedBy: fatalDefect(p, a),
		}
		if sameSet(roots, a.published.Certificates) {
			// What istiod publishes is, byte for byte, what it has loaded.
			f.Severity = finding.Warning
			f.Title = "istiod has not loaded secret cacerts since the text of its root changed"
			f.Effect = "the roots are the same, but a new signing certificate or key that came with them is not in use"
		}
		f.Evidence = append(f.Evidence, whyNotInUse(a, changed)...)
		f.Fix = takeOver(a, f.CausedBy != "")
		if passedOver(a, changed) && f.CausedBy == "" {
			f.Title = "istiod has not found secret cacerts, which was there when it started"
			f.Fix = findCACerts(a)
		}
		p.Report(f)
	}
}

// fatalDefect is the finding that keeps istiod from loading the Secret's CA.
func fatalDefect(p *pass, a *authority) string {
	if loads(a.ca, a.now) {
		return ""
	}
	return cause(p, []string{a.Context}, inBundle...)
}

// passedOver reports whether istiod signs with a CA that it made itself though the Secret was
// there when the last of it started: it looked in another place.
func passedOver(a *authority, changed time.Time) bool {
	started := istio.OldestStart(a.Cluster)
	return a.runsOnOwn() && !changed.IsZero() && !started.IsZero() && started.Sub(changed) > settled
}

// runsOnOwn reports whether what istiod publishes is the root that it made itself.
func (a *authority) runsOnOwn() bool {
	return a.self != nil && a.publishedKnown && sameSet(a.self.root.Certificates, a.published.Certificates)
}

// caDirectory is where istiod looks for the CA: by default relative to the working directory
// of its image (pilot/pkg/bootstrap/istio_ca.go, LocalCertDir).
const caDirectory = "./etc/cacerts"

// usualCAPath is where the charts mount Secret cacerts.
const usualCAPath = "/etc/cacerts"

// findCACerts are the steps that let istiod find a Secret that it has passed over.
func findCACerts(a *authority) []finding.Step {
	out := []finding.Step{rootChanges("CERT001", a.Context)}
	for _, i := range a.istiods {
		deployment := finding.In("deployment", i.Namespace, i.Name)
		if !i.MountsCACerts {
			out = append(out, finding.Say("Mount secret cacerts in the pods of %s, at %s.", deployment, usualCAPath))
			if i.Owner.Known() {
				out = append(out, i.Owner.Step(a.Context, deployment))
			}
			continue
		}
		path := cmp.Or(i.CACertsPath, usualCAPath)
		if i.Owner.WritesAgain() {
			out = append(out,
				finding.Say("Let istiod look where the Secret is mounted: in its variables, set %s to %s.", istio.EnvRootCADir, path),
				i.Owner.Step(a.Context, deployment))
			continue
		}
		out = append(out, finding.Say("Let istiod look where the Secret is mounted, which restarts it. "+
			"Keep it in the values of its installation:").By(remedy.SetIstiodVariable(a.Context, i, istio.EnvRootCADir, path)))
	}
	return append(out, finding.Say("Then restart the workloads and gateways of %s.", a.Context))
}

// whyNotInUse distinguishes the cases of istio_ca.go, handleEvent.
func whyNotInUse(a *authority, changed time.Time) []finding.Evidence {
	var out []finding.Evidence
	started := istio.OldestStart(a.Cluster)
	if !changed.IsZero() && !started.IsZero() && changed.After(started) {
		out = append(out, finding.Evidence{
			Field: "secret cacerts was written",
			Value: changed.UTC().Format(time.RFC3339) + ", after istiod started at " + started.UTC().Format(time.RFC3339),
		})
	}
	if passedOver(a, changed) {
		out = append(out, finding.Evidence{
			Field: "secret cacerts was written",
			Value: changed.UTC().Format(time.RFC3339) + ", before istiod started at " + started.UTC().Format(time.RFC3339),
		}, finding.Evidence{Field: "in use", Value: "the self-signed CA in secret istio-ca-secret"})
		for _, i := range a.istiods {
			e := finding.Evidence{Field: "deployment " + i.Name + ", " + istio.EnvRootCADir, Value: i.Env(istio.EnvRootCADir)}
			switch {
			case !i.MountsCACerts:
				e = finding.Evidence{Field: "deployment " + i.Name + ", volume cacerts", Value: "there is none"}
			case e.Value == "":
				e.Value = "not set: istiod looks in " + caDirectory + ", relative to the working directory of its image"
			}
			out = append(out, e)
			if i.CACertsPath != "" {
				out = append(out, finding.Evidence{Field: "deployment " + i.Name + ", secret cacerts is mounted at", Value: i.CACertsPath})
			}
		}
		return out
	}
	if a.runsOnOwn() {
		return append(out, finding.Evidence{
			Field: "in use",
			Value: "the self-signed CA in secret istio-ca-secret: istiod does not watch for a cacerts that comes after it",
		})
	}
	if slices.ContainsFunc(a.istiods, func(i istio.Istiod) bool { return !i.On(istio.EnvMultiRoot) }) {
		return append(out, finding.Evidence{Field: istio.EnvMultiRoot, Value: "not true: istiod takes no change of root-cert.pem while it runs"})
	}
	return append(out, finding.Evidence{
		Field: istio.EnvMultiRoot,
		Value: "true: istiod takes a new root-cert.pem only if it extends or shortens the old one, in 1.29 byte by byte",
	})
}

func takeOver(a *authority, broken bool) []finding.Step {
	if broken {
		return []finding.Step{restart(a, "Fix the secret first: else istiod does not come back after a restart. Then restart istiod:")}
	}
	if sameSet(a.ca.root.Certificates, a.published.Certificates) {
		return []finding.Step{restart(a, "Restart istiod, which then reads the CA in the secret:")}
	}
	first := finding.Say("First make sure that root-cert.pem of every cluster holds the old root and the new one.")
	if a.runsOnOwn() {
		first = rootChanges("CERT001", a.Context)
	}
	return []finding.Step{
		first,
		restart(a, "Restart istiod, which then reads the CA in the secret:"),
		finding.Say("Then restart the workloads, or wait about 12 hours until they have new certificates."),
	}
}

// bundleGone: the CA that istiod has in memory is in no Secret any more.
func bundleGone(p *pass) {
	for _, a := range withMode(p) {
		gone := a.mode == NoCA || a.mode == SelfSigned && a.ca == nil && !sameSet(a.self.root.Certificates, a.published.Certificates)
		if !gone || foreign(p, a) != "" || !a.publishedKnown || len(a.published.Certificates) == 0 {
			continue
		}
		next := "makes a self-signed CA"
		if a.mode == SelfSigned {
			next = "takes the self-signed CA in secret istio-ca-secret"
		}
		p.Report(finding.Finding{
			Code: "CERT034", Severity: finding.Error, Clusters: []string{a.Context}, Object: caCertsObject(a),
			Title: "the mesh runs on a CA that is in no secret any more",
			Evidence: []finding.Evidence{
				{Field: "configmap istio-ca-root-cert, root-cert.pem", Value: describeAll(a.published.Certificates)},
				{Field: "secret cacerts", Value: "does not exist"},
				{Field: "secret istio-ca-secret", Value: selfSignedOr(a, "does not exist")},
			},
			Effect: "the next istiod pod that starts, in an update or when a node is drained, " + next +
				", and this cluster is cut off from the others",
			Fix: replacing(finding.Say("Before istiod restarts, put the files of the CA back. "+
				"If its key is lost, take those of a new intermediate of the same root:"),
				"the CA that istiod has in memory, or another one of the same root", a),
		})
	}
}

func selfSignedOr(a *authority, otherwise string) string {
	if a.self == nil {
		return otherwise
	}
	return fmt.Sprintf("another root: %s", describeAll(a.self.root.Certificates))
}
