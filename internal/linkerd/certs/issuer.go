package certs

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// renewIssuer are the steps that give a cluster another issuer: at its owner, if it has one.
func renewIssuer(c *model.Cluster, what string) []finding.Step {
	if c.Issuer != nil {
		o := c.Issuer.Owner()
		if o.Tool == owner.CertManager && o.Name != "" {
			return []finding.Step{finding.Say("cert-manager writes the issuer. See why it did not renew it, or renew it with cmctl renew %s:",
				o.Name).
				By(finding.Kubectl(c.Context, "-n", c.Namespace, "describe", "certificates.cert-manager.io", o.Name))}
		}
		if steps := o.Steps(c.Context, issuerObject(c)); steps != nil {
			return append([]finding.Step{finding.Say("The issuer has to be %s.", what)}, steps...)
		}
	}
	upgrade := finding.Shell("linkerd", "--context="+c.Context, "upgrade", "--identity-issuer-certificate-file=issuer.crt",
		"--identity-issuer-key-file=issuer.key").To(finding.Kubectl(c.Context, "apply", "-f", "-"))
	return []finding.Step{
		finding.Say("Put %s into issuer.crt and its key into issuer.key. Then give both to the installation:", what).By(upgrade),
		finding.Say("linkerd-identity loads it by itself. Where it does not run, restart it:").
			By(remedy.Restart(c.Context, finding.In("deployment", c.Namespace, "linkerd-identity"))),
	}
}

// keys: the issuer's private key has to be that of its certificate. A key that was taken away
// before it came here tells nothing.
func keys(p *pass) {
	for _, c := range model.Able(p) {
		f := finding.Finding{Code: "CERT106", Severity: finding.Error, Clusters: []string{c.Context}, Object: issuerObject(c)}
		switch i := c.Issuer; {
		case i == nil:
			f.Title = "the Secret with the issuer is missing"
			f.Evidence = []finding.Evidence{{Field: issuerObject(c).String(), Value: "does not exist"}}
			f.Effect = "linkerd-identity does not start, and new proxies get no certificate"
		case i.Certificate == nil:
			f.Title = "the issuer holds no certificate"
			f.Evidence = []finding.Evidence{{Field: inIssuer(c), Value: i.Problem}}
			f.Effect = "linkerd-identity does not start, and new proxies get no certificate"
		case i.Key.Problem == "" && i.Key.PublicKeySHA256 != i.Certificate.PublicKeySHA256():
			f.Title = "the issuer's private key is not that of its certificate"
			f.Evidence = []finding.Evidence{
				{Field: inIssuer(c) + ", public key", Value: pki.Short(i.Certificate.PublicKeySHA256())},
				{Field: issuerObject(c).String() + ", " + i.KeyName + ", public key", Value: pki.Short(i.Key.PublicKeySHA256)},
			}
			f.Effect = "linkerd-identity does not load the issuer, and does not start again"
		default:
			continue
		}
		f.Fix = renewIssuer(c, "an issuer certificate that one of the roots has signed")
		p.Report(f)
	}
}

// expiry: linkerd-identity neither starts nor signs with an issuer that has ended, or whose
// root has; proxies do not look at when a root ends.
func expiry(p *pass) {
	warn := expiryWarn(p.Model)
	for _, c := range model.Able(p) {
		i := c.Issuer
		if i == nil || i.Certificate == nil {
			continue
		}
		report := func(cert pki.Certificate, object finding.Object, field string, severity finding.Severity, title, effect string,
			fix []finding.Step) {
			p.Gather(finding.Finding{
				Code: "CERT108", Severity: severity, Clusters: []string{c.Context}, Object: object, Title: title,
				Evidence: []finding.Evidence{{Field: field, Value: ending(cert)}}, Effect: effect, Fix: fix,
			})
		}
		now := c.Now()
		for _, cert := range append([]pki.Certificate{*i.Certificate}, i.Chain...) {
			fix := renewIssuer(c, "a new issuer certificate under one of the roots")
			switch {
			case now.After(cert.NotAfter):
				report(cert, issuerObject(c), inIssuer(c), finding.Error, "the issuer of the proxies' certificates has expired",
					"no proxy of the cluster gets a certificate, and other clusters refuse those that it has", fix)
			case now.Before(cert.NotBefore):
				report(cert, issuerObject(c), inIssuer(c), finding.Error, "the issuer of the proxies' certificates is not valid yet",
					"no proxy of the cluster gets a certificate that others accept", fix)
			case soon(cert, now, warn) && !renews(i, cert, now):
				report(cert, issuerObject(c), inIssuer(c), finding.Warning, "the issuer of the proxies' certificates expires soon",
					"after its end no proxy of the cluster gets a certificate", fix)
			}
		}
		if c.Roots == nil {
			continue
		}
		signers := map[string]bool{}
		own := rootOf(i, c.Roots.Certificates)
		var living int
		for _, r := range own {
			signers[r.SHA256] = true
			if now.Before(r.NotAfter) {
				living++
			}
		}
		for _, r := range c.Roots.Certificates {
			fix := rewriteRoots(c, "a root that has not expired and has signed the issuer, and those that other clusters still use")
			switch {
			case signers[r.SHA256] && now.After(r.NotAfter) && living == 0:
				report(r, rootsObject(c), inRoots(c), finding.Error, "the root of the issuer has expired",
					"linkerd-identity does not start again, and signs nothing", fix)
			case signers[r.SHA256] && living == 1 && now.Before(r.NotAfter) && soon(r, now, warn):
				report(r, rootsObject(c), inRoots(c), finding.Warning, "the root of the issuer expires soon",
					"after its end linkerd-identity signs nothing", fix)
			case now.After(r.NotAfter):
				report(r, rootsObject(c), inRoots(c), finding.Note, "an expired root is still among those that proxies trust",
					"proxies do not mind; linkerd check stops there and checks nothing else", rewriteRoots(c, "the roots that are in use alone"))
			}
		}
	}
}

// soon: within the time that the user wants to be warned, and within the last third of its life.
func soon(c pki.Certificate, now time.Time, warn time.Duration) bool {
	left, life := c.NotAfter.Sub(now), c.NotAfter.Sub(c.NotBefore)
	return left < min(warn, life/3)
}

// renews reports whether cert-manager will renew a certificate in time: it has until the last
// tenth of its life.
func renews(i *model.Issuer, c pki.Certificate, now time.Time) bool {
	return i.Owner().Tool == owner.CertManager && c.NotAfter.Sub(now) > c.NotAfter.Sub(c.NotBefore)/10
}

// ownIssuer: linkerd-identity verifies its own issuer by the roots when it starts and when the
// Secret changes (pkg/identity/service.go, loadCredentials).
func ownIssuer(p *pass) {
	for _, c := range model.Able(p) {
		i := c.Issuer
		if i == nil || i.Certificate == nil || c.Roots == nil || len(c.Roots.Certificates) == 0 {
			continue
		}
		f := finding.Finding{
			Code: "CERT105", Severity: finding.Error, Clusters: []string{c.Context}, Object: issuerObject(c),
			Evidence: []finding.Evidence{
				{Field: inIssuer(c), Value: names([]pki.Certificate{*i.Certificate}) + ", issued by " + i.Certificate.Issuer()},
				{Field: inRoots(c), Value: names(c.Roots.Certificates)},
			},
			Effect: "linkerd-identity does not load the issuer and does not start again; proxies refuse what it signs",
		}
		own := rootOf(i, c.Roots.Certificates)
		switch {
		case len(own) == 0:
			f.Title = "no root of the cluster has signed its own issuer"
		case i.Unfit() != "":
			f.Title = "the issuer cannot sign certificates that proxies accept"
			f.Evidence = append(f.Evidence, finding.Evidence{Field: "certificate", Value: i.Unfit()})
		case unfitRoots(own) != "":
			f.Title = "linkerd-identity does not accept the root of its issuer"
			f.Evidence = append(f.Evidence, finding.Evidence{Field: "root", Value: unfitRoots(own)})
			f.Effect = "linkerd-identity does not start again; proxies do not mind"
		default:
			continue
		}
		f.Fix = renewIssuer(c, "an issuer certificate that is a CA and that one of the roots has signed")
		p.Report(f)
	}
}

// unfitRoots says why Go accepts none of the roots as one; "" where it accepts one. An expired
// one is reported elsewhere.
func unfitRoots(roots []pki.Certificate) string {
	why := ""
	for _, r := range roots {
		switch {
		case r.BasicConstraintsValid && !r.IsCA, r.Version == 3 && !r.BasicConstraintsValid:
			why = r.Subject() + " is not a CA"
		case r.KeyUsage != 0 && r.KeyUsage&x509.KeyUsageCertSign == 0:
			why = r.Subject() + " may not sign certificates"
		default:
			return ""
		}
	}
	return why
}

// algorithms: proxies take more kinds of keys than the CLI.
func algorithms(p *pass) {
	for _, c := range model.Able(p) {
		var evidence []finding.Evidence
		if i := c.Issuer; i != nil && i.Certificate != nil && !isP256(*i.Certificate) {
			evidence = append(evidence, finding.Evidence{Field: inIssuer(c), Value: fmt.Sprintf("%s, %s", i.Certificate.Key(),
				i.Certificate.SignatureAlgorithm)})
		}
		if c.Roots != nil {
			for _, r := range c.Roots.Certificates {
				if !isP256(r) && !isUsualRSA(r) {
					evidence = append(evidence, finding.Evidence{Field: inRoots(c), Value: fmt.Sprintf("%s: %s, %s", r.Subject(), r.Key(),
						r.SignatureAlgorithm)})
				}
			}
		}
		if len(evidence) == 0 {
			continue
		}
		p.Report(finding.Finding{
			Code: "CERT107", Severity: finding.Note, Clusters: []string{c.Context}, Object: finding.Kind("certificates"),
			Title:    "linkerd check does not accept the algorithm of a certificate",
			Evidence: evidence, Effect: "proxies and linkerd-identity accept it; linkerd check stops there and checks nothing else",
			Fix: []finding.Step{finding.Say("Nothing has to be done. Use ECDSA P-256 with SHA-256 at the next rotation.")},
		})
	}
}

func isP256(c pki.Certificate) bool {
	k, ok := c.PublicKey.(*ecdsa.PublicKey)
	return ok && k.Curve.Params().BitSize == 256 &&
		(c.SignatureAlgorithm == x509.ECDSAWithSHA256 || c.SignatureAlgorithm == x509.SHA256WithRSA)
}

func isUsualRSA(c pki.Certificate) bool {
	k, ok := c.PublicKey.(*rsa.PublicKey)
	return ok && (k.N.BitLen() == 2048 || k.N.BitLen() == 4096) && c.SignatureAlgorithm == x509.SHA256WithRSA
}

// notLoaded: linkerd-identity says that it did not take an issuer that changed. It signs with the one before,
// and will not start again where that is why (pkg/identity/service.go, Run).
func notLoaded(p *pass) {
	for _, c := range model.Able(p) {
		var skipped, updated *corev1.Event
		all := resources.IdentityEvents.Of(c.Cluster).Value
		for i := range all {
			e := &all[i]
			switch {
			case e.InvolvedObject.Namespace != c.Namespace:
			case e.Reason == resources.EventIssuerSkipped && (skipped == nil || e.LastTimestamp.After(skipped.LastTimestamp.Time)):
				skipped = e
			case e.Reason == resources.EventIssuerUpdated && (updated == nil || e.LastTimestamp.After(updated.LastTimestamp.Time)):
				updated = e
			}
		}
		if skipped == nil || updated != nil && !updated.LastTimestamp.Before(&skipped.LastTimestamp) ||
			c.Issuer != nil && c.Issuer.Written().After(skipped.LastTimestamp.Time) ||
			startedAfter(c, skipped.LastTimestamp.Time) {
			continue // it has taken one since, or there is another one now
		}
		f := finding.Finding{
			Code: "CERT111", Severity: finding.Error, Clusters: []string{c.Context}, Object: issuerObject(c),
			Title: "linkerd-identity did not take the issuer that is in the Secret",
			Evidence: []finding.Evidence{{
				Field: "event " + skipped.Reason + ", " + finding.Age(c.Now().Sub(skipped.LastTimestamp.Time)) + " ago", Value: line(skipped.Message),
			}},
			Effect: "it signs with the issuer before, until that ends, and does not start again with this one",
			CausedBy: cmp.Or(
				model.Cause(p, c.Context, issuerObject(c), "CERT106", "CERT105", "CERT108"),
				model.Cause(p, c.Context, rootsObject(c), "CERT103"), model.Cause(p, c.Context, finding.Object{}, "CERT110"),
			),
			Fix: []finding.Step{
				finding.Say("Correct what the message names. Where the roots were added after it started, restart it:").
					By(remedy.Restart(c.Context, finding.In("deployment", c.Namespace, resources.DeploymentIdentity))),
			},
		}
		if f.CausedBy != "" {
			f.Fix = remedy.ByItsCause()
		}
		p.Report(f)
	}
}

// startedAfter reports whether all pods of linkerd-identity started after a time: one that runs has taken the
// issuer that was there then.
func startedAfter(c *model.Cluster, at time.Time) bool {
	pods := c.Component("identity")
	for _, pod := range pods {
		if started := model.StartedAt(pod, resources.IdentityContainer); !started.After(at) {
			return false
		}
	}
	return len(pods) > 0
}

// longestText is how much of what others say is evidence, in letters.
const longestText = 300

// line is text of others on one line of evidence.
func line(text string) string {
	text = strings.Trim(strings.Join(strings.Fields(text), " "), " ,;")
	if letters := []rune(text); len(letters) > longestText {
		text = strings.TrimSpace(string(letters[:longestText])) + "…"
	}
	return cmp.Or(text, "no message")
}
