package certs

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// The data keys of Secret cacerts and of istio-ca-secret.
const (
	keyCACert         = "ca-cert.pem"
	keyCAKey          = "ca-key.pem"
	keyCertChain      = "cert-chain.pem"
	keyRootCert       = "root-cert.pem"
	keyCACRL          = "ca-crl.pem"
	keyIstioGenerated = "istio-generated"
)

// layout is one of the two ways in which istiod finds a CA in Secret cacerts
// (pilot/pkg/bootstrap/istio_ca.go, detectSigningCABundleAndCRL).
type layout struct {
	name                string
	signing, key, root  string
	chain               []string
	readsRevocationList bool
}

var (
	pemLayout = layout{
		name: "ca-cert.pem", signing: keyCACert, key: keyCAKey, root: keyRootCert,
		chain: []string{keyCertChain}, readsRevocationList: true,
	}
	tlsLayout = layout{
		name: "tls.crt", signing: corev1.TLSCertKey, key: corev1.TLSPrivateKeyKey, root: corev1.ServiceAccountRootCAKey,
		chain: []string{corev1.TLSCertKey, corev1.ServiceAccountRootCAKey},
	}
)

// keys are the data keys that the layout needs, each once.
func (l layout) keys() []string {
	keys := append([]string{l.signing, l.key, l.root}, l.chain...)
	slices.Sort(keys)
	return slices.Compact(keys)
}

// bundle is the CA that a Secret holds.
type bundle struct {
	secret *corev1.Secret
	layout layout
	// both says that keys of the two layouts are present.
	both    bool
	missing []string

	signing pki.Bundle
	chain   pki.Bundle
	root    pki.Bundle
	crl     pki.Bundle
	key     pki.PrivateKey
}

// readBundle reads the CA of Secret cacerts in the layout that istiod would
// choose: the tls layout as soon as tls.crt is there.
func readBundle(s *corev1.Secret) *bundle {
	b := &bundle{secret: s, layout: pemLayout}
	if _, ok := s.Data[tlsLayout.signing]; ok {
		b.layout = tlsLayout
		b.both = slices.ContainsFunc(pemLayout.keys(), b.has)
	}
	for _, k := range b.layout.keys() {
		if !b.has(k) {
			b.missing = append(b.missing, k)
		}
	}
	b.signing = pki.ParseBundle(s.Data[b.layout.signing])
	b.root = pki.ParseBundle(s.Data[b.layout.root])
	b.chain = pki.ParseBundle(b.chainText())
	b.key = pki.ParsePrivateKey(s.Data[b.layout.key])
	if b.layout.readsRevocationList && b.has(keyCACRL) {
		b.crl = pki.ParseBundle(s.Data[keyCACRL])
	}
	return b
}

// contradicts reports whether the layout that istiod passes over holds another
// CA than the one that it takes.
func (b *bundle) contradicts() bool {
	other := pki.ParseBundle(b.secret.Data[keyCACert])
	root := pki.ParseBundle(b.secret.Data[keyRootCert])
	return b.has(keyCACert) && !sameSet(other.Certificates, b.signing.Certificates) ||
		b.has(keyRootCert) && !sameSet(root.Certificates, b.root.Certificates)
}

// readSelfSigned reads the CA of Secret istio-ca-secret, whose signing
// certificate is its root (security/pkg/pki/ca/ca.go, loadSelfSignedCaSecret).
func readSelfSigned(s *corev1.Secret) *bundle {
	b := &bundle{secret: s, layout: pemLayout}
	b.signing = pki.ParseBundle(s.Data[keyCACert])
	b.root = b.signing
	b.key = pki.ParsePrivateKey(s.Data[keyCAKey])
	return b
}

func (b *bundle) has(key string) bool {
	_, ok := b.secret.Data[key]
	return ok
}

// chainText is what istiod presents beside a workload's certificate: its files
// one after the other, whether or not the first ends in a line break.
func (b *bundle) chainText() []byte {
	var out []byte
	for _, k := range b.layout.chain {
		out = append(out, b.secret.Data[k]...)
	}
	return out
}

// signer is the certificate that signs the workloads' certificates: the first
// of its value. ok is false when there is none.
func (b *bundle) signer() (pki.Certificate, bool) { return b.signing.First() }

// issuing are the certificates that sign, and what is presented with them: all
// that istiod looks at, but for the roots.
func (b *bundle) issuing() []pki.Certificate {
	certs := slices.Clone(b.chain.Certificates)
	for _, part := range []pki.Bundle{b.chain, b.signing} {
		if first, ok := part.First(); ok {
			certs = append([]pki.Certificate{first}, certs...)
		}
	}
	return pki.Unique(certs)
}

// chainKeys names the data keys of the chain.
func (b *bundle) chainKeys() string { return strings.Join(b.layout.chain, " + ") }

// at names a key of the bundle's Secret for evidence.
func (b *bundle) at(key string) string { return "secret " + b.secret.Name + ", " + key }

// whereIs names the keys of the Secret that hold a certificate.
func (b *bundle) whereIs(c pki.Certificate) string {
	var keys []string
	for _, part := range []struct {
		key    string
		bundle pki.Bundle
	}{{b.layout.signing, b.signing}, {b.chainKeys(), b.chain}, {b.layout.root, b.root}} {
		if part.bundle.Contains(c) {
			keys = append(keys, part.key)
		}
	}
	slices.Sort(keys)
	return b.at(strings.Join(slices.Compact(keys), ", "))
}
