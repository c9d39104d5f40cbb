package certs_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/certs"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// pair is two clusters with a root each that trust both.
type pair struct{ a, b, east, west *istiotest.Authority }

func newPair() pair {
	a, b := istiotest.Root(istiotest.Spec{Name: "A"}), istiotest.Root(istiotest.Spec{Name: "B"})
	return pair{a, b, a.Sub(istiotest.Spec{Name: "East"}), b.Sub(istiotest.Spec{Name: "West"})}
}

func (p pair) plain() string { return p.a.PEM() + p.b.PEM() }

// publishing is the pair with other texts in west's ConfigMap and its Secret.
func (p pair) publishing(configMap, secret string) *facts.Fleet {
	f := istiotest.Healthy("east", "west")
	for i, signer := range []*istiotest.Authority{p.east, p.west} {
		f.Clusters[i].Plug(signer)
		f.Clusters[i].Published, f.Clusters[i].CACerts["root-cert.pem"] = p.plain(), p.plain()
	}
	f.Get("west").Published, f.Get("west").CACerts["root-cert.pem"] = configMap, secret
	return f.Facts()
}

func TestCompareLooksAtCertificatesAndNotAtTheirText(t *testing.T) {
	p := newPair()
	a, b, plain := p.a, p.b, p.plain()
	for name, text := range map[string]string{
		"the same":                 plain,
		"another order":            b.PEM() + a.PEM(),
		"duplicates":               a.PEM() + b.PEM() + a.PEM() + a.PEM(),
		"CRLF":                     strings.ReplaceAll(plain, "\n", "\r\n"),
		"no line break at the end": strings.TrimSuffix(plain, "\n"),
		"empty lines":              "\n\n" + a.PEM() + "\n \n" + b.PEM() + "\n",
		"comments":                 "# the roots\n" + a.PEM() + "# the other one\n" + b.PEM() + "# the end",
		"text as openssl writes":   "Certificate:\n    Data:\n        Version: 3 (0x2)\n" + a.PEM() + "subject=CN = B\n" + b.PEM(),
		"lines of another length":  rewrap(a.PEM()) + b.PEM(),
		"a key that went astray":   plain + a.KeyPEM(),
	} {
		t.Run(name, func(t *testing.T) {
			fleet := p.publishing(text, plain)
			got := certs.Compare(fleet)
			if !got.Same {
				t.Errorf("not the same: %+v", got)
			}
			// In every field, and whichever of the two is written so.
			want := certs.Compare(p.publishing(plain, plain))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("west is written so (-plain +got):\n%s", diff)
			}
			resources.RootCert.Set(&fleet.Clusters[0], resources.RootCert.Of(&fleet.Clusters[1]))
			resources.RootCert.Set(&fleet.Clusters[1], resources.RootCert.Of(&fleet.Clusters[0]))
			sorted := cmpopts.SortSlices(func(x, y certs.Root) bool { return x.SHA256 < y.SHA256 })
			if diff := cmp.Diff(want, certs.Compare(fleet), sorted); diff != "" {
				t.Errorf("east is written so (-plain +got):\n%s", diff)
			}
		})
	}
}

// rewrap breaks the lines of a PEM block after 48 characters rather than 64.
func rewrap(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	body := strings.Join(lines[1:len(lines)-1], "")
	var out strings.Builder
	out.WriteString(lines[0] + "\n")
	for chunk := range slices.Chunk([]byte(body), 48) {
		out.Write(append(chunk[:len(chunk):len(chunk)], '\n'))
	}
	return out.String() + lines[len(lines)-1] + "\n"
}

// verdicts are the relations of a comparison, in their order.
func verdicts(c certs.Comparison) []string {
	var out []string
	for _, r := range c.Trust {
		out = append(out, fmt.Sprintf("%s %s %s", r.From, r.Verdict, r.To))
	}
	return out
}

func TestCompareTellsRootsApart(t *testing.T) {
	p := newPair()
	a, b := p.a, p.b
	for name, c := range map[string]struct {
		west string
		want []string
	}{
		"one root too few": {b.PEM(), []string{"east ok west", "west broken east"}},
		"one root too many": {
			a.PEM() + b.PEM() + istiotest.Root(istiotest.Spec{}).PEM(),
			[]string{"east ok west", "west ok east"},
		},
		// What is not a block of type CERTIFICATE without headers is nothing that
		// anybody's crypto library takes for a root.
		"a root under another type": {b.PEM() + strings.ReplaceAll(a.PEM(), "CERTIFICATE", "TRUSTED CERTIFICATE"), []string{"east ok west", "west broken east"}},
		"a root with PEM headers":   {b.PEM() + strings.Replace(a.PEM(), "-----\n", "-----\nName: A\n\n", 1), []string{"east ok west", "west broken east"}},
		"a root cut off":            {b.PEM() + strings.TrimSuffix(a.PEM(), "-----END CERTIFICATE-----\n"), []string{"east ok west", "west broken east"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := certs.Compare(p.publishing(c.west, c.west))
			if got.Same {
				t.Error("the same")
			}
			if slices.Equal(got.Clusters[0].Roots, got.Clusters[1].Roots) {
				t.Errorf("both clusters have roots %v", got.Clusters[0].Roots)
			}
			if diff := cmp.Diff(c.want, verdicts(got)); diff != "" {
				t.Errorf("who trusts whom (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCompareTrustInEachDirectionOnItsOwn(t *testing.T) {
	a, b, c := istiotest.Root(istiotest.Spec{Name: "A"}), istiotest.Root(istiotest.Spec{Name: "B"}), istiotest.Root(istiotest.Spec{Name: "C"})
	f := istiotest.Healthy("east", "north", "west")
	for i, signer := range []*istiotest.Authority{a, b, c} {
		f.Clusters[i].Plug(signer.Sub(istiotest.Spec{}))
	}
	// east trusts all, north itself and west, west only itself.
	for i, roots := range []string{a.PEM() + b.PEM() + c.PEM(), b.PEM() + c.PEM(), c.PEM()} {
		f.Clusters[i].Published, f.Clusters[i].CACerts["root-cert.pem"] = roots, roots
	}
	got := certs.Compare(f.Facts())
	if diff := cmp.Diff([]string{
		"east ok north", "east ok west",
		"north broken east", "north ok west",
		"west broken east", "west broken north",
	}, verdicts(got)); diff != "" {
		t.Errorf("who trusts whom (-want +got):\n%s", diff)
	}
	holders := map[string][]string{}
	for _, r := range got.Roots {
		holders[r.Subject] = r.Clusters
	}
	want := map[string][]string{"CN=A,O=Istio": {"east"}, "CN=B,O=Istio": {"east", "north"}, "CN=C,O=Istio": {"east", "north", "west"}}
	if diff := cmp.Diff(want, holders); diff != "" {
		t.Errorf("roots and who trusts them (-want +got):\n%s", diff)
	}
	for _, cluster := range got.Clusters {
		if !slices.IsSorted(cluster.Roots) {
			t.Errorf("the roots of %s are not sorted: %v", cluster.Cluster, cluster.Roots)
		}
	}
}

// A cluster without any root is different from one with some; that is not a lack
// of knowledge.
func TestCompareMissingMaterialIsADifference(t *testing.T) {
	const neither = "no root certificate: neither configmap istio-ca-root-cert nor a secret with a CA exists in namespace istio-system"
	for name, c := range map[string]struct {
		do    func(west *istiotest.Cluster)
		want  string // Missing
		roots bool   // there are some nevertheless
	}{
		"no ConfigMap and no Secret":                  {func(c *istiotest.Cluster) { c.Published, c.CACerts = "", nil }, neither, false},
		"no ConfigMap, but a Secret":                  {func(c *istiotest.Cluster) { c.Published = "" }, "", true},
		"no ConfigMap, but a Secret that istiod made": {func(c *istiotest.Cluster) { c.SelfSign(); c.Published = "" }, "", true},
		"no ConfigMap, and a Secret without root": {
			func(c *istiotest.Cluster) { c.Published, c.CACerts["root-cert.pem"] = "", "" },
			"no root certificate: root-cert.pem in secret cacerts is empty", false,
		},
		"text in the ConfigMap":   {func(c *istiotest.Cluster) { c.Published = "later" }, "no root certificate: configmap istio-ca-root-cert is not PEM", false},
		"a key in the ConfigMap":  {func(c *istiotest.Cluster) { c.Published = c.Signer.KeyPEM() }, "no root certificate: configmap istio-ca-root-cert is of type PRIVATE KEY", false},
		"spaces in the ConfigMap": {func(c *istiotest.Cluster) { c.Published = "\n" }, "no root certificate: configmap istio-ca-root-cert is empty", false},
	} {
		t.Run(name, func(t *testing.T) {
			f := istiotest.Healthy("east", "west")
			c.do(f.Get("west"))
			got := certs.Compare(f.Facts())
			west := got.Clusters[1]
			if west.Missing != c.want || west.Unknown != "" || (len(west.Roots) > 0) != c.roots {
				t.Errorf("missing %q, unknown %q, %d roots; want missing %q", west.Missing, west.Unknown, len(west.Roots), c.want)
			}
			if c.want == "" {
				return
			}
			if got.Same {
				t.Error("the same")
			}
			if verdict := got.Trust[1].Verdict; verdict != certs.Distrusts {
				t.Errorf("west %s east", verdict)
			}
		})
	}
}

func TestCompareWithoutRightsIsUnknown(t *testing.T) {
	f := istiotest.Healthy("east", "west").Facts()
	resources.RootCert.Set(&f.Clusters[1], facts.Read[*corev1.ConfigMap]{State: facts.Forbidden, Reason: "forbidden"})
	got := certs.Compare(f)
	west := got.Clusters[1]
	if got.Same || west.Unknown != "configmap istio-ca-root-cert: forbidden" || west.Missing != "" || len(west.Roots) != 0 {
		t.Errorf("same %t, west %+v", got.Same, west)
	}
	// What west may not show of its trust says nothing of the trust in it.
	if diff := cmp.Diff([]string{"east unknown west", "west unknown east"}, verdicts(got)); diff != "" {
		t.Errorf("who trusts whom (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"east"}, got.Roots[0].Clusters); diff != "" {
		t.Errorf("holders of the root (-want +got):\n%s", diff)
	}
}

func TestCompareWithAnUnreachedCluster(t *testing.T) {
	f := istiotest.Healthy("east", "north", "west")
	f.Get("west").Plug(istiotest.Root(istiotest.Spec{}).Sub(istiotest.Spec{}))
	got := f.Facts()
	got.Clusters[1] = facts.Cluster{Context: "north", Unreached: &facts.Unreached{Kind: facts.TimedOut, Reason: "no answer"}}
	c := certs.Compare(got)
	if north := c.Clusters[1]; north.Unknown != "not reached" || north.Missing != "" || len(north.Roots) != 0 {
		t.Errorf("north %+v", north)
	}
	if diff := cmp.Diff([]string{
		"east unknown north", "east broken west",
		"north unknown east", "north unknown west",
		"west broken east", "west unknown north",
	}, verdicts(c)); diff != "" {
		t.Errorf("who trusts whom (-want +got):\n%s", diff)
	}
	if c.Same {
		t.Error("the same")
	}

	// Also where those that were reached do not differ, and where there are no others.
	got = istiotest.Healthy("east", "west", "north").Facts()
	got.Clusters[2].Unreached = &facts.Unreached{Kind: facts.NoConnection, Reason: "refused"}
	if c := certs.Compare(got); c.Same || c.Clusters[2].Unknown == "" || c.Trust[0].Verdict != certs.Trusts {
		t.Errorf("same %t, north %+v, east and west %+v", c.Same, c.Clusters[2], c.Trust[0])
	}
	got.Clusters = got.Clusters[2:]
	if c := certs.Compare(got); c.Same {
		t.Error("an unreached cluster alone is the same as itself")
	}
}

func TestCompareAndListOfNothing(t *testing.T) {
	empty := &facts.Fleet{At: istiotest.Now, Clusters: []facts.Cluster{{Context: "east", SystemNamespace: istiotest.System}}}
	for _, f := range []*facts.Fleet{{}, empty} {
		for _, document := range []any{certs.Compare(f).Roots, certs.Compare(f).Trust, certs.List(f).Certificates, certs.List(f).Gaps} {
			text, err := json.Marshal(document)
			if err != nil || string(text) == "null" {
				t.Errorf("%d clusters: %T is written as %s, %v; a list without items is []", len(f.Clusters), document, text, err)
			}
		}
	}
	if text, err := json.Marshal(certs.Compare(empty).Clusters[0].Roots); err != nil || string(text) != "[]" {
		t.Errorf("the roots of a cluster that has none are written as %s, %v", text, err)
	}
}

// The same facts give the same text, byte for byte, and clusters are in the fleet's order.
func TestCompareAndListAreStable(t *testing.T) {
	names := []string{"west", "east", "south", "north", "middle"}
	fleet := istiotest.Healthy(names...)
	fleet.Get("south").Plug(istiotest.Root(istiotest.Spec{Name: "Other"}).Sub(istiotest.Spec{}))
	fleet.Get("north").CACerts["root-cert.pem"] += istiotest.Root(istiotest.Spec{Name: "Third"}).PEM()
	fleet.Get("north").Published = fleet.Get("north").CACerts["root-cert.pem"]
	f := fleet.Facts()
	text := func() string {
		out, err := json.Marshal([]any{certs.Compare(f), certs.List(f)})
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	first := text()
	for range 20 {
		if again := text(); again != first {
			t.Fatalf("another time:\n%s\n%s", first, again)
		}
	}
	c := certs.Compare(f)
	var clusters, pairs, want []string
	for _, cluster := range c.Clusters {
		clusters = append(clusters, cluster.Cluster)
	}
	for _, r := range c.Trust {
		pairs = append(pairs, r.From+" "+r.To)
	}
	for _, from := range names {
		for _, to := range names {
			if from != to {
				want = append(want, from+" "+to)
			}
		}
	}
	if diff := cmp.Diff(names, clusters); diff != "" {
		t.Errorf("clusters (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, pairs); diff != "" {
		t.Errorf("pairs (-want +got):\n%s", diff)
	}
	for _, r := range c.Roots {
		if !slices.IsSortedFunc(r.Clusters, func(a, b string) int { return slices.Index(names, a) - slices.Index(names, b) }) {
			t.Errorf("the holders of %s are not in the fleet's order: %v", r.Subject, r.Clusters)
		}
	}
}

// row is what matters of a certs.Row here.
type row struct {
	Cluster, Role, Subject string
	Sources, TrustedIn     []string
}

func rowsOf(l certs.Listing) []row {
	var out []row
	for _, r := range l.Certificates {
		out = append(out, row{r.Cluster, r.Role, strings.TrimSuffix(strings.TrimPrefix(r.Subject, "CN="), ",O=Istio"), r.Sources, r.TrustedIn})
	}
	return out
}

const (
	secretSigning  = "secret/cacerts ca-cert.pem"
	secretChain    = "secret/cacerts cert-chain.pem"
	secretRoot     = "secret/cacerts root-cert.pem"
	published      = "configmap/istio-ca-root-cert"
	selfSigned     = "secret/istio-ca-secret ca-cert.pem"
	selfSignedRoot = "secret/istio-ca-secret root-cert.pem"
)

func TestList(t *testing.T) {
	root := istiotest.Root(istiotest.Spec{Name: "Root"})
	upper := root.Sub(istiotest.Spec{Name: "Upper"})
	other := istiotest.Root(istiotest.Spec{Name: "Other"})
	for name, c := range map[string]struct {
		do   func(east, west *istiotest.Cluster)
		want []row
	}{
		"an intermediate for each cluster": {
			func(east, west *istiotest.Cluster) {
				east.Plug(root.Sub(istiotest.Spec{Name: "East"}))
				west.Plug(root.Sub(istiotest.Spec{Name: "West"}))
			},
			[]row{
				{"east", "signing", "East", []string{secretSigning, secretChain}, []string{"west"}},
				{"east", "root", "Root", []string{secretChain, secretRoot, published}, []string{"west"}},
				{"west", "signing", "West", []string{secretSigning, secretChain}, []string{"east"}},
				{"west", "root", "Root", []string{secretChain, secretRoot, published}, []string{"east"}},
			},
		},
		"intermediates above one another": {
			func(east, west *istiotest.Cluster) {
				east.Plug(upper.Sub(istiotest.Spec{Name: "East"}))
				west.Plug(root)
			},
			[]row{
				{"east", "signing", "East", []string{secretSigning, secretChain}, []string{"west"}},
				{"east", "intermediate", "Upper", []string{secretChain}, []string{"west"}},
				{"east", "root", "Root", []string{secretChain, secretRoot, published}, []string{"west"}},
				{"west", "signing", "Root", []string{secretSigning, secretChain, secretRoot, published}, []string{"east"}},
			},
		},
		"a root before the intermediate in the chain": {
			func(east, west *istiotest.Cluster) {
				signing := upper.Sub(istiotest.Spec{Name: "East"})
				east.Plug(signing)
				east.CACerts["cert-chain.pem"] = signing.PEM() + root.PEM() + upper.PEM()
				west.Plug(root)
			},
			[]row{
				{"east", "signing", "East", []string{secretSigning, secretChain}, []string{"west"}},
				{"east", "root", "Root", []string{secretChain, secretRoot, published}, []string{"west"}},
				{"east", "intermediate", "Upper", []string{secretChain}, []string{"west"}},
				{"west", "signing", "Root", []string{secretSigning, secretChain, secretRoot, published}, []string{"east"}},
			},
		},
		"trusted in one direction": {
			func(east, west *istiotest.Cluster) {
				east.Plug(root.Sub(istiotest.Spec{Name: "East"}))
				west.Plug(other.Sub(istiotest.Spec{Name: "West"}))
				east.Published += other.PEM()
				east.CACerts["root-cert.pem"] = east.Published
			},
			[]row{
				{"east", "signing", "East", []string{secretSigning, secretChain}, []string{}},
				{"east", "root", "Root", []string{secretChain, secretRoot, published}, []string{}},
				{"east", "root", "Other", []string{secretRoot, published}, []string{"west"}},
				{"west", "signing", "West", []string{secretSigning, secretChain}, []string{"east"}},
				{"west", "root", "Other", []string{secretChain, secretRoot, published}, []string{"east"}},
			},
		},
		"a root that is only in the chain": {
			func(east, west *istiotest.Cluster) {
				east.Plug(root.Sub(istiotest.Spec{Name: "East"}))
				east.CACerts["cert-chain.pem"] += other.PEM()
				west.NoIstio = true
			},
			[]row{
				{"east", "signing", "East", []string{secretSigning, secretChain}, []string{}},
				{"east", "root", "Root", []string{secretChain, secretRoot, published}, []string{}},
				{"east", "root", "Other", []string{secretChain}, []string{}},
			},
		},
		// Its name and key are those of west's root, though not itself is.
		"a cross-signed CA": {
			func(east, west *istiotest.Cluster) {
				east.Plug(root.Sub(istiotest.Spec{Name: "Other", Key: other.Key}))
				west.Plug(other)
			},
			[]row{
				{"east", "signing", "Other", []string{secretSigning, secretChain}, []string{"west"}},
				{"east", "root", "Root", []string{secretChain, secretRoot, published}, []string{}},
				{"west", "signing", "Other", []string{secretSigning, secretChain, secretRoot, published}, []string{}},
			},
		},
		"the tls layout": {
			func(east, west *istiotest.Cluster) {
				east.PlugTLS(root.Sub(istiotest.Spec{Name: "East"}))
				west.Plug(root)
			},
			[]row{
				{"east", "signing", "East", []string{"secret/cacerts tls.crt"}, []string{"west"}},
				{"east", "root", "Root", []string{"secret/cacerts ca.crt", published}, []string{"west"}},
				{"west", "signing", "Root", []string{secretSigning, secretChain, secretRoot, published}, []string{"east"}},
			},
		},
		"a CA that istiod made, and what it published before": {
			func(east, west *istiotest.Cluster) {
				east.SelfSign()
				east.Published = other.PEM()
				west.NoControlPlane(east)
			},
			[]row{
				{"east", "signing", "cluster.local", []string{selfSigned, selfSignedRoot}, []string{}},
				{"east", "root", "Other", []string{published}, []string{"west"}},
				{"west", "root", "Other", []string{published}, []string{"east"}},
			},
		},
		"a certificate that is there several times is listed once": {
			func(east, west *istiotest.Cluster) {
				east.Plug(root)
				east.CACerts["cert-chain.pem"] += root.PEM() + root.PEM()
				east.Published += root.PEM()
				west.NoIstio = true
			},
			[]row{{"east", "signing", "Root", []string{secretSigning, secretChain, secretRoot, published}, []string{}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := istiotest.Healthy("east", "west")
			c.do(f.Get("east"), f.Get("west"))
			got := certs.List(f.Facts())
			if diff := cmp.Diff(c.want, rowsOf(got)); diff != "" {
				t.Errorf("certificates (-want +got):\n%s", diff)
			}
			if len(got.Gaps) > 0 {
				t.Errorf("everything was readable, and yet there are gaps: %+v", got.Gaps)
			}
		})
	}
}

func TestListDescribesCertificates(t *testing.T) {
	f := istiotest.Healthy("east")
	east := f.Get("east")
	east.Plug(istiotest.Root(istiotest.Spec{Name: "Root", RSABits: 2048}).Sub(istiotest.Spec{Name: "East"}))
	got := certs.List(f.Facts()).Certificates
	cert := east.Signer.Cert
	want := certs.Row{
		Cluster: "east", Sources: []string{secretSigning, secretChain}, Role: "signing",
		Subject: "CN=East,O=Istio", Issuer: "CN=Root,O=Istio", SHA256: pki.NewCertificate(cert).SHA256, Key: "ECDSA P-256",
		NotBefore: cert.NotBefore.UTC(), NotAfter: cert.NotAfter.UTC(), TrustedIn: []string{},
	}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Errorf("the signing certificate (-want +got):\n%s", diff)
	}
	if got[1].Key != "RSA 2048" || got[1].Issuer != got[1].Subject {
		t.Errorf("the root: %+v", got[1])
	}
}

func TestListGaps(t *testing.T) {
	gap := func(source, reason string) []certs.Gap {
		return []certs.Gap{{Cluster: "west", Source: source, Reason: reason}}
	}
	forbidden := facts.Read[*corev1.Secret]{State: facts.Forbidden, Reason: "forbidden"}
	for name, c := range map[string]struct {
		fleet func(west *istiotest.Cluster)
		facts func(west *facts.Cluster)
		want  []certs.Gap
	}{
		"a secret that does not exist is none": {fleet: func(c *istiotest.Cluster) { c.CACerts = nil }},
		"an unreached cluster is one, whatever it may hold": {
			facts: func(c *facts.Cluster) {
				*c = facts.Cluster{Context: "west", Unreached: &facts.Unreached{Kind: facts.TimedOut, Reason: "no answer within 10s"}}
			},
			want: gap("the cluster", "no answer within 10s"),
		},
		"forbidden secrets": {
			facts: func(c *facts.Cluster) {
				resources.CACerts.Set(c, forbidden)
				resources.CASecret.Set(c, forbidden)
			},
			want: append(gap("secret/cacerts", "forbidden"), gap("secret/istio-ca-secret", "forbidden")...),
		},
		"a ConfigMap that failed": {
			facts: func(c *facts.Cluster) {
				resources.RootCert.Set(c, facts.Read[*corev1.ConfigMap]{State: facts.Failed, Reason: "no answer in time"})
			},
			want: gap(published, "no answer in time"),
		},
		"a key that is missing": {
			fleet: func(c *istiotest.Cluster) { delete(c.CACerts, "cert-chain.pem") },
			want:  gap(secretChain, "the key is missing"),
		},
		"a value that is no PEM": {
			fleet: func(c *istiotest.Cluster) { c.CACerts["root-cert.pem"] = "later" },
			want:  gap(secretRoot, "is not PEM"),
		},
		"a private key that is no key is not the list's business": {fleet: func(c *istiotest.Cluster) { c.CACerts["ca-key.pem"] = "later" }},
		"a ConfigMap without certificate": {
			fleet: func(c *istiotest.Cluster) { c.Published = "\n" },
			want:  gap(published, "is empty"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := istiotest.Healthy("east", "west")
			if c.fleet != nil {
				c.fleet(f.Get("west"))
			}
			read := f.Facts()
			if c.facts != nil {
				c.facts(&read.Clusters[1])
			}
			got := certs.List(read)
			if diff := cmp.Diff(c.want, got.Gaps, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("gaps (-want +got):\n%s", diff)
			}
			// A gap of one cluster hides nothing of another.
			if rows := rowsOf(got); len(rows) < 2 || rows[0].Cluster != "east" || rows[1].Cluster != "east" {
				t.Errorf("rows of east: %+v", rows)
			}
		})
	}
}
