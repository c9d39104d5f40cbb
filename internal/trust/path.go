package trust

import (
	"bytes"
	"crypto/x509"
	"errors"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// anyUsage separates the question of trust from that of extended key usage.
var anyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny}

// findPath verifies a certificate as crypto/x509, and so istiod, does
// (security/pkg/pki/util/keycertbundle.go, Verify), as if all were valid at all
// times: expiry is a rule of its own. The path begins with the certificate
// and ends with a root.
func findPath(c pki.Certificate, intermediates, roots []pki.Certificate, usages []x509.ExtKeyUsage) ([]pki.Certificate, error) {
	byRaw := map[string]pki.Certificate{}
	timeless := func(c pki.Certificate) *x509.Certificate {
		byRaw[c.SHA256] = c
		// What verifies the signature is Raw; the fields are only compared with the clock.
		t := *c.Certificate
		t.NotBefore, t.NotAfter = time.Time{}, time.Unix(1<<40, 0)
		return &t
	}
	opts := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), KeyUsages: usages}
	for _, r := range roots {
		opts.Roots.AddCert(timeless(r))
	}
	for _, i := range intermediates {
		opts.Intermediates.AddCert(timeless(i))
	}
	paths, err := timeless(c).Verify(opts)
	if err != nil {
		return nil, err
	}
	out := make([]pki.Certificate, len(paths[0]))
	for i, p := range paths[0] {
		out[i] = byRaw[pki.NewCertificate(p).SHA256]
	}
	return out, nil
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
// allow for the CA certificates beneath it. path[0] signs the workloads.
func tooLong(path []pki.Certificate) (pki.Certificate, bool) {
	for beneath, c := range path {
		limited := c.BasicConstraintsValid && (c.MaxPathLen > 0 || c.MaxPathLenZero)
		if limited && c.MaxPathLen < beneath {
			return c, true
		}
	}
	return pki.Certificate{}, false
}

// issuersByName are the certificates that bear the name of c's issuer.
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
