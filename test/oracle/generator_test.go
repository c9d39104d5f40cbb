package oracle

import (
	"crypto/ecdsa"
	"crypto/x509"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
)

// generator makes Secrets cacerts, of which about half are good. The same seed
// gives the same Secrets.
type generator struct {
	*rand.Rand
	steps []string // what was done, for a failure
}

func newGenerator(seed uint64) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, 0))}
}

// chance is true in percent cases of a hundred, and then notes what was done.
func (g *generator) chance(percent int, format string, args ...any) bool {
	if g.IntN(100) >= percent {
		return false
	}
	g.steps = append(g.steps, fmt.Sprintf(format, args...))
	return true
}

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

// secret makes the data of a Secret.
func (g *generator) secret() map[string]string {
	signer := g.authorities()
	data := signer.CACerts()
	data["ca-key.pem"] = encodeKey(signer.Key, g.chance(30, "key in the old format of its algorithm"))
	data["cert-chain.pem"] = g.chain(signer)
	data["root-cert.pem"] = g.roots(signer)
	g.revocations(signer, data)
	if g.chance(20, "tls layout") {
		tls := map[string]string{"tls.crt": data["ca-cert.pem"], "tls.key": data["ca-key.pem"], "ca.crt": data["root-cert.pem"]}
		if g.chance(30, "the whole chain in tls.crt") {
			tls["tls.crt"] = data["cert-chain.pem"]
		}
		if g.chance(20, "both layouts") {
			maps.Copy(tls, data)
		}
		data = tls
	}
	for g.chance(35, "edit") {
		g.edit(data)
	}
	return data
}

// authorities makes a root and up to three intermediates; the last one signs.
func (g *generator) authorities() *istiotest.Authority {
	a := istiotest.Root(g.spec("root", nil))
	for level := range pick(g, 0, 1, 1, 1, 2, 2, 3) {
		a = a.Sub(g.spec(fmt.Sprintf("intermediate %d", level+1), a))
	}
	return a
}

func (g *generator) spec(name string, issuer *istiotest.Authority) istiotest.Spec {
	kind := "P-256"
	if g.IntN(3) == 0 {
		kind = pick(g, keyKinds...)
		g.steps = append(g.steps, name+": "+kind)
	}
	s := istiotest.Spec{Name: name, Key: newKey(kind, g.Int())}
	if n := g.IntN(4); g.chance(20, "%s: path length %d", name, n) {
		s.PathLen = &n
	}
	if g.chance(3, "%s: no CA", name) {
		s.NotCA, s.PathLen = true, nil // crypto/x509 makes none with both
	}
	s.NoCertSign = g.chance(3, "%s: may not sign certificates", name)
	if u := pick(g, x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageAny); g.chance(6, "%s: extended key usage %d", name, u) {
		s.ExtKeyUsage = []x509.ExtKeyUsage{u}
	}
	switch {
	case g.chance(3, "%s: expired", name):
		s.NotBefore, s.NotAfter = ago(60), ago(3)
	case g.chance(2, "%s: not yet valid", name):
		s.NotBefore = ago(-3)
	case g.chance(3, "%s: about to expire", name):
		s.NotAfter = ago(-2)
	}
	signer := s.Key
	if issuer != nil {
		signer = issuer.Key
	}
	if isRSA(signer) {
		s.SHA1 = g.chance(15, "%s: signed with SHA-1", name)
	}
	return s
}

// line are an authority and those above it, up to the root.
func line(a *istiotest.Authority) []*istiotest.Authority {
	var out []*istiotest.Authority
	for ; a != nil; a = a.Issuer {
		out = append(out, a)
	}
	return out
}

// again is another certificate for an authority's name and key.
func (g *generator) again(a *istiotest.Authority) *istiotest.Authority {
	s := g.spec(a.Cert.Subject.CommonName, a.Issuer)
	s.Key = a.Key
	if g.chance(25, "which has expired") {
		s.NotBefore, s.NotAfter = ago(60), ago(3)
	}
	if a.Issuer == nil {
		s.SHA1 = false
		return istiotest.Root(s)
	}
	return a.Issuer.Sub(s)
}

func (g *generator) chain(signer *istiotest.Authority) string {
	certs := line(signer)
	switch {
	case g.chance(15, "no root in the chain"):
		certs = certs[:len(certs)-1]
	case g.chance(4, "no signing certificate in the chain"):
		certs = certs[1:]
	case g.chance(4, "empty chain"):
		certs = nil
	}
	var texts []string
	for _, a := range certs {
		texts = append(texts, a.PEM())
	}
	if g.chance(10, "a renewed certificate in the chain") {
		texts = g.insert(texts, g.again(pick(g, line(signer)...)).PEM())
	}
	if g.chance(5, "a foreign certificate in the chain") {
		texts = g.insert(texts, istiotest.Root(g.spec("foreign", nil)).PEM())
	}
	return strings.Join(texts, "")
}

func (g *generator) roots(signer *istiotest.Authority) string {
	texts := []string{signer.Top().PEM()}
	if g.chance(12, "a renewed root") {
		texts = g.insert(texts, g.again(signer.Top()).PEM())
	}
	if g.chance(12, "a second root") {
		texts = g.insert(texts, istiotest.Root(g.spec("foreign", nil)).PEM())
	}
	if g.chance(5, "the signing certificate among the roots") {
		texts = g.insert(texts, signer.PEM())
	}
	if g.chance(3, "a root of version 1") {
		texts = g.insert(texts, versionOne("old", newKey("P-256", 0).(*ecdsa.PrivateKey)))
	}
	if g.chance(3, "another root instead") {
		texts = []string{istiotest.Root(g.spec("foreign", nil)).PEM()}
	}
	return strings.Join(texts, "")
}

func (g *generator) insert(texts []string, text string) []string {
	return slices.Insert(texts, g.IntN(len(texts)+1), text)
}

// revocations are lists of some or all authorities that may issue any.
func (g *generator) revocations(signer *istiotest.Authority, data map[string]string) {
	if !g.chance(20, "revocation lists") {
		return
	}
	for _, a := range line(signer) {
		if a.Cert.KeyUsage&x509.KeyUsageCRLSign == 0 || len(a.Cert.SubjectKeyId) == 0 || g.chance(8, "not of %s", a.Cert.Subject.CommonName) {
			continue
		}
		next := soon
		if g.chance(5, "out of date") {
			next = istiotest.Now.Add(-time.Minute)
		}
		data["ca-crl.pem"] += a.CRL(next)
	}
}

// turn is a time at which a certificate of a Secret has just ended, or is about
// to begin.
func (g *generator) turn(data map[string]string) time.Time {
	turns := []time.Time{istiotest.Now}
	for _, c := range certificates(data) {
		turns = append(turns, c.NotBefore.Add(-time.Second), c.NotAfter.Add(time.Second))
	}
	return pick(g, turns...)
}
