package certs

import (
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// confusing are the clusters whose certificates the Envoys of a cluster refuse though they
// trust their root, by index, each with what is taken for its issuer. The cluster itself can be
// among them.
func (t *trust) confusing(from int) map[int]confusion {
	roots, _, why := t.authorities[from].roots()
	if unclear(why) {
		return nil
	}
	out := map[int]confusion{}
	for to, other := range t.authorities {
		if c, ok := confusedBy(roots, other); ok {
			out[to] = c
		}
	}
	return out
}

// namesakes: two roots of one name stand in one bundle, and nothing in the certificates
// beneath tells them apart, so that Envoy takes the one for the other.
func namesakes(p *pass) {
	t := trustOf(p.Model)
	var seen []confusion
	for from := range t.authorities {
		for to := range t.authorities {
			c, ok := t.confusing(from)[to]
			if ok && !slices.ContainsFunc(seen, c.same) {
				seen = append(seen, c)
				p.Report(t.namesake(c))
			}
		}
	}
}

// same reports whether the same roots are confused.
func (c confusion) same(o confusion) bool {
	return c.taken.SHA256 == o.taken.SHA256 && c.right.SHA256 == o.right.SHA256
}

// namesake is the finding about two roots that Envoy confuses.
func (t *trust) namesake(c confusion) finding.Finding {
	var refused, refusing []int
	for from := range t.authorities {
		for to, o := range t.confusing(from) {
			if o.same(c) {
				refused, refusing = append(refused, to), append(refusing, from)
			}
		}
	}
	for _, s := range []*[]int{&refused, &refusing} {
		slices.Sort(*s)
		*s = slices.Compact(*s)
	}
	involved := slices.Clone(refused)
	for _, i := range refusing {
		if !slices.Contains(involved, i) {
			involved = append(involved, i)
		}
	}
	f := finding.Finding{
		Code: "CERT035", Severity: finding.Error, Clusters: names(t.authorities, involved),
		Object: finding.Named("root", pki.Short(c.right.SHA256)),
		Title:  fmt.Sprintf("Envoy takes another root of the same name for the one of %s", finding.List(names(t.authorities, refused))),
		Effect: fmt.Sprintf("certificates of %s are refused in %s, although the root is there: mTLS fails",
			finding.List(names(t.authorities, refused)), finding.List(names(t.authorities, refusing))),
		Evidence: []finding.Evidence{
			{Field: "the root", Value: describe(c.right)},
			{Field: "Envoy takes", Value: describe(c.taken)},
		},
	}
	for _, i := range refused {
		if signer, ok := signerOf(t.authorities[i]); ok {
			f.Evidence = append(f.Evidence, finding.Evidence{
				Cluster: t.authorities[i].Context, Field: "signing certificate", Value: describe(signer) + identified(signer),
			})
		}
	}
	for _, i := range refusing {
		roots, source, _ := t.authorities[i].roots()
		f.Evidence = append(f.Evidence, finding.Evidence{
			Cluster: t.authorities[i].Context, Field: "roots, " + source, Value: describeAll(roots),
		})
	}
	f.Fix = t.tellApart(refused)
	return f
}

// identified says whether a certificate says by which key it was signed.
func identified(c pki.Certificate) string {
	if len(c.AuthorityKeyId) == 0 {
		return ", without an authority key identifier"
	}
	return ", with an authority key identifier"
}

// tellApart are the steps that give clusters signing certificates of which Envoy finds the
// issuer: those of the same root, with its key identifier. The roots stay as they are, so that istiod
// takes them while it runs, and nothing is interrupted.
func (t *trust) tellApart(refused []int) []finding.Step {
	out := []finding.Step{finding.Say("Sign the signing certificate of %s again with the root that it has, now with the key identifier "+
		"of that root: in openssl, authorityKeyIdentifier=keyid:always, and a root with subjectKeyIdentifier=hash. "+
		"Then Envoy can distinguish the roots. Keep root-cert.pem as it is.", finding.List(names(t.authorities, refused)))}
	for _, i := range refused {
		a := t.authorities[i]
		out = append(out, replacing(finding.Say("Put the files with the new signing certificate into the current directory. "+
			"Then replace the CA of %s, which istiod loads while it runs:", a.Context), "that signing certificate", a)...)
	}
	return append(out, finding.Say("Then restart the workloads and gateways of %s.", finding.List(names(t.authorities, refused))))
}

// wouldConfuse reports whether Envoys that trust the roots of all these clusters would take
// one for another.
func wouldConfuse(all []*authority) bool {
	var union []pki.Certificate
	for _, a := range all {
		union = append(union, a.trusted()...)
	}
	union = pki.Unique(union)
	backwards := slices.Clone(union)
	slices.Reverse(backwards)
	return slices.ContainsFunc(all, func(a *authority) bool {
		signer, ok := signerOf(a)
		if !ok {
			return false
		}
		_, one := confused(signer, a.current().chain.Certificates, union)
		_, other := confused(signer, a.current().chain.Certificates, backwards)
		return one || other
	})
}

// apart are the steps for clusters whose roots must not be trusted side by side as they are.
func (t *trust) apart(all []*authority) []finding.Step {
	out := []finding.Step{finding.Say("Do not put these roots into one root-cert.pem yet: they have one name, and the signing " +
		"certificates do not say which of them signed. Envoy would refuse one of the CAs, also within its own cluster.")}
	for _, a := range all {
		if signer, ok := signerOf(a); !ok || len(signer.AuthorityKeyId) > 0 {
			continue
		}
		out = append(out, replacing(finding.Say("Sign the signing certificate of %s again with the root that it has, in openssl with "+
			"authorityKeyIdentifier=keyid:always. Put the files into the current directory. Then replace its CA, "+
			"which istiod loads while it runs:", a.Context), "that signing certificate", a)...)
	}
	return append(out, finding.Say("Then restart the workloads and gateways, and verify again: from then on both roots can be trusted "+
		"everywhere. Or give every cluster an intermediate of one root (\"explain CERT001\"):").By(remedy.VerifyCertificates(contexts(all))))
}
