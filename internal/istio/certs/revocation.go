package certs

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// revocations: with one list, istiod and Envoy want one of every CA in the
// chain. istiod reads every block of the two values, and refuses one that is
// something else (security/pkg/pki/util/keycertbundle.go, Verify).
func revocations(b *bundle, now time.Time) []defect {
	if !b.layout.readsRevocationList || len(b.secret.Data[keyCACRL]) == 0 {
		return nil
	}
	refused := func(title string, evidence ...finding.Evidence) []defect {
		return []defect{{code: "CERT019", severity: finding.Error, title: title, evidence: evidence, harm: harmCrash}}
	}
	authorities, problem := b.chain.Every()
	if problem != "" && b.chain.Problem != "" {
		return nil // it is said that the chain cannot be read
	}
	if problem != "" {
		return refused(fmt.Sprintf("%s in secret %s is refused because %s holds more than certificates", keyCACRL, b.secret.Name, keyCertChain),
			finding.Evidence{Field: b.at(keyCertChain), Value: problem})
	}
	lists, problem := b.crl.Revocations()
	if problem != "" {
		return refused(fmt.Sprintf("%s in secret %s holds something else than revocation lists", keyCACRL, b.secret.Name),
			finding.Evidence{Field: b.at(keyCACRL), Value: problem})
	}
	var out []defect
	if without := unlisted(authorities, lists); len(without) > 0 {
		out = refused(fmt.Sprintf("%s in secret %s lacks the revocation list of %s", keyCACRL, b.secret.Name, finding.List(subjectsOf(without))))
		for _, c := range without {
			out[0].evidence = append(out[0].evidence, finding.Evidence{Field: "no list signed by", Value: describe(c)})
		}
	}
	for _, l := range lists {
		if !l.NextUpdate.IsZero() && now.After(l.NextUpdate) {
			out = append(out, defect{
				code: "CERT019", severity: finding.Error,
				title: fmt.Sprintf("a revocation list in secret %s is out of date", b.secret.Name),
				evidence: []finding.Evidence{
					{Field: b.at(keyCACRL), Value: "issued by " + l.Issuer.String()},
					{Field: "next update", Value: day(l.NextUpdate)},
				},
				harm: harm{effect: "proxies that check the list reject every certificate issued by this CA"},
			})
		}
	}
	return out
}

// unlisted are the authorities that signed none of the lists. istiod goes by the
// subject: of several with one name it asks about the last. One that may not
// sign lists is asked for one all the same.
func unlisted(authorities []pki.Certificate, lists []*x509.RevocationList) []pki.Certificate {
	last := map[string]string{}
	for _, c := range authorities {
		last[c.Subject()] = c.SHA256
	}
	return slices.DeleteFunc(pki.Unique(authorities), func(c pki.Certificate) bool {
		return last[c.Subject()] != c.SHA256 ||
			slices.ContainsFunc(lists, func(l *x509.RevocationList) bool { return l.CheckSignatureFrom(c.Certificate) == nil })
	})
}
