// Package certs holds the rules about the certificates of Linkerd's proxies: whether linked
// clusters trust one another, and whether each goes on to sign. Two programs verify, by rules of their
// own: proxies (rustls/webpki), to which of a root only the name and the key matter, and
// linkerd-identity (Go's crypto/x509), which verifies its own issuer alone. Everything in it is pure.
package certs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

type pass = rule.Pass[*model.Mesh]

// Options are what the user chose.
type Options struct {
	// ExpiryWarn is how long before its end a certificate is reported.
	ExpiryWarn time.Duration
}

// DefaultExpiryWarn is Options.ExpiryWarn where the user does not choose.
const DefaultExpiryWarn = 30 * 24 * time.Hour

// Rules are those about certificates, in the order in which they run.
func Rules() []*rule.Rule[*model.Mesh] {
	own := []rule.Need{resources.Config, resources.TrustRoots, resources.Issuers}
	linked := append(slices.Clone(own), resources.Links)
	lead := []rule.Need{
		resources.Credentials, resources.Tokens, resources.RootCAs, resources.Accounts, resources.Services, resources.Namespaces, resources.Pods,
	}
	return []*rule.Rule[*model.Mesh]{{
		Reports: []rule.Report{rule.May("CERT103", finding.Error, finding.Note)},
		Needs:   own, Uses: []rule.Need{resources.Pods},
		Run: malformed,
	}, {
		Reports: []rule.Report{rule.May("CERT106", finding.Error)}, Needs: own,
		Run: keys,
	}, {
		Reports: []rule.Report{rule.May("CERT108", finding.Error, finding.Warning, finding.Note)}, Needs: own,
		Run: expiry,
	}, {
		Reports: []rule.Report{rule.May("CERT105", finding.Error)}, Needs: own, After: []finding.Code{"CERT103", "CERT108"},
		Run: ownIssuer,
	}, {
		Reports: []rule.Report{rule.May("CERT107", finding.Note)}, Needs: own,
		Run: algorithms,
	}, {
		Reports: []rule.Report{rule.May("CERT101", finding.Error)}, Needs: linked, Uses: lead, After: []finding.Code{"CERT103"},
		Run: trust,
	}, {
		Reports: []rule.Report{rule.May("CERT102", finding.Note)}, Needs: linked, Uses: lead,
		Run: rotating,
	}, {
		Reports: []rule.Report{rule.May("CERT113", finding.Note)}, Needs: linked, Uses: lead,
		Run: namesakes,
	}, {
		Reports: []rule.Report{rule.May("CERT104", finding.Warning, finding.Note)}, Needs: linked, Uses: lead,
		Run: otherSources,
	}, {
		Reports: []rule.Report{rule.May("CERT109", finding.Error)}, Needs: append(slices.Clone(linked), resources.Pods), Uses: lead,
		Run: oldProxies,
	}, {
		Reports: []rule.Report{rule.May("CERT110", finding.Note)}, Needs: append(slices.Clone(own), resources.Pods),
		Run: oldIdentity,
	}, {
		Reports: []rule.Report{rule.May("CERT111", finding.Error)}, Needs: append(slices.Clone(own), resources.IdentityEvents, resources.Pods),
		After: []finding.Code{"CERT103", "CERT105", "CERT106", "CERT108", "CERT110"},
		Run:   notLoaded,
	}, {
		Reports: []rule.Report{rule.May("CERT112", finding.Error, finding.Note)},
		Needs:   []rule.Need{resources.Config, resources.Links, resources.Credentials, resources.Services}, Uses: lead,
		Run: trustDomains,
	}}
}

// pairs are the pairs of linked clusters of which a rule can check both, each once.
func pairs(p *pass) [][2]*model.Cluster {
	var out [][2]*model.Cluster
	seen := map[[2]string]bool{}
	for _, l := range model.AblePairs(p) {
		a, b := l.Source, l.Target
		if a.Context > b.Context {
			a, b = b, a
		}
		if at := [2]string{a.Context, b.Context}; !seen[at] {
			seen[at] = true
			out = append(out, [2]*model.Cluster{a, b})
		}
	}
	return out
}

func rootsObject(c *model.Cluster) finding.Object {
	return finding.In("configmap", c.Namespace, resources.ConfigMapRoots)
}

func issuerObject(c *model.Cluster) finding.Object {
	return finding.In("secret", c.Namespace, resources.SecretIssuer)
}

// inRoots is the field of evidence about the roots of a cluster.
func inRoots(c *model.Cluster) string {
	return "configmap " + c.Namespace + "/" + resources.ConfigMapRoots + ", " + resources.KeyRoots
}

func inIssuer(c *model.Cluster) string {
	return "secret " + c.Namespace + "/" + resources.SecretIssuer + ", " + c.Issuer.CertificateName
}

// names are certificates as a person compares them.
func names(certs []pki.Certificate) string {
	var out []string
	for _, c := range certs {
		out = append(out, c.Subject()+" ("+pki.Short(c.SHA256)+")")
	}
	if len(out) == 0 {
		return "no certificate"
	}
	return strings.Join(out, ", ")
}

func set(certs []pki.Certificate) []string {
	var out []string
	for _, c := range certs {
		out = append(out, c.SHA256)
	}
	return finding.Distinct(out)
}

// rootOf are the roots of a bundle that have signed an issuer, or what is above it.
func rootOf(i *model.Issuer, roots []pki.Certificate) []pki.Certificate {
	var out []pki.Certificate
	for _, r := range roots {
		if i.Trusted([]pki.Certificate{r}) {
			out = append(out, r)
		}
	}
	return out
}

func date(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func expiryWarn(m *model.Mesh) time.Duration {
	options, _ := model.Given[Options](m)
	return cmp.Or(options.ExpiryWarn, DefaultExpiryWarn)
}

func ending(c pki.Certificate) string {
	return fmt.Sprintf("%s ends %s", c.Subject(), date(c.NotAfter))
}
