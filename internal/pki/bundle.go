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
	"slices"
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

// Bundle is what one PEM value holds. istiod reads such values in three ways
// that do not agree about what is in them: as a pool of crypto/x509 does
// (Certificates), the first block alone (First), and every block (Every,
// Revocations).
type Bundle struct {
	// Certificates are those that AppendCertsFromPEM of crypto/x509 takes: from
	// blocks of type CERTIFICATE without headers, passing over what is not. They
	// are in the order of the text; duplicates are kept.
	Certificates []Certificate
	// Blocks are all PEM blocks, in the order of the text.
	Blocks []Block
	// Passed are the blocks that are not in Certificates, in words.
	Passed []string
	// Problem says why there is no First; "" when there is one.
	Problem string
}

// Block is one PEM block, and what its content is, whatever its type says.
type Block struct {
	Type        string
	Certificate *Certificate         // nil when the content is none
	Revocations *x509.RevocationList // likewise
	headers     bool
}

// ParseBundle reads all PEM blocks of a value. It accepts anything: what
// cannot be read is described in Passed and Problem, never an error. A value
// that Redact made gives what the original would have given.
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
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		b.add(newBlock(block))
	}
	if len(b.Blocks) == 0 {
		b.Problem = "is not PEM"
	} else if b.Blocks[0].Certificate == nil {
		b.Problem = b.Blocks[0].what()
	}
	return b
}

func newBlock(block *pem.Block) Block {
	b := Block{Type: block.Type, headers: len(block.Headers) > 0}
	if len(block.Bytes) == 0 {
		b.Type = strings.TrimPrefix(block.Type, redactedPrefix)
	}
	if c, err := x509.ParseCertificate(block.Bytes); err == nil {
		named := NewCertificate(c)
		b.Certificate = &named
	} else if l, err := x509.ParseRevocationList(block.Bytes); err == nil {
		b.Revocations = l
	}
	return b
}

func (b *Bundle) add(block Block) {
	b.Blocks = append(b.Blocks, block)
	if block.Certificate != nil && block.Type == blockCertificate && !block.headers {
		b.Certificates = append(b.Certificates, *block.Certificate)
	} else {
		b.Passed = append(b.Passed, fmt.Sprintf("block %d %s", len(b.Blocks), block.what()))
	}
}

// what completes a sentence about the block.
func (b Block) what() string {
	switch {
	case b.Certificate != nil && b.Type != blockCertificate:
		return "is a certificate under the name of " + clip(b.Type)
	case b.Certificate != nil && b.headers:
		return "is a certificate with PEM headers"
	case b.Certificate != nil:
		return "is a certificate"
	case b.Revocations != nil:
		return "is a revocation list"
	case b.Type == blockCertificate:
		return "is not a certificate that can be parsed"
	case b.Type == blockCRL:
		return "is not a revocation list that can be parsed"
	default:
		return "is of type " + clip(b.Type)
	}
}

// First is the certificate in the first block, whatever the block's type and
// headers: what istiod reads where it needs a single certificate
// (security/pkg/pki/util/crypto.go, ParsePemEncodedCertificate).
func (b Bundle) First() (Certificate, bool) {
	if len(b.Blocks) == 0 || b.Blocks[0].Certificate == nil {
		return Certificate{}, false
	}
	return *b.Blocks[0].Certificate, true
}

// Every returns the certificates of all blocks, whatever their type and headers;
// problem names the first block that holds none.
func (b Bundle) Every() (certs []Certificate, problem string) {
	for i, block := range b.Blocks {
		if block.Certificate == nil {
			return nil, fmt.Sprintf("block %d %s", i+1, block.what())
		}
		certs = append(certs, *block.Certificate)
	}
	return certs, ""
}

// Revocations is Every for revocation lists.
func (b Bundle) Revocations() (lists []*x509.RevocationList, problem string) {
	for i, block := range b.Blocks {
		if block.Revocations == nil {
			return nil, fmt.Sprintf("block %d %s", i+1, block.what())
		}
		lists = append(lists, block.Revocations)
	}
	return lists, ""
}

// Contains reports whether any block holds the certificate.
func (b Bundle) Contains(c Certificate) bool {
	return slices.ContainsFunc(b.Blocks, func(o Block) bool { return o.Certificate != nil && o.Certificate.SHA256 == c.SHA256 })
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
