// Package pki reads the PEM material of a mesh's certificate authorities: it
// parses, names, measures and redacts. It knows no Kubernetes and no mesh.
package pki

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"
)

// MaxBundle is the largest PEM value that is parsed, in bytes: what etcd
// accepts of one object by default. Nothing larger can have come from a cluster.
const MaxBundle = 3 << 19

// PEM block types that the bundles of a certificate authority are made of.
const (
	blockCertificate = "CERTIFICATE"
	blockCRL         = "X509 CRL"
)

// Certificate is a parsed certificate and the name that identifies it.
type Certificate struct {
	*x509.Certificate
	// SHA256 is the fingerprint of the whole certificate, lower-case hex.
	SHA256 string
}

// NewCertificate names a parsed certificate by its fingerprint.
func NewCertificate(c *x509.Certificate) Certificate {
	return Certificate{Certificate: c, SHA256: sha256Hex(c.Raw)}
}

// Bundle is what one PEM value holds.
type Bundle struct {
	// Certificates are in the order of the text; duplicates are kept.
	Certificates []Certificate
	// Revocations are the certificate revocation lists.
	Revocations []*x509.RevocationList
	// Passed are the blocks that are neither, or do not parse, in words.
	Passed []string
	// Problem says why the first block is not a certificate; "" when it is
	// one. istiod reads the first block and nothing else where it needs a
	// single certificate (security/pkg/pki/util/crypto.go,
	// ParsePemEncodedCertificate).
	Problem string
}

// ParseBundle reads all PEM blocks of a value. It accepts anything: what
// cannot be read is described in Passed and Problem, never an error.
func ParseBundle(text []byte) Bundle {
	var b Bundle
	switch {
	case len(bytes.TrimSpace(text)) == 0:
		b.Problem = "is empty"
		return b
	case len(text) > MaxBundle:
		b.Problem = fmt.Sprintf("is %d bytes long, more than a cluster stores", len(text))
		return b
	}
	n := 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		n++
		problem := b.add(block)
		if problem == "" {
			continue
		}
		b.Passed = append(b.Passed, fmt.Sprintf("block %d %s", n, problem))
		if n == 1 {
			b.Problem = problem
		}
	}
	if n == 0 {
		b.Problem = "is not PEM"
	}
	return b
}

// add files one block under its kind and says what is wrong with it, if anything.
func (b *Bundle) add(block *pem.Block) string {
	switch block.Type {
	case blockCertificate:
		// The pools of crypto/x509, and so istiod, pass over blocks with headers.
		if len(block.Headers) > 0 {
			return "is a certificate with PEM headers"
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return "is not a certificate that can be parsed"
		}
		b.Certificates = append(b.Certificates, NewCertificate(c))
		return ""
	case blockCRL:
		crl, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return "is not a revocation list that can be parsed"
		}
		b.Revocations = append(b.Revocations, crl)
		if len(b.Certificates) == 0 {
			return "is a revocation list"
		}
		return ""
	case redactedPrefix + blockCertificate:
		return "is not a certificate that can be parsed"
	default:
		return "is of type " + clip(strings.TrimPrefix(block.Type, redactedPrefix))
	}
}

// Unique returns the certificates without duplicates, in the order of their
// first appearance.
func Unique(certs []Certificate) []Certificate {
	seen := make(map[string]bool, len(certs))
	var out []Certificate
	for _, c := range certs {
		if !seen[c.SHA256] {
			seen[c.SHA256] = true
			out = append(out, c)
		}
	}
	return out
}

// Pool collects certificates for crypto/x509.
func Pool(certs []Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range certs {
		p.AddCert(c.Certificate)
	}
	return p
}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// clip keeps a name that came out of a cluster to one short line.
func clip(s string) string {
	const most = 40
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
