// Package istiotest makes fleets for tests: healthy ones, and ones with a single
// fault, as the Kubernetes objects that they consist of. Unit tests judge them as
// facts; end-to-end tests put them into real API servers.
package istiotest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"sync/atomic"
	"time"
)

// Authority is a certificate authority whose key is at hand.
type Authority struct {
	Cert   *x509.Certificate
	Key    crypto.Signer
	Issuer *Authority // nil for a root
}

// Spec says what is special about a certificate; the zero Spec is that of a good CA.
type Spec struct {
	Name        string    // common name; "" for a name of its own
	NotBefore   time.Time // zero: a day before Now
	NotAfter    time.Time // zero: ten years after Now for a root, two for others
	NotCA       bool
	NoCertSign  bool
	PathLen     *int
	ExtKeyUsage []x509.ExtKeyUsage
	RSABits     int           // 0: ECDSA P-256
	SHA1        bool          // signed with SHA-1; the issuer has to have an RSA key
	Key         crypto.Signer // an existing key
	NoKeyID     bool          // without an authority key identifier
}

var serial atomic.Int64

// Root makes a self-signed CA.
func Root(s Spec) *Authority { return issue(nil, s) }

// Sub makes a CA beneath a.
func (a *Authority) Sub(s Spec) *Authority { return issue(a, s) }

func issue(issuer *Authority, s Spec) *Authority {
	n := serial.Add(1)
	years := 2
	if issuer == nil {
		years = 10
	}
	t := &x509.Certificate{
		SerialNumber:          big.NewInt(n),
		Subject:               pkix.Name{Organization: []string{"Istio"}, CommonName: s.Name},
		NotBefore:             Now.Add(-24 * time.Hour),
		NotAfter:              Now.AddDate(years, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  !s.NotCA,
		ExtKeyUsage:           s.ExtKeyUsage,
	}
	if s.Name == "" {
		t.Subject.CommonName = fmt.Sprintf("CA %d", n)
	}
	if !s.NotBefore.IsZero() {
		t.NotBefore = s.NotBefore
	}
	if !s.NotAfter.IsZero() {
		t.NotAfter = s.NotAfter
	}
	if s.NoCertSign || s.NotCA {
		t.KeyUsage = x509.KeyUsageDigitalSignature
	}
	if s.PathLen != nil {
		t.MaxPathLen, t.MaxPathLenZero = *s.PathLen, *s.PathLen == 0
	}
	key := s.Key
	if key == nil {
		key = newKey(s.RSABits)
	}
	parent, signer := t, key
	if issuer != nil {
		parent, signer = issuer.Cert, issuer.Key
	}
	if s.NoKeyID {
		bare := *parent
		bare.SubjectKeyId, parent = nil, &bare
	}
	if s.SHA1 {
		t.SignatureAlgorithm = x509.SHA1WithRSA
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, key.Public(), signer)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return &Authority{Cert: cert, Key: key, Issuer: issuer}
}

func newKey(rsaBits int) crypto.Signer {
	var key crypto.Signer
	var err error
	if rsaBits > 0 {
		key, err = rsa.GenerateKey(rand.Reader, rsaBits)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		panic(err)
	}
	return key
}

// PEM is the certificate.
func (a *Authority) PEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Cert.Raw}))
}

// KeyPEM is the private key, PKCS #8.
func (a *Authority) KeyPEM() string {
	der, err := x509.MarshalPKCS8PrivateKey(a.Key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// Top is the root above a.
func (a *Authority) Top() *Authority {
	for a.Issuer != nil {
		a = a.Issuer
	}
	return a
}

// Chain is a's certificate and those above it, up to the root: a good cert-chain.pem.
func (a *Authority) Chain() string {
	out := a.PEM()
	for a.Issuer != nil {
		a = a.Issuer
		out += a.PEM()
	}
	return out
}

// CRL is an empty revocation list of a.
func (a *Authority) CRL(nextUpdate time.Time) string {
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(serial.Add(1)), ThisUpdate: Now.Add(-time.Hour), NextUpdate: nextUpdate,
	}, a.Cert, a.Key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
}

// CACerts is the data of a good Secret cacerts.
func (a *Authority) CACerts() map[string]string {
	return map[string]string{"ca-cert.pem": a.PEM(), "ca-key.pem": a.KeyPEM(), "cert-chain.pem": a.Chain(), "root-cert.pem": a.Top().PEM()}
}

// TLSCACerts is the data of a good Secret cacerts in the layout of kubernetes.io/tls.
func (a *Authority) TLSCACerts() map[string]string {
	return map[string]string{"tls.crt": a.PEM(), "tls.key": a.KeyPEM(), "ca.crt": a.Top().PEM()}
}

// Leaf is the certificate of a workload, as istiod makes it, which ends at a time.
func (a *Authority) Leaf(ends time.Time) string {
	id, err := url.Parse("spiffe://cluster.local/ns/sample/sa/default")
	if err != nil {
		panic(err)
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(serial.Add(1)), URIs: []*url.URL{id}, NotBefore: Now.Add(-24 * time.Hour), NotAfter: ends,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.Cert, newKey(0).Public(), a.Key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
