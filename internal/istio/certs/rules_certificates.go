package certs

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// expiryError is when an expiry becomes urgent.
const expiryError = 7 * 24 * time.Hour

// held is one certificate and everywhere that it was found.
type held struct {
	pki.Certificate
	in    []*member
	where []finding.Evidence
	// root: it is an anchor somewhere, rather than something beneath one.
	root bool
	// tls: it is an anchor in the tls layout of Secret cacerts.
	tls bool
}

// certificatesInUse gathers the CA certificates of the fleet, each once: what
// a cluster's CA is made of, and what its workloads trust.
func (j *judgement) certificatesInUse() []*held {
	var out []*held
	add := func(m *member, c pki.Certificate, field string) *held {
		i := slices.IndexFunc(out, func(h *held) bool { return h.SHA256 == c.SHA256 })
		if i < 0 {
			i = len(out)
			out = append(out, &held{Certificate: c})
		}
		h := out[i]
		if !slices.Contains(h.in, m) {
			h.in = append(h.in, m)
		}
		h.where = append(h.where, finding.Evidence{Cluster: m.Context, Field: "found in", Value: field})
		return h
	}
	for _, m := range j.reached() {
		if b := m.current(); b != nil {
			for _, c := range b.issuing() {
				add(m, c, b.whereIs(c))
			}
			for _, c := range pki.Unique(b.root.Certificates) {
				h := add(m, c, b.whereIs(c))
				h.root = true
				h.tls = h.tls || b.layout.name == tlsLayout.name
			}
		}
		for _, c := range pki.Unique(m.published.Certificates) {
			add(m, c, "configmap istio-ca-root-cert").root = true
		}
	}
	return out
}

// judgeCertificates looks at each certificate by itself and at its issuer.
func judgeCertificates(j *judgement) {
	for _, m := range j.reached() {
		codes := []finding.Code{"CERT010", "CERT031", "CERT032", "CERT033"}
		if m.mode == UnknownMode {
			why := m.modeWhy
			why.Text += "; only the published roots were checked"
			j.NotChecked(m.Context, why, codes...)
		}
		if !resources.RootCert.Of(m.Cluster).Known() {
			j.NotChecked(m.Context, m.rootCertUnread(), codes...)
		}
	}
	all := j.certificatesInUse()
	for _, h := range all {
		j.judgeExpiry(h, all)
		if h.root && !h.SelfSigned() {
			j.Add(h.notSelfSigned())
		}
		if why := h.WeakKey(); why != "" {
			j.Add(h.finding(finding.Finding{
				Code: "CERT032", Severity: finding.Warning,
				Title:    "a CA certificate is too weak: " + why,
				Evidence: []finding.Evidence{{Field: "key", Value: h.Key()}},
				Effect:   "such a key can be broken by somebody with means",
				Fix:      []finding.Step{finding.Say("Make a new CA certificate with RSA 4096 or ECDSA P-256.")},
			}))
		}
		j.judgeOutliving(h, all)
	}
}

// judgeOutliving compares a certificate with those that issued it. Where one was
// renewed for the same key there are several, and the last to end counts. One
// that has ended already is a matter of its own.
func (j *judgement) judgeOutliving(h *held, all []*held) {
	if h.SelfSigned() {
		return
	}
	var issuers []*held
	for _, c := range all {
		if c != h && bytes.Equal(c.RawSubject, h.RawIssuer) && signedBy(h.Certificate, c.Certificate) {
			issuers = append(issuers, c)
		}
	}
	var in []*member
	var issuer *held
	for _, m := range h.in {
		var last *held
		for _, c := range issuers {
			if slices.Contains(c.in, m) && (last == nil || c.NotAfter.After(last.NotAfter)) {
				last = c
			}
		}
		if last != nil && h.NotAfter.After(last.NotAfter) && j.now.Before(last.NotAfter) {
			in, issuer = append(in, m), last
		}
	}
	if issuer == nil {
		return
	}
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
	j.Add(f)
}

func (j *judgement) judgeExpiry(h *held, all []*held) {
	left := h.NotAfter.Sub(j.now)
	notYet := j.now.Before(h.NotBefore)
	if !notYet && left >= j.ExpiryWarn {
		return
	}
	kind := "CA certificate"
	if h.root {
		kind = "root certificate"
	}
	f := finding.Finding{
		Code: "CERT010", Severity: finding.Error,
		Evidence: []finding.Evidence{{Field: "valid", Value: h.NotBefore.UTC().Format(time.RFC3339) + " to " + h.NotAfter.UTC().Format(time.RFC3339)}},
	}
	d, used := j.dependence(h), true
	switch {
	case len(d.in) > 0:
		f.Effect, f.Fix = d.effect(), h.renewal(d.in)
	case slices.ContainsFunc(all, func(o *held) bool { return h.renewedBy(o, j.now) }):
		// BoringSSL takes the first certificate that fits, and then looks at its dates.
		f.Severity, f.Fix = finding.Warning, h.removal()
		f.Effect = "none for istiod, which finds another of its name and key; but Envoy may take this one, and then mTLS fails (envoyproxy/envoy issue 45210)"
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
		if left >= expiryError {
			f.Severity = finding.Warning
		}
	}
	f = h.finding(f)
	if len(d.in) > 0 {
		f.Clusters = contexts(d.in)
	}
	j.Add(f)
}

// renewedBy reports whether o is a valid certificate of the same name and key
// that stands beside h somewhere.
func (h *held) renewedBy(o *held, now time.Time) bool {
	return o != h && sameAuthority(o.Certificate, h.Certificate) && len(path{o.Certificate}.stale(now)) == 0 &&
		slices.ContainsFunc(o.in, func(m *member) bool { return slices.Contains(h.in, m) })
}

func (h *held) removal() []finding.Step {
	if h.root {
		return []finding.Step{finding.Say("Remove it from root-cert.pem, and restart istiod.")}
	}
	return []finding.Step{finding.Say("Remove it from cert-chain.pem.")}
}

func (h *held) renewal(in []*member) []finding.Step {
	if h.root {
		return []finding.Step{finding.Say("Replace the root in three steps, with both roots trusted in between: \"explain CERT010\" has them.")}
	}
	return replacing(finding.Say("Put the files of a new intermediate of the same root into the current directory. "+
		"istiod loads it while it runs:"), in...)
}

func (h *held) notSelfSigned() finding.Finding {
	f := finding.Finding{
		Code: "CERT031", Severity: finding.Warning,
		Title:    "a certificate that workloads take for a root is an intermediate",
		Evidence: []finding.Evidence{{Field: "its issuer", Value: h.Issuer()}},
		Effect:   "peers that want a complete chain refuse it, and clusters with different intermediates of one root do not trust one another",
		Fix:      []finding.Step{finding.Say("Put the self-signed root at the end of the chain into root-cert.pem.")},
	}
	if h.tls {
		// cert-manager fills ca.crt with the issuer's certificate, whatever that is.
		f.Code = "CERT012"
		f.Fix = []finding.Step{
			finding.Say("Let the root itself be the issuer, or use the layout of ca-cert.pem with the root in root-cert.pem."),
		}
	}
	return h.finding(f)
}

// finding completes a finding about this certificate: which it is and where it was found.
func (h *held) finding(f finding.Finding) finding.Finding {
	f.Clusters, f.Object = contexts(h.in), finding.Named("certificate", pki.Short(h.SHA256))
	f.Evidence = append(append([]finding.Evidence{{Field: "certificate", Value: describe(h.Certificate)}}, f.Evidence...), h.where...)
	return f
}
