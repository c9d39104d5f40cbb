package certs

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// anyUsage separates the question of trust from that of extended key usage.
var anyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny}

// path leads from a CA certificate to a root, which is its last element.
type path []pki.Certificate

// findPaths verifies a certificate as crypto/x509, and so istiod, does
// (security/pkg/pki/util/keycertbundle.go, Verify), as if all were valid at all
// times: expiry is a rule of its own. It returns every path, beginning with the
// certificate, or an error when there is none.
func findPaths(c pki.Certificate, intermediates, roots []pki.Certificate, usages []x509.ExtKeyUsage) ([]path, error) {
	paths, err := verify(timeless(c), intermediates, roots, usages, timeless)
	for i, above := range paths {
		paths[i] = append(path{c}, above...)
	}
	return paths, err
}

// standIn signs in the place of an istiod whose key is, rightly, not at hand.
var standIn = sync.OnceValue(func() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) })

// workloadPaths verifies a workload's certificate as a peer does: it is signed
// by signer, and comes with the intermediates (security/pkg/server/ca/server.go,
// CreateCertificate). What is verified is a stand-in under another key, which
// every certificate that speaks for signer is given for the purpose. The paths
// begin with the one that the peer takes for the issuer.
func workloadPaths(signer pki.Certificate, intermediates, roots []pki.Certificate) ([]path, error) {
	withKey := func(c pki.Certificate) *x509.Certificate {
		t := timeless(c)
		if sameAuthority(c, signer) {
			t.PublicKey, t.PublicKeyAlgorithm = standIn().Public(), x509.Ed25519
		}
		return t
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: always, NotAfter: always}
	der, err := x509.CreateCertificate(nil, template, withKey(signer), standIn().Public(), standIn()) // Ed25519 needs no randomness
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return verify(leaf, intermediates, roots, anyUsage, withKey)
}

// always is the time at which everything is verified.
var always = time.Unix(0, 0)

// timeless copies a certificate as one that is always valid. What verifies its
// signature is Raw; the fields are only compared with the clock.
func timeless(c pki.Certificate) *x509.Certificate {
	t := *c.Certificate
	t.NotBefore, t.NotAfter = always, always
	return &t
}

// verify runs crypto/x509 on what as makes of the intermediates and roots. The
// paths that it returns begin above the leaf.
func verify(
	leaf *x509.Certificate, intermediates, roots []pki.Certificate, usages []x509.ExtKeyUsage, as func(pki.Certificate) *x509.Certificate,
) ([]path, error) {
	opts := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), KeyUsages: usages, CurrentTime: always}
	originals := map[string]pki.Certificate{}
	for _, r := range roots {
		opts.Roots.AddCert(as(r))
		originals[string(r.Raw)] = r
	}
	for _, i := range intermediates {
		opts.Intermediates.AddCert(as(i))
		originals[string(i.Raw)] = i
	}
	chains, err := leaf.Verify(opts)
	if err != nil {
		return nil, err
	}
	paths := make([]path, len(chains))
	for i, chain := range chains {
		for _, c := range chain[1:] {
			paths[i] = append(paths[i], originals[string(c.Raw)])
		}
	}
	return paths, nil
}

// root is where a path ends.
func (p path) root() pki.Certificate { return p[len(p)-1] }

// contains reports whether the path goes through a certificate.
func (p path) contains(c pki.Certificate) bool {
	return slices.ContainsFunc(p, func(o pki.Certificate) bool { return o.SHA256 == c.SHA256 })
}

// stale are the certificates of the path that are not valid at a time.
func (p path) stale(at time.Time) path {
	return slices.DeleteFunc(slices.Clone(p), func(c pki.Certificate) bool { return !at.Before(c.NotBefore) && !at.After(c.NotAfter) })
}

// hinges reports whether it matters to the paths when a certificate ends, or
// that it is out of its time already: not where another path does without it,
// and has no other fault.
func hinges(paths []path, c pki.Certificate, now time.Time) bool {
	at := now
	if len(path{c}.stale(now)) == 0 {
		at = c.NotAfter.Add(time.Second)
	}
	return slices.ContainsFunc(paths, func(p path) bool {
		instead := func(q path) bool {
			return !q.contains(c) && !slices.ContainsFunc(q.stale(at), func(o pki.Certificate) bool { return !p.contains(o) })
		}
		return p.contains(c) && !slices.ContainsFunc(paths, instead)
	})
}

// maySign says why a certificate cannot have signed another one in the eyes of
// crypto/x509 and of BoringSSL, or "".
func maySign(c *x509.Certificate) string {
	switch {
	case c.Version == 3 && !c.BasicConstraintsValid:
		return "it has no basic constraints that make it a CA"
	case c.BasicConstraintsValid && !c.IsCA:
		return "its basic constraints say CA:FALSE"
	case c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0:
		return "its key usage lacks certificate signing"
	default:
		return ""
	}
}

// tooLong returns the first certificate of a path whose path length does not
// allow for the CA certificates beneath it, of which the path's first signs the
// workloads.
func (p path) tooLong() (pki.Certificate, bool) {
	for beneath, c := range p {
		limited := c.BasicConstraintsValid && (c.MaxPathLen > 0 || c.MaxPathLenZero)
		if limited && c.MaxPathLen < beneath {
			return c, true
		}
	}
	return pki.Certificate{}, false
}

// issuersByName are the certificates that have the subject of c's issuer.
func issuersByName(c pki.Certificate, among ...[]pki.Certificate) []pki.Certificate {
	var out []pki.Certificate
	for _, certs := range among {
		for _, candidate := range certs {
			if bytes.Equal(candidate.RawSubject, c.RawIssuer) && candidate.SHA256 != c.SHA256 {
				out = append(out, candidate)
			}
		}
	}
	return pki.Unique(out)
}

// sameAuthority reports whether two certificates speak for one CA: the same
// name and key, as a renewed root has.
func sameAuthority(a, b pki.Certificate) bool {
	return bytes.Equal(a.RawSubject, b.RawSubject) && bytes.Equal(a.RawSubjectPublicKeyInfo, b.RawSubjectPublicKeyInfo)
}

// isConstraint reports whether verification failed because a certificate is
// not allowed to sign, rather than because no issuer was found.
func isConstraint(err error) bool {
	var invalid x509.CertificateInvalidError
	return errors.As(err, &invalid) && (invalid.Reason == x509.NotAuthorizedToSign || invalid.Reason == x509.TooManyIntermediates)
}
