package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
)

// Short is the part of a fingerprint that a person compares: its first 12 hex digits.
func Short(sha256 string) string { return sha256[:min(12, len(sha256))] }

// Subject is the subject's distinguished name, or "(empty)".
func (c Certificate) Subject() string { return name(c.Certificate.Subject.String()) }

// Issuer is the issuer's distinguished name, or "(empty)".
func (c Certificate) Issuer() string { return name(c.Certificate.Issuer.String()) }

func name(dn string) string {
	if dn == "" {
		return "(empty)"
	}
	return dn
}

// PublicKeySHA256 is the fingerprint of the certificate's public key
// (SubjectPublicKeyInfo), lower-case hex.
func (c Certificate) PublicKeySHA256() string { return sha256Hex(c.RawSubjectPublicKeyInfo) }

// SelfSigned reports whether the certificate is a root: issued under its own
// name and verified by its own key.
func (c Certificate) SelfSigned() bool {
	if !bytes.Equal(c.RawIssuer, c.RawSubject) {
		return false
	}
	// CheckSignature, and not CheckSignatureFrom, which also asks for a CA.
	return c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// Key names the public key's algorithm and size, e.g. "RSA 4096".
func (c Certificate) Key() string {
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + k.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	default:
		return c.PublicKeyAlgorithm.String()
	}
}

// WeakKey says what makes the certificate's key too weak for a certificate
// authority today, or "".
func (c Certificate) WeakKey() string {
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < 2048 {
			return fmt.Sprintf("its RSA key has %d bits, fewer than 2048", k.N.BitLen())
		}
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize < 256 {
			return fmt.Sprintf("its ECDSA key has %d bits, fewer than 256", k.Curve.Params().BitSize)
		}
	}
	return ""
}

// BrokenSignature names the hash of a signature that nobody accepts any more,
// or "". A root's own signature is nothing that anybody verifies.
func (c Certificate) BrokenSignature() string {
	if bytes.Equal(c.RawIssuer, c.RawSubject) {
		return ""
	}
	switch c.SignatureAlgorithm {
	case x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1:
		return "SHA-1"
	case x509.MD5WithRSA:
		return "MD5"
	case x509.MD2WithRSA:
		return "MD2"
	}
	return ""
}
