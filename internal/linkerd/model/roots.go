package model

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// Bundle is a text of roots. Proxies take every block of type CERTIFICATE and pass over all
// else. linkerd-identity stops at the first block of another type, and ends where text stands after
// the last block (pkg/tls/codec.go of linkerd2).
type Bundle struct {
	// Certificates are those that proxies take, each once.
	Certificates []pki.Certificate
	// Hidden are those that linkerd-identity does not see, because they stand after a block
	// of another type; Foreign is that type.
	Hidden  []pki.Certificate
	Foreign string
	// Trailing: text stands after the last block, by which linkerd-identity ends when it starts.
	Trailing bool
	// Repeated are certificates that are there more than once.
	Repeated int
}

// ParseBundle reads a text of roots.
func ParseBundle(text []byte) Bundle {
	var out Bundle
	var seen int
	rest := text
	for {
		block, after := pem.Decode(rest)
		if block == nil {
			break
		}
		rest = after
		if block.Type != "CERTIFICATE" {
			if out.Foreign == "" {
				out.Foreign = strings.TrimPrefix(block.Type, "REDACTED ")
			}
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			continue
		}
		seen++
		out.Certificates = append(out.Certificates, pki.NewCertificate(c))
		if out.Foreign != "" {
			out.Hidden = append(out.Hidden, pki.NewCertificate(c))
		}
	}
	out.Certificates = pki.Unique(out.Certificates)
	out.Repeated = seen - len(out.Certificates)
	// The decoder takes the line break after the last block with the block.
	out.Trailing = len(out.Certificates) > 0 && len(rest) > 0
	return out
}

// Seen are the certificates that linkerd-identity takes.
func (b Bundle) Seen() []pki.Certificate {
	hidden := map[string]bool{}
	for _, c := range b.Hidden {
		hidden[c.SHA256] = true
	}
	var out []pki.Certificate
	for _, c := range b.Certificates {
		if !hidden[c.SHA256] {
			out = append(out, c)
		}
	}
	return out
}

// Contains reports whether a certificate is among those that proxies take.
func (b Bundle) Contains(c pki.Certificate) bool {
	return slices.ContainsFunc(b.Certificates, func(o pki.Certificate) bool { return o.SHA256 == c.SHA256 })
}

// Roots are what the proxies of a cluster trust.
type Roots struct {
	*corev1.ConfigMap
	Bundle
}

// Owner is who writes the ConfigMap.
func (r *Roots) Owner() owner.Owner { return owner.Of(&r.ObjectMeta) }

// Written is when somebody wrote it last.
func (r *Roots) Written() time.Time { return written(&r.ObjectMeta) }

func written(m *metav1.ObjectMeta) time.Time {
	last := m.CreationTimestamp.Time
	for _, f := range m.ManagedFields {
		if f.Time != nil && f.Time.After(last) {
			last = f.Time.Time
		}
	}
	return last
}

func (c *Cluster) findRoots() *Roots {
	all := resources.TrustRoots.Of(c.Cluster).Value
	for i := range all {
		if all[i].Namespace == c.Namespace {
			return &Roots{ConfigMap: &all[i], Bundle: ParseBundle([]byte(all[i].Data[resources.KeyRoots]))}
		}
	}
	return nil
}

// Issuer is the certificate that signs those of a cluster's proxies.
type Issuer struct {
	*corev1.Secret
	// Certificate is the signing one, Chain those above it in the Secret; Problem says why
	// there is no certificate.
	Certificate *pki.Certificate
	Chain       []pki.Certificate
	Problem     string
	// Key is its private key, reduced; KeyName and CertificateName are the keys of the Secret.
	Key                      pki.PrivateKey
	CertificateName, KeyName string
	// CA are the certificates in ca.crt of a Secret of type kubernetes.io/tls.
	CA []pki.Certificate
}

// Owner is who writes the Secret.
func (i *Issuer) Owner() owner.Owner { return owner.Of(&i.ObjectMeta) }

// Written is when somebody wrote it last.
func (i *Issuer) Written() time.Time { return written(&i.ObjectMeta) }

func (c *Cluster) findIssuer() *Issuer {
	all := resources.Issuers.Of(c.Cluster).Value
	for at := range all {
		if all[at].Namespace != c.Namespace {
			continue
		}
		i := &Issuer{Secret: &all[at], CertificateName: "crt.pem", KeyName: "key.pem"}
		if c.Values.Identity.Issuer.Scheme == string(corev1.SecretTypeTLS) || len(i.Data["crt.pem"]) == 0 && len(i.Data["tls.crt"]) > 0 {
			i.CertificateName, i.KeyName = "tls.crt", "tls.key"
			i.CA = pki.ParseBundle(i.Data["ca.crt"]).Certificates
		}
		b := pki.ParseBundle(i.Data[i.CertificateName])
		if len(b.Certificates) == 0 {
			i.Problem = b.Problem
			if i.Problem == "" {
				i.Problem = "holds no certificate"
			}
		} else {
			i.Certificate, i.Chain = &b.Certificates[0], b.Certificates[1:]
		}
		i.Key = pki.ParsePrivateKey(i.Data[i.KeyName])
		return i
	}
	return nil
}

// Trusted reports whether one of the roots has signed the issuer, or what is above it in the
// Secret. Of a root proxies go by the name and the key alone: its validity and its extensions do not
// matter to them (rustls/webpki, src/trust_anchor.rs).
func (i *Issuer) Trusted(roots []pki.Certificate) bool {
	if i.Certificate == nil {
		return false
	}
	visited := map[string]bool{}
	var up func(c *pki.Certificate) bool
	up = func(c *pki.Certificate) bool {
		visited[c.SHA256] = true
		for _, r := range roots {
			if c.SHA256 == r.SHA256 || bytes.Equal(c.RawIssuer, r.RawSubject) && signedBy(c.Certificate, r.Certificate) {
				return true
			}
		}
		for at := range i.Chain {
			above := &i.Chain[at]
			if !visited[above.SHA256] && bytes.Equal(c.RawIssuer, above.RawSubject) && signedBy(c.Certificate, above.Certificate) && up(above) {
				return true
			}
		}
		return false
	}
	return up(i.Certificate)
}

// Unfit says why what the issuer signs is of no use, whoever trusts its root; "" where it is.
// When it ends is another matter.
func (i *Issuer) Unfit() string {
	for below, c := range append([]pki.Certificate{*i.Certificate}, i.Chain...) {
		switch {
		case !c.IsCA:
			return c.Subject() + " is not a CA"
		case c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0:
			return c.Subject() + " may not sign certificates"
		case (c.MaxPathLen > 0 || c.MaxPathLenZero) && below > c.MaxPathLen && !c.SelfSigned():
			return c.Subject() + " allows fewer authorities below it"
		}
	}
	return ""
}

// signedBy checks the signature alone: whether the upper one may sign is another matter.
func signedBy(c, above *x509.Certificate) bool {
	return above.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// IdentityReads reports whether a pod of linkerd-identity has started with the roots as they are
// now, and is ready.
func (c *Cluster) IdentityReads() bool {
	if c.Roots == nil {
		return false
	}
	return slices.ContainsFunc(c.Component("identity"), func(p *facts.Pod) bool {
		started := StartedAt(p, resources.IdentityContainer)
		return p.IsReady() && !started.IsZero() && started.After(c.Roots.Written())
	})
}
