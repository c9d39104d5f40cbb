package istiotest

import (
	"crypto/x509"
	"maps"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// Case is a fleet and what has to be found in it.
type Case struct {
	Name string
	// Fleet makes it, anew for each test.
	Fleet func() *Fleet
	// Want are the findings, as "CODE severity clusters", consequences with the
	// code of their cause: "CERT002 error east,west < CERT001".
	Want []string
}

// change is a healthy fleet of two, east and west, with something done to it.
func change(do func(f *Fleet, east, west *Cluster)) func() *Fleet {
	return func() *Fleet {
		f := Healthy("east", "west")
		do(f, f.Clusters[0], f.Clusters[1])
		return f
	}
}

// bundle changes the data of west's Secret cacerts, and nothing else.
func bundle(do func(data map[string]string)) func() *Fleet {
	return change(func(_ *Fleet, _, west *Cluster) { do(west.CACerts) })
}

// Authority puts everything that belongs to a new intermediate of one's own making
// into west, under the root that both clusters share.
func intermediate(s Spec) func() *Fleet {
	return change(func(_ *Fleet, east, west *Cluster) {
		root := Root(Spec{})
		east.Plug(root.Sub(Spec{}))
		west.Plug(root.Sub(s))
	})
}

func ptr[T any](v T) *T { return &v }

const day = 24 * time.Hour

// twoRoots gives each cluster a root of its own to sign under, and both the roots of both.
func twoRoots(image string, east, west *Cluster) {
	a, b := Root(Spec{Name: "Root A"}), Root(Spec{Name: "Root B"})
	east.Plug(a.Sub(Spec{Name: "Intermediate CA east"}))
	west.Plug(b.Sub(Spec{Name: "Intermediate CA west"}))
	for _, c := range []*Cluster{east, west} {
		c.Image, c.Published = image, a.PEM()+b.PEM()
		c.CACerts["root-cert.pem"] = c.Published
	}
}

// HealthyCases are fleets in which nothing is to be found.
var HealthyCases = []Case{
	{Name: "two roots in a release that hands out both", Fleet: change(func(_ *Fleet, east, west *Cluster) { twoRoots("1.25.2", east, west) })},
	{Name: "one root and an intermediate for each cluster", Fleet: func() *Fleet { return Healthy("east", "west") }},
	{Name: "three clusters", Fleet: func() *Fleet { return Healthy("east", "north", "west") }},
	{Name: "one cluster with a self-signed CA", Fleet: func() *Fleet {
		f := Healthy("east")
		f.Clusters[0].SelfSign()
		return f
	}},
	{Name: "one cluster whose cacerts istiod generated", Fleet: func() *Fleet {
		f := Healthy("east")
		f.Clusters[0].generate()
		return f
	}},
	{Name: "the tls layout", Fleet: change(func(_ *Fleet, east, west *Cluster) {
		root := Root(Spec{})
		east.PlugTLS(root.Sub(Spec{}))
		west.Plug(root.Sub(Spec{}))
	})},
	{Name: "the root itself signs, and the chain is empty", Fleet: change(func(_ *Fleet, east, west *Cluster) {
		root := Root(Spec{})
		for _, c := range []*Cluster{east, west} {
			c.Plug(root)
			c.CACerts["cert-chain.pem"] = ""
		}
	})},
	{Name: "two intermediates above one another", Fleet: change(func(_ *Fleet, east, west *Cluster) {
		root := Root(Spec{PathLen: ptr(2)})
		upper := root.Sub(Spec{PathLen: ptr(1)})
		east.Plug(upper.Sub(Spec{PathLen: ptr(0)}))
		west.Plug(upper.Sub(Spec{PathLen: ptr(0)}))
	})},
	{Name: "RSA keys", Fleet: change(func(_ *Fleet, east, west *Cluster) {
		root := Root(Spec{RSABits: 2048})
		east.Plug(root.Sub(Spec{RSABits: 2048}))
		west.Plug(root.Sub(Spec{RSABits: 2048}))
	})},
	{Name: "both roots trusted everywhere, in another order and more than once", Fleet: change(func(_ *Fleet, east, west *Cluster) {
		a, b := Root(Spec{}), Root(Spec{})
		for c, signer := range map[*Cluster]*Authority{east: a, west: b} {
			c.Plug(signer.Sub(Spec{}))
			c.CACerts["root-cert.pem"] = a.PEM() + b.PEM()
			c.Published = a.PEM() + b.PEM()
		}
	})},
	{Name: "a root renewed with the same key", Fleet: change(func(_ *Fleet, east, west *Cluster) {
		old := Root(Spec{Name: "Root", NotAfter: Now.AddDate(1, 0, 0)})
		renewed := Root(Spec{Name: "Root", Key: old.Key})
		both := old.PEM() + renewed.PEM()
		for _, c := range []*Cluster{east, west} {
			c.Plug(renewed.Sub(Spec{}))
			c.CACerts["root-cert.pem"], c.Published = both, both
		}
	})},
	{Name: "a primary and a remote cluster", Fleet: change(func(_ *Fleet, east, west *Cluster) { west.NoControlPlane(east) })},
	{Name: "an unused secret cacerts in a remote cluster", Fleet: change(func(_ *Fleet, east, west *Cluster) {
		west.NoControlPlane(east)
		west.CACerts = Root(Spec{}).Sub(Spec{}).CACerts()
		delete(west.CACerts, "ca-key.pem")
	})},
	{Name: "one external CA for both", Fleet: change(func(_ *Fleet, east, west *Cluster) {
		for _, c := range []*Cluster{east, west} {
			c.CACerts, c.Env[istio.EnvEnableCAServer] = nil, "false"
		}
	})},
	{Name: "a leftover cacerts beside an external CA", Fleet: change(func(_ *Fleet, east, west *Cluster) {
		for _, c := range []*Cluster{east, west} {
			c.CACerts = Root(Spec{}).Sub(Spec{}).CACerts()
			c.Env[istio.EnvEnableCAServer] = "false"
		}
	})},
	{Name: "revocation lists of every CA", Fleet: bundleOf(func(a *Authority, data map[string]string) {
		data["ca-crl.pem"] = a.CRL(Now.Add(30*day)) + a.Top().CRL(Now.Add(30*day))
	})},
	{Name: "trust domains that are one another's aliases", Fleet: change(func(_ *Fleet, east, west *Cluster) {
		east.Mesh["istio"] = map[string]any{"trustDomain": "east.local", "trustDomainAliases": []string{"west.local"}}
		west.Mesh["istio"] = map[string]any{"trustDomain": "west.local", "trustDomainAliases": []string{"east.local"}}
	})},
	{Name: "trust domains that nobody looks at", Fleet: change(func(_ *Fleet, east, west *Cluster) {
		for _, c := range []*Cluster{east, west} {
			c.Mesh["istio"]["trustDomain"] = c.Name + ".local"
			c.Env[istio.EnvSkipTrustDomain] = "true"
		}
	})},
	{Name: "further roots in effect for all", Fleet: change(func(_ *Fleet, east, west *Cluster) {
		for _, c := range []*Cluster{east, west} {
			c.Env[istio.EnvMultiRoot] = "true"
			c.Mesh["istio"]["caCertificates"] = []any{map[string]any{"pem": Root(Spec{}).PEM()}}
			c.Mesh["istio"]["defaultConfig"] = map[string]any{"proxyMetadata": map[string]string{istio.EnvXDSAgent: "true"}}
		}
	})},
	{Name: "two roots that trust one another by caCertificates alone", Fleet: change(func(_ *Fleet, east, west *Cluster) {
		a, b := Root(Spec{}), Root(Spec{})
		for c, roots := range map[*Cluster][2]*Authority{east: {a, b}, west: {b, a}} {
			c.Plug(roots[0].Sub(Spec{}))
			c.Env[istio.EnvMultiRoot] = "true"
			c.Mesh["istio"]["caCertificates"] = []any{map[string]any{"pem": roots[1].PEM()}}
			c.Sidecars = []map[string]string{{istio.EnvXDSAgent: "true"}}
		}
	})},
	{Name: "both layouts with the same CA", Fleet: bundleOf(func(a *Authority, data map[string]string) { maps.Copy(data, a.TLSCACerts()) })},
	{Name: "a namespace that discovery selectors leave out", Fleet: change(func(_ *Fleet, _, west *Cluster) {
		west.Mesh["istio"]["discoverySelectors"] = []any{map[string]any{"matchLabels": map[string]string{"istio-injection": "enabled"}}}
		west.Namespaces["other"] = map[string]string{"istio.io/rev": "canary"}
		west.PublishedIn["other"] = ""
	})},
	{Name: "a namespace outside of the mesh without a root", Fleet: change(func(_ *Fleet, _, west *Cluster) { west.PublishedIn["default"] = "" })},
	{Name: "a revision", Fleet: change(func(_ *Fleet, east, west *Cluster) {
		for _, c := range []*Cluster{east, west} {
			c.Revision = "stable"
			c.Mesh = map[string]map[string]any{"istio-stable": {"trustDomain": "prod.example"}}
		}
	})},
}

// bundleOf gives west an intermediate of its own and changes its Secret.
func bundleOf(do func(a *Authority, data map[string]string)) func() *Fleet {
	return change(func(_ *Fleet, east, west *Cluster) {
		root := Root(Spec{})
		east.Plug(root.Sub(Spec{}))
		a := root.Sub(Spec{})
		west.Plug(a)
		do(a, west.CACerts)
	})
}

// renewal is a root that has expired, and its successor of the same name and key.
func renewal() (old, renewed *Authority) {
	old = Root(Spec{Name: "Root", NotBefore: Now.Add(-60 * day), NotAfter: Now.Add(-3 * day)})
	return old, Root(Spec{Name: "Root", Key: old.Key})
}

// trust gives the cluster other roots, which istiod has taken over.
func (c *Cluster) trust(roots ...*Authority) {
	c.Published = ""
	for _, r := range roots {
		c.Published += r.PEM()
	}
	c.CACerts["root-cert.pem"] = c.Published
}

// generate gives the cluster a Secret cacerts that istiod made for itself.
func (c *Cluster) generate() {
	c.SelfSign()
	c.CACerts, c.CASecret = maps.Clone(c.CASecret), nil
	c.CACerts["istio-generated"] = ""
	c.Env[istio.EnvCACertsSelfSigned] = "true"
}

// Faults are fleets with a single fault each.
var Faults = []Case{
	{
		Name: "no shared root", Want: []string{"CERT002 error east,west"},
		Fleet: change(func(_ *Fleet, _, west *Cluster) { west.Plug(Root(Spec{Name: "Other root"}).Sub(Spec{})) }),
	},
	{
		Name: "two roots of which this release hands out the last", Want: []string{"CERT002 error east,west < CERT049", "CERT049 error east", "CERT049 error west"},
		Fleet: change(func(_ *Fleet, east, west *Cluster) { twoRoots("1.25.1", east, west) }),
	},
	{
		Name: "two roots of which this release hands out the one that signs", Want: []string{"CERT049 note east", "CERT049 note west"},
		Fleet: change(func(_ *Fleet, east, west *Cluster) {
			twoRoots("1.24.4", east, west)
			west.Plug(east.Signer.Top().Sub(Spec{}))
			before := Root(Spec{Name: "Root before"})
			for _, c := range []*Cluster{east, west} {
				c.Published = before.PEM() + east.Signer.Top().PEM()
				c.CACerts["root-cert.pem"] = c.Published
			}
		}),
	},
	{
		Name: "two roots of one name", Want: []string{"CERT002 error east,west", "CERT021 note east,west < CERT002"},
		Fleet: change(func(_ *Fleet, _, west *Cluster) { west.Plug(Root(Spec{Name: "Root CA"}).Sub(Spec{})) }),
	},
	{
		Name: "one direction only", Want: []string{"CERT002 error east,west"},
		Fleet: change(func(_ *Fleet, east, west *Cluster) {
			// east trusts west's root as well, and not the other way round.
			other := Root(Spec{NotBefore: Now.Add(-48 * time.Hour)})
			west.Plug(other.Sub(Spec{}))
			east.CACerts["root-cert.pem"] += other.PEM()
			east.Published = east.CACerts["root-cert.pem"]
		}),
	},
	{
		Name: "one of three with another root", Want: []string{"CERT002 error east,north,west"},
		Fleet: func() *Fleet {
			f := Healthy("east", "north", "west")
			f.Get("west").Plug(Root(Spec{}).Sub(Spec{}))
			return f
		},
	},
	{
		Name: "plugged in here and self-signed there", Want: []string{"CERT001 error west,east", "CERT002 error east,west < CERT001"},
		Fleet: change(func(_ *Fleet, _, west *Cluster) { west.SelfSign() }),
	},
	{
		Name: "self-signed everywhere", Want: []string{"CERT001 error east,west", "CERT002 error east,west < CERT001"},
		Fleet: change(func(_ *Fleet, east, west *Cluster) { east.SelfSign(); west.SelfSign() }),
	},
	{
		Name: "self-signed, and nothing joins them", Want: []string{"CERT001 note east,west"},
		Fleet: change(func(_ *Fleet, east, west *Cluster) {
			for _, c := range []*Cluster{east, west} {
				c.SelfSign()
				c.Remotes = nil
			}
		}),
	},
	{
		Name: "cacerts that istiod generated", Want: []string{"CERT013 error west", "CERT001 error west,east < CERT013", "CERT002 error east,west < CERT001"},
		Fleet: change(func(_ *Fleet, _, west *Cluster) { west.generate() }),
	},
	{Name: "key missing: ca-cert.pem", Want: []string{"CERT005 error west"}, Fleet: bundle(func(d map[string]string) { delete(d, "ca-cert.pem") })},
	{Name: "key missing: ca-key.pem", Want: []string{"CERT005 error west"}, Fleet: bundle(func(d map[string]string) { delete(d, "ca-key.pem") })},
	{Name: "key missing: cert-chain.pem", Want: []string{"CERT005 error west"}, Fleet: bundle(func(d map[string]string) { delete(d, "cert-chain.pem") })},
	{Name: "key missing: tls.key", Want: []string{"CERT005 error west"}, Fleet: change(func(_ *Fleet, east, west *Cluster) {
		root := Root(Spec{})
		east.Plug(root.Sub(Spec{}))
		west.PlugTLS(root.Sub(Spec{}))
		delete(west.CACerts, "tls.key")
	})},
	{Name: "empty: ca-cert.pem", Want: []string{"CERT030 error west"}, Fleet: bundle(func(d map[string]string) { d["ca-cert.pem"] = "" })},
	{Name: "empty: ca-key.pem", Want: []string{"CERT030 error west"}, Fleet: bundle(func(d map[string]string) { d["ca-key.pem"] = "" })},
	{Name: "empty: cert-chain.pem", Want: []string{"CERT011 error west"}, Fleet: bundle(func(d map[string]string) { d["cert-chain.pem"] = "" })},
	{Name: "not PEM: ca-cert.pem", Want: []string{"CERT030 error west"}, Fleet: bundle(func(d map[string]string) { d["ca-cert.pem"] = "no certificate" })},
	{Name: "not PEM: ca-key.pem", Want: []string{"CERT030 error west"}, Fleet: bundle(func(d map[string]string) { d["ca-key.pem"] = "no key" })},
	{Name: "not PEM: cert-chain.pem", Want: []string{"CERT030 error west"}, Fleet: bundle(func(d map[string]string) { d["cert-chain.pem"] = "no chain" })},
	{Name: "wrong block type: ca-key.pem", Want: []string{"CERT030 error west"}, Fleet: bundle(func(d map[string]string) { d["ca-key.pem"] = d["ca-cert.pem"] })},
	{Name: "wrong block type: EC parameters before the key", Want: []string{"CERT030 error west"}, Fleet: bundle(func(d map[string]string) {
		d["ca-key.pem"] = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + d["ca-key.pem"]
	})},
	{Name: "wrong block type: ca-cert.pem", Want: []string{"CERT030 error west"}, Fleet: bundle(func(d map[string]string) { d["ca-cert.pem"] = d["ca-key.pem"] })},
	{Name: "certificate that does not parse", Want: []string{"CERT030 error west"}, Fleet: bundle(func(d map[string]string) {
		d["ca-cert.pem"] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	})},
	{Name: "private key in root-cert.pem", Want: []string{"CERT030 error west", "CERT003 note east,west"}, Fleet: change(func(_ *Fleet, _, west *Cluster) {
		west.CACerts["root-cert.pem"] += west.CACerts["ca-key.pem"]
		west.Published = west.CACerts["root-cert.pem"]
	})},
	{Name: "key of another certificate", Want: []string{"CERT007 error west"}, Fleet: bundle(func(d map[string]string) { d["ca-key.pem"] = Root(Spec{}).KeyPEM() })},
	{Name: "certificate that is no CA", Want: []string{"CERT008 error west"}, Fleet: intermediate(Spec{NotCA: true})},
	{Name: "certificate that may not sign", Want: []string{"CERT008 error west"}, Fleet: intermediate(Spec{NoCertSign: true})},
	{Name: "path length too short", Want: []string{"CERT008 error east", "CERT008 error west"}, Fleet: change(func(_ *Fleet, east, west *Cluster) {
		root := Root(Spec{PathLen: ptr(0)})
		east.Plug(root.Sub(Spec{}))
		west.Plug(root.Sub(Spec{}))
	})},
	{Name: "path length of an upper intermediate too short", Want: []string{"CERT008 error west"}, Fleet: change(func(_ *Fleet, east, west *Cluster) {
		root := Root(Spec{})
		east.Plug(root.Sub(Spec{}))
		west.Plug(root.Sub(Spec{PathLen: ptr(0)}).Sub(Spec{}))
	})},
	{Name: "upper intermediate that is no CA", Want: []string{"CERT008 error west"}, Fleet: change(func(_ *Fleet, east, west *Cluster) {
		root := Root(Spec{})
		east.Plug(root.Sub(Spec{}))
		west.Plug(root.Sub(Spec{NotCA: true}).Sub(Spec{}))
	})},
	{Name: "extended key usage", Want: []string{"CERT009 error west"}, Fleet: intermediate(Spec{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})},
	{Name: "chain that leads elsewhere", Want: []string{"CERT006 error west"}, Fleet: bundle(func(d map[string]string) {
		other := Root(Spec{}).Sub(Spec{})
		d["ca-cert.pem"], d["ca-key.pem"], d["cert-chain.pem"] = other.PEM(), other.KeyPEM(), other.Chain()
	})},
	{Name: "upper intermediate missing in the chain", Want: []string{"CERT006 error west"}, Fleet: change(func(_ *Fleet, east, west *Cluster) {
		root := Root(Spec{})
		east.Plug(root.Sub(Spec{}))
		a := root.Sub(Spec{}).Sub(Spec{})
		west.Plug(a)
		west.CACerts["cert-chain.pem"] = a.PEM() + root.PEM()
	})},
	{Name: "chain without the signing certificate", Want: []string{"CERT011 error west"}, Fleet: bundle(func(d map[string]string) { d["cert-chain.pem"] = d["root-cert.pem"] })},
	{Name: "two contradicting layouts in one secret", Want: []string{"CERT012 error west"}, Fleet: change(func(_ *Fleet, east, west *Cluster) {
		root := Root(Spec{})
		east.Plug(root.Sub(Spec{}))
		west.PlugTLS(root.Sub(Spec{}))
		maps.Copy(west.CACerts, root.Sub(Spec{}).CACerts())
	})},
	{Name: "ca.crt that is an intermediate", Want: []string{"CERT012 warning east,west"}, Fleet: change(func(_ *Fleet, east, west *Cluster) {
		upper := Root(Spec{}).Sub(Spec{})
		for _, c := range []*Cluster{east, west} {
			c.PlugTLS(upper.Sub(Spec{}))
			c.CACerts["ca.crt"], c.Published = upper.PEM(), upper.PEM()
		}
	})},
	{Name: "root that is an intermediate", Want: []string{"CERT031 warning east,west"}, Fleet: change(func(_ *Fleet, east, west *Cluster) {
		upper := Root(Spec{}).Sub(Spec{})
		for _, c := range []*Cluster{east, west} {
			a := upper.Sub(Spec{})
			c.Plug(a)
			c.CACerts["cert-chain.pem"] = a.PEM() + upper.PEM()
			c.CACerts["root-cert.pem"], c.Published = upper.PEM(), upper.PEM()
		}
	})},
	{Name: "expired", Want: []string{"CERT010 error west"}, Fleet: intermediate(Spec{NotBefore: Now.Add(-60 * day), NotAfter: Now.Add(-3 * day)})},
	{Name: "not yet valid", Want: []string{"CERT010 error west"}, Fleet: intermediate(Spec{NotBefore: Now.Add(3 * day)})},
	{Name: "expiring soon", Want: []string{"CERT010 warning west"}, Fleet: intermediate(Spec{NotBefore: Now.Add(-60 * day), NotAfter: Now.Add(20*day + time.Hour)})},
	{Name: "expiring very soon", Want: []string{"CERT010 error west"}, Fleet: intermediate(Spec{NotBefore: Now.Add(-60 * day), NotAfter: Now.Add(3*day + time.Hour)})},
	{Name: "root expired, and what is beneath it", Want: []string{"CERT010 error east,west", "CERT010 error east", "CERT010 error west"}, Fleet: change(func(_ *Fleet, east, west *Cluster) {
		root := Root(Spec{NotBefore: Now.Add(-60 * day), NotAfter: Now.Add(-3 * day)})
		east.Plug(root.Sub(Spec{NotAfter: Now.Add(-3 * day), NotBefore: Now.Add(-60 * day)}))
		west.Plug(root.Sub(Spec{NotAfter: Now.Add(-3 * day), NotBefore: Now.Add(-60 * day)}))
	})},
	{Name: "root expired that nobody signs under", Want: []string{"CERT010 warning east,west"}, Fleet: change(func(_ *Fleet, east, west *Cluster) {
		old := Root(Spec{NotBefore: Now.Add(-60 * day), NotAfter: Now.Add(-3 * day)})
		for _, c := range []*Cluster{east, west} {
			c.CACerts["root-cert.pem"] += old.PEM()
			c.Published = c.CACerts["root-cert.pem"]
		}
	})},
	{Name: "root expired, and renewed for the same key", Want: []string{"CERT010 warning east,west"}, Fleet: change(func(_ *Fleet, east, west *Cluster) {
		old, renewed := renewal()
		for _, c := range []*Cluster{east, west} {
			c.Plug(renewed.Sub(Spec{}))
			c.trust(old, renewed)
		}
	})},
	{Name: "intermediate expired, and of its renewed root the old one", Want: []string{"CERT010 error west", "CERT010 warning east,west"}, Fleet: change(func(_ *Fleet, east, west *Cluster) {
		old, renewed := renewal()
		east.Plug(renewed.Sub(Spec{}))
		west.Plug(renewed.Sub(Spec{NotBefore: Now.Add(-60 * day), NotAfter: Now.Add(-3 * day)}))
		east.trust(old, renewed)
		west.trust(old, renewed)
	})},
	{Name: "root expired, and renewed in one cluster only", Want: []string{"CERT010 error east", "CERT003 note west"}, Fleet: change(func(_ *Fleet, east, west *Cluster) {
		old, renewed := renewal()
		for _, c := range []*Cluster{east, west} {
			c.Plug(renewed.Sub(Spec{}))
		}
		east.trust(old)
		west.trust(renewed)
	})},
	{Name: "root of the other cluster expired here, and renewed there", Want: []string{"CERT010 error east", "CERT003 note west"}, Fleet: change(func(_ *Fleet, east, west *Cluster) {
		old, renewed := renewal()
		own := Root(Spec{NotBefore: Now.Add(-70 * day)})
		east.Plug(own.Sub(Spec{}))
		west.Plug(renewed.Sub(Spec{}))
		east.trust(own, old)
		west.trust(own, renewed)
	})},
	{Name: "root of the other cluster expired everywhere", Want: []string{"CERT010 error west"}, Fleet: change(func(_ *Fleet, east, west *Cluster) {
		old, _ := renewal()
		own := Root(Spec{})
		east.Plug(own.Sub(Spec{}))
		west.Plug(old.Sub(Spec{}))
		east.trust(own, old)
		west.trust(own, old)
	})},
	{Name: "root expired in a remote cluster too", Want: []string{"CERT010 error east,west"}, Fleet: change(func(_ *Fleet, east, west *Cluster) {
		old, _ := renewal()
		east.Plug(old.Sub(Spec{}))
		west.NoControlPlane(east)
	})},
	{Name: "intermediate renewed, and the old one in the chain expired", Want: []string{"CERT010 warning west"}, Fleet: bundleOf(func(a *Authority, data map[string]string) {
		old := a.Issuer.Sub(Spec{Name: a.Cert.Subject.CommonName, Key: a.Key, NotBefore: Now.Add(-60 * day), NotAfter: Now.Add(-3 * day)})
		data["cert-chain.pem"] = a.PEM() + old.PEM() + a.Issuer.PEM()
	})},
	{Name: "intermediate expired in the chain alone", Want: []string{"CERT010 error west"}, Fleet: bundleOf(func(a *Authority, data map[string]string) {
		old := a.Issuer.Sub(Spec{Name: a.Cert.Subject.CommonName, Key: a.Key, NotBefore: Now.Add(-60 * day), NotAfter: Now.Add(-3 * day)})
		data["cert-chain.pem"] = old.PEM() + a.Issuer.PEM()
	})},
	{Name: "intermediate that outlives its root", Want: []string{"CERT033 warning west"}, Fleet: intermediate(Spec{NotAfter: Now.AddDate(15, 0, 0)})},
	{Name: "weak key", Want: []string{"CERT032 warning west"}, Fleet: intermediate(Spec{RSABits: 1024})},
	{Name: "SHA-1", Want: []string{"CERT032 error west"}, Fleet: change(func(_ *Fleet, east, west *Cluster) {
		root := Root(Spec{RSABits: 2048})
		east.Plug(root.Sub(Spec{}))
		west.Plug(root.Sub(Spec{SHA1: true}))
	})},
	{
		Name: "istiod not started anew after cacerts was created", Want: []string{"CERT004 error west", "CERT002 error east,west < CERT004"},
		Fleet: change(func(_ *Fleet, _, west *Cluster) {
			plugged := west.CACerts
			west.SelfSign()
			west.CACerts, west.CACertsWritten = plugged, Now.Add(-time.Hour)
		}),
	},
	{
		Name: "root changed and istiod not started anew", Want: []string{"CERT004 error west"},
		Fleet: change(func(_ *Fleet, _, west *Cluster) {
			// What runs is the root that east has; what was installed is another.
			west.CACerts, west.CACertsWritten = Root(Spec{}).Sub(Spec{}).CACerts(), Now.Add(-time.Hour)
		}),
	},
	{
		Name: "root rewritten in another text, and nothing loaded since", Want: []string{"CERT004 warning west"},
		Fleet: change(func(_ *Fleet, _, west *Cluster) {
			west.CACerts["root-cert.pem"] += "\n"
			west.CACertsWritten = Now.Add(-time.Hour)
		}),
	},
	{
		Name: "cacerts that istiod once generated, plugged in now", Want: []string{"CERT013 error west", "CERT002 error east,west < CERT013"},
		Fleet: change(func(_ *Fleet, _, west *Cluster) {
			west.generate()
			delete(west.Env, istio.EnvCACertsSelfSigned)
		}),
	},
	{
		Name: "broken CA that istiod did not take", Want: []string{"CERT005 error west", "CERT004 error west < CERT005"},
		Fleet: change(func(_ *Fleet, _, west *Cluster) {
			west.CACerts, west.CACertsWritten = Root(Spec{}).Sub(Spec{}).CACerts(), Now.Add(-time.Hour)
			delete(west.CACerts, "cert-chain.pem")
		}),
	},
	{Name: "cacerts gone", Want: []string{"CERT034 error west"}, Fleet: change(func(_ *Fleet, _, west *Cluster) { west.CACerts = nil })},
	{Name: "cacerts gone and a self-signed CA in wait", Want: []string{"CERT034 error west"}, Fleet: change(func(_ *Fleet, _, west *Cluster) {
		published := west.Published
		west.SelfSign()
		west.Published = published
	})},
	{Name: "namespace with an old root", Want: []string{"CERT014 error west"}, Fleet: change(func(_ *Fleet, _, west *Cluster) { west.PublishedIn["sample"] = Root(Spec{}).PEM() })},
	{Name: "mesh namespace without root", Want: []string{"CERT014 error west"}, Fleet: change(func(_ *Fleet, _, west *Cluster) { west.PublishedIn["sample"] = "" })},
	{Name: "no root published at all", Want: []string{"CERT014 error west"}, Fleet: change(func(_ *Fleet, _, west *Cluster) { west.Published = "" })},
	{Name: "remote cluster with another root", Want: []string{"CERT002 error east,west"}, Fleet: change(func(_ *Fleet, east, west *Cluster) {
		west.NoControlPlane(east)
		west.Published = Root(Spec{}).PEM()
	})},
	{Name: "rotation on its way", Want: []string{"CERT003 note west"}, Fleet: change(func(_ *Fleet, _, west *Cluster) {
		west.CACerts["root-cert.pem"] += Root(Spec{NotBefore: Now.Add(-time.Hour)}).PEM()
		west.Published = west.CACerts["root-cert.pem"]
	})},
	{Name: "root left over", Want: []string{"CERT003 warning west"}, Fleet: change(func(_ *Fleet, _, west *Cluster) {
		west.CACerts["root-cert.pem"] += Root(Spec{NotBefore: Now.AddDate(-5, 0, 0)}).PEM()
		west.Published = west.CACerts["root-cert.pem"]
	})},
	{Name: "same root in another text", Want: []string{"CERT003 note east,west"}, Fleet: change(func(_ *Fleet, _, west *Cluster) {
		west.CACerts["root-cert.pem"] = strings.ReplaceAll(west.CACerts["root-cert.pem"], "\n", "\r\n")
		west.Published = west.CACerts["root-cert.pem"]
	})},
	{Name: "further roots without multi-root", Want: []string{"CERT016 error west"}, Fleet: change(func(_ *Fleet, _, west *Cluster) {
		west.Mesh["istio"]["caCertificates"] = []any{map[string]any{"pem": Root(Spec{}).PEM()}}
	})},
	{Name: "further roots that sidecars do not take", Want: []string{"CERT016 error west"}, Fleet: change(func(_ *Fleet, _, west *Cluster) {
		west.Env[istio.EnvMultiRoot] = "true"
		west.Mesh["istio"]["caCertificates"] = []any{map[string]any{"pem": Root(Spec{}).PEM()}}
		west.Sidecars = []map[string]string{{istio.EnvXDSAgent: "true"}, {}}
	})},
	{Name: "trust domains", Want: []string{"CERT017 error east,west"}, Fleet: change(func(_ *Fleet, east, west *Cluster) {
		east.Mesh["istio"]["trustDomain"], west.Mesh["istio"]["trustDomain"] = "east.local", "west.local"
	})},
	{Name: "trust domain with an alias on one side", Want: []string{"CERT017 error west,east"}, Fleet: change(func(_ *Fleet, east, west *Cluster) {
		east.Mesh["istio"]["trustDomain"] = "east.local"
		west.Mesh["istio"] = map[string]any{"trustDomain": "west.local", "trustDomainAliases": []string{"east.local"}}
	})},
	{Name: "reader without ConfigMaps", Want: []string{"CERT018 error west,east"}, Fleet: change(func(_ *Fleet, _, west *Cluster) { west.ReaderDenied = true })},
	{Name: "no mesh config in the remote cluster", Want: []string{"CERT018 error west,east"}, Fleet: change(func(_ *Fleet, east, west *Cluster) {
		west.NoControlPlane(east)
		west.Mesh = nil
		east.Mesh["istio"]["trustDomain"] = "prod.example"
	})},
	{Name: "revocation list missing", Want: []string{"CERT019 error west"}, Fleet: bundleOf(func(a *Authority, d map[string]string) { d["ca-crl.pem"] = a.CRL(Now.Add(30 * day)) })},
	{Name: "revocation list out of date", Want: []string{"CERT019 error west"}, Fleet: bundleOf(func(a *Authority, d map[string]string) {
		d["ca-crl.pem"] = a.CRL(Now.Add(-time.Minute)) + a.Top().CRL(Now.Add(30*day))
	})},
	{Name: "external CA here and istiod's there", Want: []string{"CERT020 error west,east", "CERT002 error east,west < CERT020"}, Fleet: change(func(_ *Fleet, _, west *Cluster) {
		west.CACerts, west.Env[istio.EnvEnableCAServer], west.Published = nil, "false", Root(Spec{}).PEM()
	})},
}
