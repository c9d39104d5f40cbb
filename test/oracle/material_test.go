package oracle

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
)

// keyKinds are the algorithms that a CA's key may have.
var keyKinds = []string{"P-256", "P-384", "P-521", "Ed25519", "RSA"}

// rsaKeys are few and used again: making one takes long.
var rsaKeys = sync.OnceValue(func() []*rsa.PrivateKey {
	var out []*rsa.PrivateKey
	for range 4 {
		out = append(out, must(rsa.GenerateKey(rand.Reader, rsaKeySize)))
	}
	return out
})

// newKey makes a key that can sign; n chooses among the RSA keys.
func newKey(kind string, n int) crypto.Signer {
	switch kind {
	case "P-384":
		return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	case "P-521":
		return must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	case "Ed25519":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return must(key, err)
	case "RSA":
		return rsaKeys()[n%len(rsaKeys())]
	default:
		return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	}
}

// encodeKey writes a private key in the old format of its algorithm, where it has one.
func encodeKey(key crypto.PrivateKey, old bool) string {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if old {
			return block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k))
		}
	case *ecdsa.PrivateKey:
		if old {
			return block("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(k)))
		}
	}
	return block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key)))
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// versionOne is a self-signed certificate of X.509 version 1, which has no
// extensions: what "openssl x509 -req -signkey" makes. crypto/x509 makes none.
func versionOne(name string, key *ecdsa.PrivateKey) string {
	type validity struct{ NotBefore, NotAfter time.Time }
	type tbs struct {
		SerialNumber *big.Int
		Algorithm    pkix.AlgorithmIdentifier
		Issuer       pkix.RDNSequence
		Validity     validity
		Subject      pkix.RDNSequence
		PublicKey    asn1.RawValue
	}
	algorithm := pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}} // ecdsa-with-SHA256
	subject := pkix.Name{CommonName: name}.ToRDNSequence()
	signed := must(asn1.Marshal(tbs{
		big.NewInt(1), algorithm, subject, validity{istiotest.Now.AddDate(0, 0, -1).UTC(), istiotest.Now.AddDate(10, 0, 0).UTC()},
		subject, asn1.RawValue{FullBytes: must(x509.MarshalPKIXPublicKey(key.Public()))},
	}))
	sum := sha256.Sum256(signed)
	signature := must(ecdsa.SignASN1(rand.Reader, key, sum[:]))
	return block("CERTIFICATE", must(asn1.Marshal(struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: signed}, algorithm, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}})))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("making material for a test: %v", err))
	}
	return v
}

// subjectOf names the certificate in a block, "" where there is none.
func subjectOf(b *pem.Block) string {
	c, err := x509.ParseCertificate(b.Bytes)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s, issued by %s, %s to %s", c.Subject, c.Issuer, c.NotBefore.Format(time.DateOnly), c.NotAfter.Format(time.DateOnly))
}
