package certs

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// expiryError is when an expiry becomes urgent.
const expiryError = 7 * 24 * time.Hour

// held is one certificate and everywhere that it was found.
type held struct {
	pki.Certificate
	in    []*authority
	where []finding.Evidence
	// root: it is an anchor somewhere, rather than something beneath one.
	root bool
	// tls: it is an anchor in the tls layout of Secret cacerts.
	tls bool
}

// certificatesInUse gathers the CA certificates of the fleet, each once: what
// a cluster's CA is made of, and what its workloads trust.
func (t *trust) certificatesInUse() []*held {
	var out []*held
	add := func(a *authority, c pki.Certificate, field string) *held {
		i := slices.IndexFunc(out, func(h *held) bool { return h.SHA256 == c.SHA256 })
		if i < 0 {
			i = len(out)
			out = append(out, &held{Certificate: c})
		}
		h := out[i]
		if !slices.Contains(h.in, a) {
			h.in = append(h.in, a)
		}
		h.where = append(h.where, finding.Evidence{Cluster: a.Context, Field: "found in", Value: field})
		return h
	}
	for _, a := range t.authorities {
		if a.mode == Hosting {
			continue
		}
		if b := a.current(); b != nil {
			for _, c := range b.issuing() {
				add(a, c, b.whereIs(c))
			}
			for _, c := range pki.Unique(b.root.Certificates) {
				h := add(a, c, b.whereIs(c))
				h.root = true
				h.tls = h.tls || b.layout.name == tlsLayout.name
			}
		}
		for _, c := range pki.Unique(a.published.Certificates) {
			add(a, c, "configmap istio-ca-root-cert").root = true
		}
	}
	return out
}

// partlyChecked says of which clusters it is not known what their CA is, or what their
// workloads trust: certificates that only those hold are not checked for the codes.
func partlyChecked(p *pass, codes ...finding.Code) {
	for _, a := range able(p) {
		if a.mode == UnknownMode {
			why := a.modeWhy
			why.Text += "; only the published roots were checked"
			p.NotChecked(a.Context, why, codes...)
		}
		if !resources.RootCert.Of(a.Cluster).Known() {
			p.NotChecked(a.Context, a.rootCertUnread(), codes...)
		}
	}
}

// weakKeys: a CA certificate has a key that is too short, or of a curve that is.
func weakKeys(p *pass) {
	partlyChecked(p)
	for _, h := range trustOf(p.Model).certificates() {
		why := h.WeakKey()
		if why == "" {
			continue
		}
		p.Report(h.finding(finding.Finding{
			Code: "CERT032", Severity: finding.Warning,
			Title:    "a CA certificate is too weak: " + why,
			Evidence: []finding.Evidence{{Field: "key", Value: h.Key()}},
			Effect:   "such a key is weak enough to be broken",
			Fix:      []finding.Step{finding.Say("Make a new CA certificate with RSA 4096 or ECDSA P-256.")},
		}))
	}
}

// rootsNotSelfSigned: what workloads take for a root is an intermediate.
func rootsNotSelfSigned(p *pass) {
	partlyChecked(p, "CERT031") // of the tls layout, CERT012 says what is not known
	for _, h := range trustOf(p.Model).certificates() {
		if h.root && !h.SelfSigned() && !h.besideIssuer() {
			p.Report(h.notSelfSigned(trustOf(p.Model)))
		}
	}
}

// worthADate is by how much a certificate outlives its issuer before it is worth a word. Those
// that are made one after the other, for the same time, do so by seconds.
const worthADate = 30 * 24 * time.Hour

// outlivingIssuer: a CA certificate is valid for longer than the one that issued it.
func outlivingIssuer(p *pass) {
	partlyChecked(p)
	t := trustOf(p.Model)
	for _, h := range t.certificates() {
		if issuer, in := h.endsAfterIssuer(t); issuer != nil {
			p.Report(h.outlives(issuer, in))
		}
	}
}

// endsAfterIssuer is the issuer that ends before a certificate does, and where that is so.
// Where one was renewed for the same key there are several issuers, and the last to end is
// used. One that has ended already is a matter of its own.
func (h *held) endsAfterIssuer(t *trust) (issuer *held, in []*authority) {
	if h.SelfSigned() {
		return nil, nil
	}
	var issuers []*held
	for _, c := range t.certificates() {
		if c != h && bytes.Equal(c.RawSubject, h.RawIssuer) && signedBy(h.Certificate, c.Certificate) {
			issuers = append(issuers, c)
		}
	}
	for _, a := range h.in {
		var last *held
		for _, c := range issuers {
			if slices.Contains(c.in, a) && (last == nil || c.NotAfter.After(last.NotAfter)) {
				last = c
			}
		}
		if last != nil && h.NotAfter.Sub(last.NotAfter) > worthADate && t.now.Before(last.NotAfter) {
			in, issuer = append(in, a), last
		}
	}
	return issuer, in
}

func (h *held) outlives(issuer *held, in []*authority) finding.Finding {
	f := h.finding(finding.Finding{
		Code: "CERT033", Severity: finding.Warning,
		Title: "a CA certificate is valid for longer than its issuer",
		Evidence: []finding.Evidence{
			{Field: "it ends", Value: day(h.NotAfter)},
			{Field: "its issuer ends", Value: day(issuer.NotAfter) + " (" + describe(issuer.Certificate) + ")"},
		},
		Effect: "its own date promises time that it does not have: it stops working with its issuer",
		Fix:    []finding.Step{finding.Say("Renew the issuer first. Watch the earlier of the two dates.")},
	})
	f.Clusters = contexts(in)
	return f
}

// expiringCertificates: a CA certificate has ended, ends soon, or is not valid yet.
func expiringCertificates(p *pass) {
	partlyChecked(p)
	e, warn := newExpiry(trustOf(p.Model)), optionsOf(p.Model).ExpiryWarn
	for _, h := range e.certificates() {
		if e.now.Before(h.NotBefore) || h.NotAfter.Sub(e.now) < h.soon(warn) {
			p.Report(e.outOfTime(h))
		}
	}
}

// soon is how long before its end a certificate ends soon: not while there is more than a
// third of its life left, when it has only just been renewed. What cert-manager renews, it
// renews at two thirds of its life, or when its Certificate says so: it is late near the end.
// What the user says goes before all that.
func (h *held) soon(most time.Duration) time.Duration {
	if most != DefaultExpiryWarn {
		return most
	}
	life := h.NotAfter.Sub(h.NotBefore)
	if h.renewedByTool() {
		return min(most, expiryError, life/10)
	}
	return min(most, life/3)
}

// renewedByTool reports whether everywhere a tool that makes certificates renews it: the
// signing certificate of a Secret that it writes.
func (h *held) renewedByTool() bool {
	return !slices.ContainsFunc(h.in, func(a *authority) bool {
		b := a.current()
		if b == nil || b != a.ca {
			return true
		}
		signer, ok := b.signer()
		return !ok || signer.SHA256 != h.SHA256 || !makesCertificates(a.caOwner())
	})
}

// makesCertificates reports whether the owner of a Secret is one that makes the
// certificates in it, and renews them.
func makesCertificates(o owner.Owner) bool {
	return o.Tool == owner.CertManager || o.Tool == owner.VaultOperator && strings.HasPrefix(o.Kind, "vaultpkisecrets.")
}

// outOfTime is the finding about a certificate that has ended, ends soon, or is not valid yet.
func (e *expiry) outOfTime(h *held) finding.Finding {
	left := h.NotAfter.Sub(e.now)
	notYet := e.now.Before(h.NotBefore)
	kind := "CA certificate"
	if h.root {
		kind = "root certificate"
	}
	f := finding.Finding{
		Code: "CERT010", Severity: finding.Error,
		Evidence: []finding.Evidence{{
			Field: "valid", Value: h.NotBefore.UTC().Format(time.RFC3339) + " to " + h.NotAfter.UTC().Format(time.RFC3339),
		}},
	}
	d, used := e.dependence(h), true
	switch {
	case len(d.in) > 0:
		f.Effect, f.Fix = d.effect(), h.renewal(d.in)
	case slices.ContainsFunc(e.certificates(), func(o *held) bool { return h.renewedBy(o, e.now) }):
		// BoringSSL takes the first certificate that fits, and then looks at its dates.
		f.Severity, f.Fix = finding.Warning, h.removal()
		f.Effect = "none for istiod, which finds another of its name and key; but Envoy may take this one, and then mTLS fails " +
			"(envoyproxy/envoy issue 45210)"
	default:
		f.Severity, f.Fix, used = finding.Warning, h.removal(), false
		f.Effect = "none for traffic: nothing that is in use leads to it"
	}
	switch {
	case notYet:
		f.Title = fmt.Sprintf("a %s is not valid before %s", kind, h.NotBefore.UTC().Format(time.RFC3339))
	case left <= 0:
		f.Title = fmt.Sprintf("a %s expired %s ago", kind, span(left))
	default:
		f.Title = fmt.Sprintf("a %s expires in %s", kind, span(left))
		if used {
			f.Effect = "from then on " + f.Effect
		}
		if left >= min(expiryError, h.NotAfter.Sub(h.NotBefore)/6) {
			f.Severity = finding.Warning
		}
	}
	f = h.finding(f)
	if len(d.in) > 0 {
		f.Clusters = contexts(d.in)
	}
	return f
}

// renewedBy reports whether o is a valid certificate of the same name and key
// that stands beside h somewhere.
func (h *held) renewedBy(o *held, now time.Time) bool {
	return o != h && sameAuthority(o.Certificate, h.Certificate) && len(path{o.Certificate}.stale(now)) == 0 &&
		slices.ContainsFunc(o.in, func(a *authority) bool { return slices.Contains(h.in, a) })
}

func (h *held) removal() []finding.Step {
	if h.root {
		return []finding.Step{finding.Say("Remove it from root-cert.pem, and restart istiod.")}
	}
	return []finding.Step{finding.Say("Remove it from cert-chain.pem.")}
}

func (h *held) renewal(in []*authority) []finding.Step {
	if h.root {
		return []finding.Step{finding.Say("Replace the root in three steps, with both roots trusted in between: \"explain CERT010\" has them.")}
	}
	var late []finding.Step
	for _, a := range in {
		if by := a.caOwner(); a.current() == a.ca && makesCertificates(by) && by.InCluster() {
			late = append(late, finding.Say("Read why %s has not renewed it, in the conditions and events of %s %s/%s:",
				by.Tool, by.Word(), by.Namespace, by.Name).By(finding.Kubectl(a.Context, "-n", by.Namespace, "describe", by.Kind, by.Name)))
		}
	}
	free := slices.DeleteFunc(slices.Clone(in), func(a *authority) bool { return a.current() == a.ca && makesCertificates(a.caOwner()) })
	if len(free) == 0 && len(late) > 0 {
		return late
	}
	return append(late, replacing(finding.Say("Put the files of a new intermediate of the same root into the current directory. "+
		"istiod loads it while it runs:"), "a new intermediate of the same root", free...)...)
}

// besideIssuer reports whether the issuer stands beside it in every bundle: then workloads
// trust that as well, and it does no harm to have it.
func (h *held) besideIssuer() bool {
	return !slices.ContainsFunc(h.in, func(a *authority) bool {
		roots := a.published.Certificates
		if !holds(roots, h.Certificate) && a.current() != nil {
			roots = a.current().root.Certificates
		}
		return !issuedWithin(h.Certificate, roots)
	})
}

func (h *held) notSelfSigned(t *trust) finding.Finding {
	f := finding.Finding{
		Code: "CERT031", Severity: finding.Warning,
		Title:    "a certificate that workloads take for a root is an intermediate",
		Evidence: []finding.Evidence{{Field: "its issuer", Value: h.Issuer()}},
		Effect:   "peers that want a complete chain refuse it, and clusters with different intermediates of one root do not trust one another",
		Fix:      h.wholeChain(),
	}
	if h.tls {
		// cert-manager fills ca.crt with the issuer's certificate, whatever that is.
		f.Code = "CERT012"
		f.Fix = []finding.Step{
			finding.Say("Let the root itself be the issuer, or use the layout of ca-cert.pem with the root in root-cert.pem."),
		}
	}
	if others := t.siblings(h); len(others) > 0 {
		f.Severity = finding.Error
		f.Effect = fmt.Sprintf("%s trust another intermediate of the same issuer, and nobody trusts the issuer: "+
			"certificates are refused there, and here", finding.List(others))
	}
	return h.finding(f)
}

// wholeChain are the steps by which the issuer comes to stand where the intermediate does.
func (h *held) wholeChain() []finding.Step {
	for _, a := range h.in {
		if resources.RootCert.Of(a.Cluster).State != facts.OK {
			continue
		}
		by := owner.Of(&resources.RootCert.Of(a.Cluster).Value.ObjectMeta)
		if by.Tool == owner.IstioCSR || a.issuer.Kind == istio.IssuerIstioCSR {
			return []finding.Step{
				finding.Say("Give istio-csr the root itself, %s, in every cluster: app.tls.rootCAFile in its values, a file with that certificate. "+
					"Without it, istio-csr publishes what its issuer answers as the CA.", h.Issuer()),
				finding.Say("Do not change configmap %s by hand: istio-csr writes it again.", istio.RootCertConfigMap),
				finding.Say("Then restart the workloads and gateways, or wait about 12 hours until they have renewed their certificates."),
			}
		}
		if a.mode == External {
			return []finding.Step{finding.Say("Let what writes configmap %s publish the self-signed root at the end of the chain.",
				istio.RootCertConfigMap)}
		}
		if ca := a.caOwner(); ca.Known() {
			return []finding.Step{
				finding.Say("root-cert.pem of secret cacerts has to hold the self-signed root at the end of the chain."),
				ca.Step(a.Context, caCertsObject(a)),
			}
		}
	}
	return []finding.Step{finding.Say("Put the self-signed root at the end of the chain into root-cert.pem.")}
}

// siblings are the clusters that take another intermediate of the same issuer for a root,
// and that refuse certificates of these, or these theirs.
func (t *trust) siblings(h *held) []string {
	var out []string
	for i, a := range t.authorities {
		if !slices.Contains(h.in, a) {
			continue
		}
		for k, other := range t.authorities {
			if !t.refuses(i, k) && !t.refuses(k, i) || slices.Contains(out, other.Context) {
				continue
			}
			if slices.ContainsFunc(t.certificates(), func(o *held) bool { return o.isSibling(h) && slices.Contains(o.in, other) }) {
				out = append(out, other.Context)
			}
		}
	}
	return out
}

// isSibling reports whether both are intermediates of one issuer that stand for roots.
func (h *held) isSibling(o *held) bool {
	return h.root && o.root && h != o && !h.SelfSigned() && !o.SelfSigned() && bytes.Equal(h.RawIssuer, o.RawIssuer) &&
		(len(h.AuthorityKeyId) == 0 || len(o.AuthorityKeyId) == 0 || bytes.Equal(h.AuthorityKeyId, o.AuthorityKeyId))
}

// finding completes a finding about this certificate: which it is and where it was found.
func (h *held) finding(f finding.Finding) finding.Finding {
	f.Clusters, f.Object = contexts(h.in), finding.Named("certificate", pki.Short(h.SHA256))
	f.Evidence = append(append([]finding.Evidence{{Field: "certificate", Value: describe(h.Certificate)}}, f.Evidence...), h.where...)
	return f
}
