package certs

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// Envoy verifies with BoringSSL, which settles on an issuer by its name and key identifier,
// and does not look for another one when the signature turns out not to be its
// (crypto/x509/x509_vfy.cc, x509_verify_cert; x509_lu.cc, X509_STORE_CTX_get1_issuer).
// crypto/x509, by which istiod goes, tries all.

// confusion is where Envoy takes a certificate for the issuer that is not, and refuses what
// crypto/x509 accepts.
type confusion struct {
	// taken is the root that Envoy settles on, and right the one that it should.
	taken, right pki.Certificate
}

// confused reports whether Envoys with these roots refuse the certificates that signer gives
// to workloads, which come with the chain, because they take the wrong root for an issuer.
// The order of roots is that of the text.
func confused(signer pki.Certificate, chain, roots []pki.Certificate) (confusion, bool) {
	store := newStore(roots)
	below := child{issuer: signer.RawSubject, key: signer.SubjectKeyId, is: func(c pki.Certificate) bool { return sameAuthority(c, signer) }}
	for range len(chain) + len(roots) + 1 {
		issuer, ok := store.issuerOf(below)
		trusted := ok
		if !ok {
			if issuer, ok = firstIssuer(below, chain); !ok {
				return confusion{}, false // that there is none, crypto/x509 says as well
			}
		}
		if !below.is(issuer) {
			right := slices.IndexFunc(roots, below.is)
			if !trusted || right < 0 {
				return confusion{}, false
			}
			return confusion{issuer, roots[right]}, true
		}
		if trusted {
			return confusion{}, false
		}
		below = childOf(issuer)
	}
	return confusion{}, false
}

// child is a certificate whose issuer is looked for.
type child struct {
	issuer []byte // its name
	key    []byte // the authority key identifier; nil for none
	is     func(pki.Certificate) bool
}

func childOf(c pki.Certificate) child {
	return child{c.RawIssuer, c.AuthorityKeyId, func(issuer pki.Certificate) bool { return signedBy(c, issuer) }}
}

// mayBe mirrors X509_check_issued: the name, the key identifier where both have one, and
// the right to sign.
func (c child) mayBe(issuer pki.Certificate) bool {
	return bytes.Equal(issuer.RawSubject, c.issuer) && maySign(issuer.Certificate) == "" &&
		(len(c.key) == 0 || len(issuer.SubjectKeyId) == 0 || bytes.Equal(c.key, issuer.SubjectKeyId))
}

func firstIssuer(c child, among []pki.Certificate) (pki.Certificate, bool) {
	i := slices.IndexFunc(among, c.mayBe)
	if i < 0 {
		return pki.Certificate{}, false
	}
	return among[i], true
}

// store holds roots in the order in which BoringSSL has them.
type store []pki.Certificate

// newStore adds roots one after the other. Each time the others are sorted by name, with a
// sort that does not keep the order of equal ones (crypto/stack/stack.cc, OPENSSL_sk_sort).
func newStore(roots []pki.Certificate) store {
	var s store
	for _, r := range pki.Unique(roots) {
		s.sort()
		s = append(s, r)
	}
	s.sort()
	return s
}

// issuerOf is the certificate that BoringSSL settles on.
func (s store) issuerOf(c child) (pki.Certificate, bool) { return firstIssuer(c, s) }

// sort is a heap sort by name.
func (s store) sort() {
	for i := len(s)/2 - 1; i >= 0; i-- {
		s.sink(i, len(s))
	}
	for i := len(s) - 1; i > 0; i-- {
		s[0], s[i] = s[i], s[0]
		s.sink(0, i)
	}
}

// sink moves an element of a heap of n down to where it belongs.
func (s store) sink(i, n int) {
	for {
		largest := i
		for _, below := range []int{2*i + 1, 2*i + 2} {
			if below < n && compareNames(s[largest], s[below]) < 0 {
				largest = below
			}
		}
		if largest == i {
			return
		}
		s[i], s[largest] = s[largest], s[i]
		i = largest
	}
}

// compareNames mirrors X509_NAME_cmp: the shorter name comes first, letters of both cases
// are the same.
func compareNames(a, b pki.Certificate) int {
	x, y := bytes.ToLower(a.RawSubject), bytes.ToLower(b.RawSubject)
	return cmp.Or(cmp.Compare(len(x), len(y)), bytes.Compare(x, y))
}
