package certs

import (
	"slices"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

type (
	// How the roots of a fleet differ, which is the same for every mesh.

	// Comparison is that of every mesh.
	Comparison = view.Comparison
	// ClusterRoots is that of every mesh.
	ClusterRoots = view.ClusterRoots
	// Root is that of every mesh.
	Root = view.Root
)

// Compare says which roots the workloads of which clusters trust, and who
// trusts whom. Order, duplicates, line ends and comments in the PEM make no difference.
func Compare(fleet *facts.Fleet) Comparison {
	authorities := authoritiesOf(fleet)
	c := Comparison{Roots: []Root{}, Trust: []view.Relation{}}
	for _, a := range authorities {
		roots, source, why := a.roots()
		cr := ClusterRoots{Cluster: a.Context, Source: source, Roots: fingerprints(roots), Unknown: why.Text}
		if !unclear(why) && len(roots) == 0 {
			cr.Missing = "no root certificate: " + a.whyNoRoots().Text
		}
		c.Clusters = append(c.Clusters, cr)
		c.Hold(a.Context, roots)
	}
	for i, row := range relate(authorities) {
		for k, r := range row {
			if i != k {
				c.Trust = append(c.Trust, r.Relation)
			}
		}
	}
	c.Judge()
	return c
}

// whyNoRoots says why a cluster that was reached gives its workloads no root.
func (a *authority) whyNoRoots() finding.Reason {
	switch {
	case a.publishedKnown:
		return finding.Because("configmap istio-ca-root-cert " + orElse(a.published.Problem, "holds none"))
	case a.ca != nil:
		return finding.Because(a.ca.layout.root + " in secret cacerts " + orElse(a.ca.root.Problem, "holds none"))
	case !resources.CACerts.Of(a.Cluster).Known():
		secret := resources.CACerts.Of(a.Cluster)
		return rule.Unread("configmap istio-ca-root-cert does not exist, and secret cacerts", secret.State, secret.Why())
	default:
		return finding.Because("neither configmap istio-ca-root-cert nor a secret with a CA exists in namespace " + a.SystemNamespace)
	}
}

// Row is one CA certificate of one cluster.
type Row struct {
	Cluster string `json:"cluster"`
	// Source is the object and key that it was found in, e.g.
	// "secret/cacerts ca-cert.pem"; several, where it was found in several.
	Sources []string `json:"sources"`
	// Role is root, intermediate or signing; a root that signs is a signing one.
	Role      string    `json:"role"`
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	SHA256    string    `json:"sha256"`
	Key       string    `json:"key"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
	// TrustedIn are the other clusters whose workloads accept it.
	TrustedIn []string `json:"trustedIn"`
}

// Gap is a source that could not be read, and what it might have held.
type Gap struct {
	Cluster string `json:"cluster"`
	Source  string `json:"source"`
	Reason  string `json:"reason"`
}

// Listing is all CA certificates of a fleet.
type Listing struct {
	Certificates []Row `json:"certificates"`
	Gaps         []Gap `json:"gaps"`
}

// List returns one row for every CA certificate of every cluster.
func List(fleet *facts.Fleet) Listing {
	out := Listing{Certificates: []Row{}, Gaps: []Gap{}}
	authorities := authoritiesOf(fleet)
	for _, a := range authorities {
		out.Gaps = append(out.Gaps, a.gaps()...)
		out.Certificates = append(out.Certificates, a.rows(authorities)...)
	}
	return out
}

// Certificates are the CA certificates of all clusters, each once.
func Certificates(fleet *facts.Fleet) view.Certificates {
	var out view.Certificates
	for _, a := range authoritiesOf(fleet) {
		for _, r := range a.rows(nil) {
			out.Merge(view.Certificates{{
				SHA256: r.SHA256, Subject: r.Subject, NotBefore: r.NotBefore, NotAfter: r.NotAfter,
				Roles: []string{r.Role}, Clusters: []string{a.Context},
			}})
		}
	}
	return out
}

// gaps are what could not be read of a cluster.
func (a *authority) gaps() []Gap {
	if a.Unreached != nil {
		return []Gap{{Cluster: a.Context, Source: "the cluster", Reason: a.Unreached.Reason}}
	}
	var out []Gap
	add := func(source string, known bool, why string) {
		if !known {
			out = append(out, Gap{Cluster: a.Context, Source: source, Reason: why})
		}
	}
	add("secret/cacerts", resources.CACerts.Of(a.Cluster).Known(), resources.CACerts.Of(a.Cluster).Why())
	add("secret/istio-ca-secret", resources.CASecret.Of(a.Cluster).Known(), resources.CASecret.Of(a.Cluster).Why())
	add("configmap/istio-ca-root-cert", resources.RootCert.Of(a.Cluster).Known(), resources.RootCert.Of(a.Cluster).Why())
	unreadable := func(source string, b pki.Bundle) {
		add(source, len(b.Certificates) > 0, orElse(b.Problem, strings.Join(b.Passed, ", ")))
	}
	if b := a.ca; b != nil {
		for _, k := range b.missing {
			add("secret/cacerts "+k, false, "the key is missing")
		}
		for _, k := range b.layout.keys() {
			if b.has(k) && k != b.layout.key {
				unreadable("secret/cacerts "+k, pki.ParseBundle(b.secret.Data[k]))
			}
		}
	}
	if a.publishedKnown {
		unreadable("configmap/istio-ca-root-cert", a.published)
	}
	return out
}

// rows are the CA certificates of a cluster, each once.
func (a *authority) rows(authorities []*authority) []Row {
	out := []Row{}
	add := func(source, role string, certs []pki.Certificate) {
		for _, c := range pki.Unique(certs) {
			i := slices.IndexFunc(out, func(r Row) bool { return r.SHA256 == c.SHA256 })
			role := role // of this certificate
			if role == "intermediate" && c.SelfSigned() {
				role = "root"
			}
			if i < 0 {
				i = len(out)
				out = append(out, Row{
					Cluster: a.Context, Role: role, Subject: c.Subject(), Issuer: c.Issuer(), SHA256: c.SHA256, Key: c.Key(),
					NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(), TrustedIn: a.trustedIn(c, authorities),
				})
			}
			if !slices.Contains(out[i].Sources, source) {
				out[i].Sources = append(out[i].Sources, source)
			}
			if role == "root" && out[i].Role == "intermediate" {
				out[i].Role = role
			}
		}
	}
	for _, part := range []struct {
		name string
		b    *bundle
	}{{"cacerts", a.ca}, {"istio-ca-secret", a.self}} {
		if part.b == nil {
			continue
		}
		source := "secret/" + part.name + " "
		if signer, ok := part.b.signer(); ok {
			add(source+part.b.layout.signing, "signing", []pki.Certificate{signer})
		}
		for _, k := range part.b.layout.chain {
			role := "intermediate"
			if k == part.b.layout.root {
				role = "root"
			}
			add(source+k, role, pki.ParseBundle(part.b.secret.Data[k]).Certificates)
		}
		if part.b.has(part.b.layout.root) {
			add(source+part.b.layout.root, "root", pki.ParseBundle(part.b.secret.Data[part.b.layout.root]).Certificates)
		}
	}
	add("configmap/istio-ca-root-cert", "root", a.published.Certificates)
	for _, mesh := range a.meshes {
		for _, anchor := range a.anchorsInEffect(mesh) {
			add("configmap/"+mesh.ConfigMap+" caCertificates", "root", pki.ParseBundle([]byte(anchor.PEM)).Certificates)
		}
	}
	return out
}

// trustedIn are the other clusters in which a chain from c, with what this
// cluster presents beside it, leads to a root.
func (a *authority) trustedIn(c pki.Certificate, authorities []*authority) []string {
	out := []string{}
	var chain []pki.Certificate
	if a.ca != nil {
		chain = a.ca.chain.Certificates
	}
	for _, other := range authorities {
		roots, _, why := other.roots()
		if other == a || unclear(why) || len(roots) == 0 {
			continue
		}
		trusted := holds(roots, c)
		if !trusted {
			_, err := findPaths(c, chain, roots, anyUsage)
			trusted = err == nil
		}
		if trusted {
			out = append(out, other.Context)
		}
	}
	return out
}
