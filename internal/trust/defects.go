package trust

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
	effect   string
	// fatal: istiod refuses to load the bundle, at its start or at run time.
	fatal bool
	// leak: the private key has to be given up.
	leak bool
}

const (
	effectCrash = "istiod refuses this CA: at its next start it exits, and until then it goes on with the one that it has in memory"
	effectNotCA = "a running istiod takes this CA over, and at its next start it exits; the certificates that it gives to workloads do not verify"
	effectPeers = "istiod accepts this CA, but the certificates that it gives to workloads do not verify: mTLS fails, also within the cluster"
)

// Loads reports whether istiod would load the CA in a Secret cacerts; that a
// certificate has expired is not considered.
func Loads(s *corev1.Secret, now time.Time) bool { return loads(readBundle(s), now) }

// loads reports whether istiod would load the bundle.
func loads(b *bundle, now time.Time) bool {
	return !slices.ContainsFunc(defects(b, now), func(d defect) bool { return d.fatal })
}

// defects says what istiod, or a peer of a workload, would reject of a CA.
// Expiry is a rule of its own. A step that rests on an earlier one is not
// taken when that one failed: one fault gives one defect.
func defects(b *bundle, now time.Time) []defect {
	if len(b.missing) > 0 {
		return []defect{missingKeys(b)}
	}
	out := unreadable(b)
	signer, ok := b.signer()
	if !ok || len(b.root.Certificates) == 0 {
		return out
	}
	if b.key.Problem == "" && b.key.PublicKeySHA256 != signer.PublicKeySHA256() {
		out = append(out, keyMismatch(b, signer))
	}
	path, pathDefect := signingPath(b, signer)
	if pathDefect != nil {
		return append(out, *pathDefect)
	}
	if d := usage(b, signer); d != nil {
		out = append(out, *d)
	}
	if d := mayNotSign(b, signer, path); d != nil {
		return append(out, *d)
	}
	if d := presented(b, signer); d != nil && !slices.ContainsFunc(out, func(o defect) bool { return o.code == "CERT030" && !o.leak }) {
		out = append(out, *d)
	}
	return append(out, revocations(b, now)...)
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
		code: "CERT005", severity: finding.Error, fatal: true,
		title: fmt.Sprintf("secret %s lacks %s", b.secret.Name, strings.Join(b.missing, ", ")),
		evidence: []finding.Evidence{
			{Field: "missing", Value: strings.Join(b.missing, ", ")},
			{Field: "present", Value: strings.Join(present, ", ")},
		},
		effect: effectCrash + " (before 1.27 it may make a self-signed CA without a word instead)",
	}
}

// unreadable names the values that are not what they should be.
func unreadable(b *bundle) []defect {
	var out []defect
	add := func(key, problem, effect string, fatal bool) {
		out = append(out, defect{
			code: "CERT030", severity: finding.Error, fatal: fatal,
			title:    fmt.Sprintf("%s in secret %s %s", key, b.secret.Name, problem),
			evidence: []finding.Evidence{{Field: b.at(key), Value: problem}},
			effect:   effect,
		})
	}
	if p := b.signing.Problem; p != "" {
		add(b.layout.signing, p, effectCrash, true)
	}
	if len(b.root.Certificates) == 0 && b.layout.root != b.layout.signing {
		add(b.layout.root, orElse(b.root.Problem, "holds no certificate"), effectCrash, true)
	}
	if p := b.key.Problem; p != "" {
		add(b.layout.key, p, effectCrash, true)
	}
	// An empty chain is right for a CA that is its own root; of any other istiod
	// wants to know when its first certificate ends (security/pkg/pki/ca/ca.go, minTTL).
	if b.layout.name == pemLayout.name && b.chain.Problem != "" && len(b.secret.Data[keyCertChain]) > 0 {
		add(keyCertChain, b.chain.Problem, "at its next start istiod exits; one that runs takes it over, and workloads lack the chain that leads to the root", true)
	}
	for _, part := range []struct {
		key    string
		bundle pki.Bundle
	}{{b.layout.root, b.root}, {b.layout.chain[0], b.chain}} {
		if slices.ContainsFunc(part.bundle.Passed, func(s string) bool { return strings.Contains(s, "PRIVATE KEY") }) && len(part.bundle.Certificates) > 0 {
			add(part.key, "holds a private key", "istiod hands this value to every workload, and with it the private key; the key has to be given up", false)
			out[len(out)-1].leak = true
		}
	}
	return out
}

// keyMismatch: tls.X509KeyPair in security/pkg/pki/util/keycertbundle.go, Verify.
func keyMismatch(b *bundle, signer pki.Certificate) defect {
	return defect{
		code: "CERT007", severity: finding.Error, fatal: true,
		title: fmt.Sprintf("%s in secret %s is not the key of %s", b.layout.key, b.secret.Name, b.layout.signing),
		evidence: []finding.Evidence{
			{Field: b.at(b.layout.signing), Value: "public key sha256 " + pki.Short(signer.PublicKeySHA256())},
			{Field: b.at(b.layout.key), Value: "public key sha256 " + pki.Short(b.key.PublicKeySHA256)},
		},
		effect: effectCrash,
	}
}

// signingPath leads from the signing certificate to a root of the bundle.
func signingPath(b *bundle, signer pki.Certificate) ([]pki.Certificate, *defect) {
	path, err := findPath(signer, b.chain.Certificates, b.root.Certificates, anyUsage)
	if err == nil {
		return path, nil
	}
	// An issuer that is there and may not sign is a fault of its own.
	for _, issuer := range issuersByName(signer, b.chain.Certificates, b.root.Certificates) {
		if why := maySign(issuer.Certificate); why != "" && signedBy(signer, issuer) {
			return nil, ptr(notAllowed(b, issuer, why, true))
		}
	}
	for _, c := range append([]pki.Certificate{signer}, b.chain.Certificates...) {
		if hash := c.BrokenSignature(); hash != "" {
			return nil, ptr(brokenSignature(b, c, hash))
		}
	}
	if isConstraint(err) {
		return nil, ptr(notAllowed(b, signer, "a certificate above it does not allow it to be a CA: "+err.Error(), true))
	}
	return nil, &defect{
		code: "CERT006", severity: finding.Error, fatal: true,
		title: fmt.Sprintf("%s in secret %s does not lead to a root in %s", b.layout.signing, b.secret.Name, b.layout.root),
		evidence: []finding.Evidence{
			{Field: b.at(b.layout.signing), Value: describe(signer)},
			{Field: "its issuer", Value: signer.Issuer()},
			{Field: b.at(strings.Join(b.layout.chain, " + ")), Value: orElse(subjects(b.chain.Certificates), "no certificate")},
			{Field: b.at(b.layout.root), Value: subjects(b.root.Certificates)},
		},
		effect: effectCrash,
	}
}

// brokenSignature: crypto/x509, and so istiod, refuses signatures with SHA-1 and older.
func brokenSignature(b *bundle, c pki.Certificate, hash string) defect {
	return defect{
		code: "CERT032", severity: finding.Error, fatal: true,
		title:    fmt.Sprintf("a CA certificate in secret %s is signed with %s, which istiod refuses", b.secret.Name, hash),
		evidence: []finding.Evidence{{Field: b.whereIs(c), Value: describe(c)}, {Field: "signature", Value: c.SignatureAlgorithm.String()}},
		effect:   effectCrash,
	}
}

// signedBy verifies the bare signature, whatever the issuer is allowed to do.
func signedBy(c, issuer pki.Certificate) bool {
	return issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// usage: istiod verifies with Go's default, serverAuth, which an extended key
// usage anywhere on the path can rule out.
func usage(b *bundle, signer pki.Certificate) *defect {
	_, err := findPath(signer, b.chain.Certificates, b.root.Certificates, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth})
	if err == nil {
		return nil
	}
	d := &defect{
		code: "CERT009", severity: finding.Error, fatal: true,
		title:  fmt.Sprintf("the extended key usage of %s in secret %s rules out server authentication", b.layout.signing, b.secret.Name),
		effect: effectCrash + "; peers refuse the certificates beneath it",
	}
	for _, c := range pki.Unique(append([]pki.Certificate{signer}, b.chain.Certificates...)) {
		if len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) > 0 {
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

// mayNotSign looks at what the signing certificate's own certificates, the
// workloads', need of it and of those above it. Only IsCA is istiod's own
// check (security/pkg/pki/ca/ca.go, NewPluggedCertIstioCAOptions).
func mayNotSign(b *bundle, signer pki.Certificate, path []pki.Certificate) *defect {
	if why := maySign(signer.Certificate); why != "" {
		d := notAllowed(b, signer, why, false)
		if !signer.IsCA {
			d.fatal, d.effect = true, effectNotCA
		}
		return &d
	}
	if c, ok := tooLong(path); ok {
		return ptr(notAllowed(b, c, fmt.Sprintf("its path length %d leaves no room for the CA certificates beneath it", c.MaxPathLen), false))
	}
	return nil
}

func notAllowed(b *bundle, c pki.Certificate, why string, fatal bool) defect {
	effect := effectPeers
	if fatal {
		effect = effectCrash
	}
	return defect{
		code: "CERT008", severity: finding.Error, fatal: fatal,
		title:    fmt.Sprintf("a CA certificate in secret %s is not allowed to sign: %s", b.secret.Name, why),
		evidence: []finding.Evidence{{Field: b.whereIs(c), Value: describe(c)}, {Field: "why", Value: why}},
		effect:   effect,
	}
}

// presented verifies as a peer does, who sees the workload's certificate and
// cert-chain.pem, and not ca-cert.pem (security/pkg/server/ca/server.go,
// CreateCertificate). istiod itself does not notice.
func presented(b *bundle, signer pki.Certificate) *defect {
	if slices.ContainsFunc(b.root.Certificates, func(r pki.Certificate) bool { return sameAuthority(r, signer) }) {
		return nil
	}
	for _, c := range b.chain.Certificates {
		if !sameAuthority(c, signer) {
			continue
		}
		if _, err := findPath(c, b.chain.Certificates, b.root.Certificates, anyUsage); err == nil {
			return nil
		}
	}
	return &defect{
		code: "CERT011", severity: finding.Error,
		title: fmt.Sprintf("%s in secret %s does not hold the signing certificate", keyCertChain, b.secret.Name),
		evidence: []finding.Evidence{
			{Field: b.at(b.layout.signing), Value: describe(signer)},
			{Field: b.at(keyCertChain), Value: orElse(subjects(b.chain.Certificates), "no certificate")},
		},
		effect: effectPeers,
	}
}

// revocations: with one list, istiod and Envoy want one of every CA in the
// chain (security/pkg/pki/util/keycertbundle.go, Verify).
func revocations(b *bundle, now time.Time) []defect {
	if !b.layout.readsRevocationList || !b.has(keyCACRL) || len(b.secret.Data[keyCACRL]) == 0 {
		return nil
	}
	d := defect{code: "CERT019", severity: finding.Error, fatal: true, effect: effectCrash}
	if len(b.crl.Revocations) == 0 {
		d.title = fmt.Sprintf("%s in secret %s holds no revocation list", keyCACRL, b.secret.Name)
		d.evidence = []finding.Evidence{{Field: b.at(keyCACRL), Value: orElse(b.crl.Problem, "no revocation list")}}
		return []defect{d}
	}
	var without []string
	// istiod goes by the subject: of several with one name it asks about the last.
	bySubject := map[string]string{}
	for _, c := range b.chain.Certificates {
		bySubject[c.Subject()] = c.SHA256
	}
	for _, c := range pki.Unique(b.chain.Certificates) {
		if bySubject[c.Subject()] != c.SHA256 {
			continue
		}
		signs := func(l *x509.RevocationList) bool { return l.CheckSignatureFrom(c.Certificate) == nil }
		if !slices.ContainsFunc(b.crl.Revocations, signs) {
			without = append(without, c.Subject())
			d.evidence = append(d.evidence, finding.Evidence{Field: "no list signed by", Value: describe(c)})
		}
	}
	var out []defect
	if len(without) > 0 {
		d.title = fmt.Sprintf("%s in secret %s lacks the revocation list of %s", keyCACRL, b.secret.Name, list(without))
		out = append(out, d)
	}
	for _, l := range b.crl.Revocations {
		if !l.NextUpdate.IsZero() && now.After(l.NextUpdate) {
			out = append(out, defect{
				code: "CERT019", severity: finding.Error,
				title: fmt.Sprintf("a revocation list in secret %s is out of date", b.secret.Name),
				evidence: []finding.Evidence{
					{Field: b.at(keyCACRL), Value: "issued by " + l.Issuer.String()},
					{Field: "next update", Value: day(l.NextUpdate)},
				},
				effect: "proxies that check the list reject every certificate beneath this CA",
			})
		}
	}
	return out
}

// at names a key of the bundle's Secret for evidence.
func (b *bundle) at(key string) string { return "secret " + b.secret.Name + ", " + key }

// whereIs names the keys of the Secret that hold a certificate.
func (b *bundle) whereIs(c pki.Certificate) string {
	var keys []string
	for _, part := range []struct {
		key   string
		certs []pki.Certificate
	}{{b.layout.signing, b.signing.Certificates}, {strings.Join(b.layout.chain, " + "), b.chain.Certificates}, {b.layout.root, b.root.Certificates}} {
		if slices.ContainsFunc(part.certs, func(o pki.Certificate) bool { return o.SHA256 == c.SHA256 }) {
			keys = append(keys, part.key)
		}
	}
	slices.Sort(keys)
	return b.at(strings.Join(slices.Compact(keys), ", "))
}

func ptr[T any](v T) *T { return &v }

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
