package pki

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"strings"
)

// PrivateKey is all that is kept of a private key.
type PrivateKey struct {
	// PublicKeySHA256 is the fingerprint of the public half
	// (SubjectPublicKeyInfo), lower-case hex; "" when the key cannot be used.
	PublicKeySHA256 string
	// Problem says why istiod could not use the key; "" when it can.
	Problem string
}

// Headers of a redacted block.
const (
	headerPublicKey = "Public-Key-SHA256"
	headerProblem   = "Problem"
)

// ParsePrivateKey reads a PEM value as istiod reads ca-key.pem: the first
// block, of one of three types (security/pkg/pki/util/crypto.go,
// ParsePemEncodedKey). A value that Redact made gives what the original would have given.
func ParsePrivateKey(text []byte) PrivateKey {
	if len(bytes.TrimSpace(text)) == 0 {
		return PrivateKey{Problem: "is empty"}
	}
	if len(text) > MaxBundle {
		return PrivateKey{Problem: "is larger than a cluster stores"}
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return PrivateKey{Problem: "is not PEM"}
	}
	return privateKey(block)
}

func privateKey(block *pem.Block) PrivateKey {
	if strings.HasPrefix(block.Type, redactedPrefix) && len(block.Bytes) == 0 {
		if sum := block.Headers[headerPublicKey]; sum != "" {
			return PrivateKey{PublicKeySHA256: sum}
		}
		if problem := block.Headers[headerProblem]; problem != "" {
			return PrivateKey{Problem: problem}
		}
		return PrivateKey{Problem: "is of type " + clip(strings.TrimPrefix(block.Type, redactedPrefix)) + ", not a private key"}
	}
	var key any
	var err error
	switch block.Type {
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		return PrivateKey{Problem: "is encrypted, which istiod cannot read"}
	default:
		return PrivateKey{Problem: "is of type " + clip(block.Type) + ", not a private key"}
	}
	if err != nil {
		return PrivateKey{Problem: "does not parse as " + block.Type}
	}
	public, ok := key.(interface{ Public() crypto.PublicKey })
	if !ok {
		return PrivateKey{Problem: "is of a kind that cannot sign"}
	}
	der, err := x509.MarshalPKIXPublicKey(public.Public())
	if err != nil {
		return PrivateKey{Problem: "is of a kind that cannot sign"}
	}
	return PrivateKey{PublicKeySHA256: sha256Hex(der)}
}
