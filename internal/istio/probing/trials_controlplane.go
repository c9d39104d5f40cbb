package probing

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// sawControlPlane asks of a certificate what a client of istiod does: whether it leads
// to the root that the client has, and is for the host that it calls. Only what fails in
// both is something else.
func (r *Trial) sawControlPlane(a facts.Attempt, now time.Time) {
	t, leaf := r.Target, a.Certificates[0]
	named := leaf.VerifyHostname(t.Host) == nil
	var untrusted error
	if t.CheckedBy.Why == "" {
		untrusted = verifies(a.Certificates, t.CheckedBy.Roots, now)
	}
	invalid := x509.CertificateInvalidError{}
	expired := errors.As(untrusted, &invalid) && invalid.Reason == x509.Expired
	switch {
	case expired:
		r.Result, r.Detail = OtherRoot, r.Certificate.outOfTime()
		r.DistrustedBy = []string{t.For}
	case untrusted != nil && !named:
		r.Result, r.Detail = NotControlPlane, fmt.Sprintf("its certificate is %s, and not for %s", r.Certificate.Describe(), t.Host)
		r.DistrustedBy = []string{t.For}
	case untrusted != nil:
		r.Result, r.Detail = OtherRoot, fmt.Sprintf("%s has no root for %s", t.CheckedBy.From, r.Certificate.Describe())
		r.DistrustedBy = []string{t.For}
	case !named:
		r.Result, r.Detail = OtherName, fmt.Sprintf("its certificate is for %s, and not for %s", r.Certificate.names(), t.Host)
		r.DistrustedBy = []string{t.For}
	case t.CheckedBy.Why != "":
		r.Result, r.TrustUnknown = Reachable, true
		r.Detail = "as " + t.Host + "; whether its certificate is trusted is not known: " + t.CheckedBy.Why
	default:
		r.Result, r.Detail, r.TrustedBy = Trusted, "by "+t.client(), []string{t.For}
	}
}

// names are those of the certificate, or what else it is for.
func (c *ShownCertificate) names() string {
	if len(c.DNSNames) > 0 {
		return finding.List(c.DNSNames)
	}
	if c.Identity != "" {
		return c.Identity
	}
	return "no name"
}

// client is who uses an address of a control plane.
func (t Target) client() string {
	if t.Purpose == Injection {
		return "the API server of " + t.For
	}
	return "proxies of " + t.For
}

// Use says for what an address is used, in a few words.
func (r Trial) Use() string {
	switch r.Purpose {
	case Discovery:
		return "proxies of " + r.For
	case Injection:
		return "injection in " + r.For
	case PodToPod:
		return "pods directly"
	default:
		return string(Requests)
	}
}
