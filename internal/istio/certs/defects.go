package certs

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// defect is one thing that is wrong with the CA in a Secret.
type defect struct {
	code     finding.Code
	severity finding.Severity
	title    string
	evidence []finding.Evidence
	harm
	// leak: the private key has to be given up.
	leak bool
}

// harm is what a defect does.
type harm struct {
	effect string
	// fatal: istiod refuses to load the bundle, at its start or at run time.
	fatal bool
}

const effectCrash = "istiod refuses this CA: at its next start it exits, and until then it goes on with the one that it has in memory"

// What most defects do.
var (
	harmCrash = harm{effect: effectCrash, fatal: true}
	harmNotCA = harm{fatal: true, effect: "a running istiod takes this CA over, and at its next start it exits; " +
		"the certificates that it gives to workloads do not verify"}
	harmPeers = harm{effect: "istiod accepts this CA, but the certificates that it gives to workloads do not verify: " +
		"mTLS fails, also within the cluster"}
)

// Loads reports whether istiod would load the CA in a Secret cacerts; that a
// certificate has expired is not considered.
func Loads(s *corev1.Secret, now time.Time) bool { return loads(readBundle(s), now) }

// loads reports whether istiod would load the bundle.
func loads(b *bundle, now time.Time) bool {
	out, _ := ownDefects(b, now)
	return !slices.ContainsFunc(out, func(d defect) bool { return d.fatal })
}

// defects says what istiod, or a peer of a workload, would reject of a CA.
// Expiry is a rule of its own. A step that rests on an earlier one is not
// taken when that one failed: one fault gives one defect.
func defects(b *bundle, now time.Time) []defect {
	out, paths := ownDefects(b, now)
	signer, _ := b.signer()
	unread := slices.ContainsFunc(out, func(d defect) bool { return d.code == "CERT030" && !d.leak })
	if len(paths) > 0 && signer.IsCA && !unread {
		if d := presented(b, signer, paths); d != nil {
			out = append(out, *d)
		}
	}
	return out
}

// ownDefects are the defects that do not take a peer to be seen. The paths are those of the
// signing certificate; none where it was not come to them.
func ownDefects(b *bundle, now time.Time) (out []defect, paths []path) {
	if len(b.missing) > 0 {
		return []defect{missingKeys(b)}, nil
	}
	out = unreadable(b)
	signer, ok := b.signer()
	if !ok || len(b.root.Certificates) == 0 {
		return out, nil
	}
	add := func(d *defect) {
		if d != nil {
			out = append(out, *d)
		}
	}
	add(keyMismatch(b, signer))
	paths, broken := signingPaths(b, signer)
	if broken != nil {
		return append(out, *broken), nil
	}
	add(usage(b, signer))
	if !signer.IsCA {
		add(noCA(b, signer))
	}
	return append(out, revocations(b, now)...), paths
}

// missingKeys: checkCABundleCompleteness in pilot/pkg/bootstrap/istio_ca.go.
func missingKeys(b *bundle) defect {
	var present []string
	for _, k := range b.layout.keys() {
		if b.has(k) {
			present = append(present, k)
		}
	}
	return defect{
		code: "CERT005", severity: finding.Error,
		title: fmt.Sprintf("secret %s lacks %s", b.secret.Name, strings.Join(b.missing, ", ")),
		evidence: []finding.Evidence{
			{Field: "missing", Value: strings.Join(b.missing, ", ")},
			{Field: "present", Value: strings.Join(present, ", ")},
		},
		harm: harm{fatal: true, effect: effectCrash + " (before 1.27 it may silently make a self-signed CA instead)"},
	}
}

// unreadable names the values that are not what they should be.
func unreadable(b *bundle) []defect {
	var out []defect
	add := func(key, problem string, h harm) {
		out = append(out, defect{
			code: "CERT030", severity: finding.Error, harm: h,
			title:    fmt.Sprintf("%s in secret %s %s", key, b.secret.Name, problem),
			evidence: []finding.Evidence{{Field: b.at(key), Value: problem}},
		})
	}
	if p := b.signing.Problem; p != "" {
		add(b.layout.signing, p, harmCrash)
	} else if _, ok := b.keyed(); !ok {
		add(b.layout.signing, "has no block of type CERTIFICATE that can be parsed", harmCrash)
	}
	if len(b.root.Certificates) == 0 && b.layout.root != b.layout.signing {
		add(b.layout.root, orElse(b.root.Problem, "holds no certificate"), harmCrash)
	}
	if p := b.key.Problem; p != "" {
		add(b.layout.key, p, harmCrash)
	}
	// An empty chain is right for a CA that is its own root; of any other istiod
	// wants to know when its first certificate ends (security/pkg/pki/ca/ca.go, minTTL).
	said := b.layout.chain[0] == b.layout.signing && b.signing.Problem != ""
	if len(b.chainText()) > 0 && b.chain.Problem != "" && !said {
		add(b.chainKeys(), b.chain.Problem, harm{fatal: true, effect: "at its next start istiod exits; " +
			"one that runs takes it over, and workloads lack the chain that leads to the root"})
	}
	keys := append([]string{b.layout.root}, b.layout.chain...)
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		part := pki.ParseBundle(b.secret.Data[key])
		isKey := func(block pki.Block) bool { return strings.Contains(block.Type, "PRIVATE KEY") }
		if len(part.Certificates) > 0 && slices.ContainsFunc(part.Blocks, isKey) {
			add(key, "holds a private key", harm{effect: "istiod hands this value to every workload, and with it the private key; " +
				"the key has to be given up"})
			out[len(out)-1].leak = true
		}
	}
	return out
}

// keyed is the certificate that istiod holds the private key against: of the
// first block of type CERTIFICATE, with or without headers (crypto/tls,
// X509KeyPair). It is the signer, but for blocks of other types before it.
func (b *bundle) keyed() (pki.Certificate, bool) {
	i := slices.IndexFunc(b.signing.Blocks, func(block pki.Block) bool { return block.Type == "CERTIFICATE" })
	if i < 0 || b.signing.Blocks[i].Certificate == nil {
		return pki.Certificate{}, false
	}
	return *b.signing.Blocks[i].Certificate, true
}

// keyMismatch: tls.X509KeyPair in security/pkg/pki/util/keycertbundle.go, Verify.
// With a key of another certificate in the value, istiod starts, and cannot sign.
func keyMismatch(b *bundle, signer pki.Certificate) *defect {
	keyed, ok := b.keyed()
	if !ok || b.key.Problem != "" || b.key.PublicKeySHA256 == signer.PublicKeySHA256() && b.key.PublicKeySHA256 == keyed.PublicKeySHA256() {
		return nil
	}
	other := signer
	if b.key.PublicKeySHA256 == signer.PublicKeySHA256() {
		other = keyed
	}
	d := &defect{
		code: "CERT007", severity: finding.Error, harm: harmCrash,
		title: fmt.Sprintf("%s in secret %s is not the key of %s", b.layout.key, b.secret.Name, b.layout.signing),
		evidence: []finding.Evidence{
			{Field: b.at(b.layout.signing), Value: "public key sha256 " + pki.Short(other.PublicKeySHA256())},
			{Field: b.at(b.layout.key), Value: "public key sha256 " + pki.Short(b.key.PublicKeySHA256)},
		},
	}
	if b.key.PublicKeySHA256 == keyed.PublicKeySHA256() {
		d.harm = harmPeers
	}
	return d
}

// signingPaths lead from the signing certificate to the roots of the bundle.
func signingPaths(b *bundle, signer pki.Certificate) ([]path, *defect) {
	paths, err := findPaths(signer, b.chain.Certificates, b.root.Certificates, anyUsage)
	if err == nil {
		return paths, nil
	}
	// An issuer that is there and may not sign is a fault of its own.
	for _, issuer := range issuersByName(signer, b.chain.Certificates, b.root.Certificates) {
		if why := maySign(issuer.Certificate); why != "" && signedBy(signer, issuer) {
			return nil, ptr(notAllowed(b, issuer, why, harmCrash))
		}
	}
	for _, c := range append([]pki.Certificate{signer}, b.chain.Certificates...) {
		if hash := c.BrokenSignature(); hash != "" {
			return nil, ptr(brokenSignature(b, c, hash))
		}
	}
	if isConstraint(err) {
		return nil, ptr(notAllowed(b, signer, "a certificate above it does not allow it to be a CA: "+err.Error(), harmCrash))
	}
	return nil, &defect{
		code: "CERT006", severity: finding.Error, harm: harmCrash,
		title: fmt.Sprintf("%s in secret %s does not lead to a root in %s", b.layout.signing, b.secret.Name, b.layout.root),
		evidence: []finding.Evidence{
			{Field: b.at(b.layout.signing), Value: describe(signer)},
			{Field: "its issuer", Value: signer.Issuer()},
			{Field: b.at(b.chainKeys()), Value: holdings(b.chain)},
			{Field: b.at(b.layout.root), Value: holdings(b.root)},
		},
	}
}

// holdings names what istiod finds in a value, and what it ignores.
func holdings(b pki.Bundle) string {
	out := orElse(subjects(b.Certificates), "no certificate")
	if len(b.Passed) > 0 {
		out += "; ignored: " + strings.Join(b.Passed, ", ")
	}
	return out
}

// brokenSignature: crypto/x509, and so istiod, refuses signatures with SHA-1 and older.
func brokenSignature(b *bundle, c pki.Certificate, hash string) defect {
	return defect{
		code: "CERT032", severity: finding.Error, harm: harmCrash,
		title:    fmt.Sprintf("a CA certificate in secret %s is signed with %s, which istiod refuses", b.secret.Name, hash),
		evidence: []finding.Evidence{{Field: b.whereIs(c), Value: describe(c)}, {Field: "signature", Value: c.SignatureAlgorithm.String()}},
	}
}

// signedBy verifies the bare signature, whatever the issuer is allowed to do.
func signedBy(c, issuer pki.Certificate) bool {
	return issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// startPaths are those that istiod itself accepts: it verifies with the default
// of crypto/x509, serverAuth.
func startPaths(b *bundle, signer pki.Certificate) ([]path, error) {
	return findPaths(signer, b.chain.Certificates, b.root.Certificates, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth})
}

// usage: an extended key usage anywhere on the path can rule out serverAuth.
func usage(b *bundle, signer pki.Certificate) *defect {
	limited := func(c pki.Certificate) bool { return len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) > 0 }
	if !limited(signer) && !slices.ContainsFunc(slices.Concat(b.chain.Certificates, b.root.Certificates), limited) {
		return nil // as most: there is nothing to verify once more
	}
	if _, err := startPaths(b, signer); err == nil {
		return nil
	}
	d := &defect{
		code: "CERT009", severity: finding.Error,
		title: fmt.Sprintf("the extended key usage of %s in secret %s rules out server authentication", b.layout.signing, b.secret.Name),
		harm:  harm{fatal: true, effect: effectCrash + "; peers refuse the certificates issued by it"},
	}
	for _, c := range pki.Unique(append([]pki.Certificate{signer}, b.chain.Certificates...)) {
		if limited(c) {
			d.evidence = append(d.evidence, finding.Evidence{Field: "extended key usage of " + c.Subject(), Value: usageNames(c)})
		}
	}
	return d
}

func usageNames(c pki.Certificate) string {
	var out []string
	for _, u := range c.ExtKeyUsage {
		switch u {
		case x509.ExtKeyUsageClientAuth:
			out = append(out, "clientAuth")
		case x509.ExtKeyUsageServerAuth:
			out = append(out, "serverAuth")
		case x509.ExtKeyUsageCodeSigning:
			out = append(out, "codeSigning")
		case x509.ExtKeyUsageEmailProtection:
			out = append(out, "emailProtection")
		case x509.ExtKeyUsageOCSPSigning:
			out = append(out, "OCSPSigning")
		default:
			out = append(out, fmt.Sprintf("number %d of crypto/x509", u))
		}
	}
	for _, u := range c.UnknownExtKeyUsage {
		out = append(out, u.String())
	}
	return strings.Join(out, ", ")
}

// noCA: istiod looks at IsCA by itself when it starts, and not when it reloads
// (security/pkg/pki/ca/ca.go, NewPluggedCertIstioCAOptions).
func noCA(b *bundle, signer pki.Certificate) *defect {
	d := notAllowed(b, signer, orElse(maySign(signer.Certificate), "it has no basic constraints that make it a CA"), harmNotCA)
	return &d
}

func notAllowed(b *bundle, c pki.Certificate, why string, h harm) defect {
	return defect{
		code: "CERT008", severity: finding.Error, harm: h,
		title:    fmt.Sprintf("a CA certificate in secret %s may not sign: %s", b.secret.Name, why),
		evidence: []finding.Evidence{{Field: b.whereIs(c), Value: describe(c)}, {Field: "why", Value: why}},
	}
}

// presented verifies as a peer does, who sees the workload's certificate and
// the chain, and not ca-cert.pem. istiod itself does not notice. paths are those
// of the signing certificate.
func presented(b *bundle, signer pki.Certificate, paths []path) *defect {
	if _, err := workloadPaths(signer, b.chain.Certificates, b.root.Certificates); err == nil {
		return nil
	}
	title := "does not lead on from the signing certificate to a root"
	issuers := slices.DeleteFunc(slices.Concat(b.chain.Certificates, b.root.Certificates), func(c pki.Certificate) bool {
		return !sameAuthority(c, signer)
	})
	if len(issuers) == 0 {
		title = "does not hold the signing certificate"
		issuers = append(issuers, signer)
	}
	if !slices.ContainsFunc(issuers, func(c pki.Certificate) bool { return maySign(c.Certificate) == "" }) {
		return ptr(notAllowed(b, issuers[0], maySign(issuers[0].Certificate), harmPeers))
	}
	if c, ok := paths[0].tooLong(); ok && !slices.ContainsFunc(paths, func(p path) bool { _, long := p.tooLong(); return !long }) {
		return ptr(notAllowed(b, c, fmt.Sprintf("its path length %d allows no CA certificate below it", c.MaxPathLen), harmPeers))
	}
	return &defect{
		code: "CERT011", severity: finding.Error, harm: harmPeers,
		title: fmt.Sprintf("%s in secret %s %s", b.chainKeys(), b.secret.Name, title),
		evidence: []finding.Evidence{
			{Field: b.at(b.layout.signing), Value: describe(signer)},
			{Field: b.at(b.chainKeys()), Value: holdings(b.chain)},
		},
	}
}

func ptr[T any](v T) *T { return &v }

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
