package linkerdtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// Authority is a certificate with its key, for tests.
type Authority struct {
	*x509.Certificate
	PEM []byte
	key *ecdsa.PrivateKey
}

// Made says how a certificate is to be made.
type Made struct {
	Name     string
	From, To time.Time
	// Leaf: it is no CA.
	Leaf  bool
	Curve elliptic.Curve
	// Names are the identities that it is for.
	Names []string
}

// Issue makes a certificate under an authority; under itself where that is nil.
func Issue(t *testing.T, by *Authority, made Made) *Authority {
	t.Helper()
	if made.Curve == nil {
		made.Curve = elliptic.P256()
	}
	key, err := ecdsa.GenerateKey(made.Curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: made.Name},
		NotBefore: made.From, NotAfter: made.To, DNSNames: made.Names,
		IsCA: !made.Leaf, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	if made.Leaf {
		template.KeyUsage = x509.KeyUsageDigitalSignature
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.Certificate, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &Authority{c, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key}
}

// Key is the private key as it stands in a Secret.
func (a *Authority) Key(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(a.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
}
