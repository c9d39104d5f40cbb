package oracle

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
)

// edges are Secrets at the limits of what istiod accepts, each with root and
// intermediate a of its own.
var edges = map[string]func(root, a *istiotest.Authority, data map[string]string){
	"a private key first in the chain": func(_, _ *istiotest.Authority, data map[string]string) {
		data["cert-chain.pem"] = data["ca-key.pem"] + data["cert-chain.pem"]
	},
	"a private key last in the chain": func(_, _ *istiotest.Authority, data map[string]string) {
		data["cert-chain.pem"] += data["ca-key.pem"]
	},
	"a private key in the chain, and revocation lists": func(root, a *istiotest.Authority, data map[string]string) {
		data["cert-chain.pem"] += data["ca-key.pem"]
		data["ca-crl.pem"] = a.CRL(soon) + root.CRL(soon)
	},
	"a revocation list in the chain": func(_, a *istiotest.Authority, data map[string]string) {
		data["cert-chain.pem"] += a.CRL(soon)
	},
	"a revocation list in the chain, and revocation lists": func(root, a *istiotest.Authority, data map[string]string) {
		data["cert-chain.pem"] += a.CRL(soon)
		data["ca-crl.pem"] = a.CRL(soon) + root.CRL(soon)
	},
	"a chain of white space": func(_, _ *istiotest.Authority, data map[string]string) { data["cert-chain.pem"] = "\n" },
	"a certificate among revocation lists": func(root, a *istiotest.Authority, data map[string]string) {
		data["ca-crl.pem"] = a.CRL(soon) + root.CRL(soon) + a.PEM()
	},
	"a revocation list under a name of its own": func(root, a *istiotest.Authority, data map[string]string) {
		data["ca-crl.pem"] = strings.ReplaceAll(a.CRL(soon)+root.CRL(soon), "X509 CRL", "CRL")
	},
	"a revocation list that is not PEM": func(_, _ *istiotest.Authority, data map[string]string) { data["ca-crl.pem"] = "none" },
	"a revocation list of white space":  func(_, _ *istiotest.Authority, data map[string]string) { data["ca-crl.pem"] = "\n" },
	"an empty revocation list":          func(_, _ *istiotest.Authority, data map[string]string) { data["ca-crl.pem"] = "" },
	"a revocation list that is not PEM, and an empty chain": func(root, _ *istiotest.Authority, data map[string]string) {
		fill(data, root.CACerts())
		data["cert-chain.pem"], data["ca-crl.pem"] = "", "none"
	},
	"a foreign revocation list, and an empty chain": func(root, _ *istiotest.Authority, data map[string]string) {
		fill(data, root.CACerts())
		data["cert-chain.pem"], data["ca-crl.pem"] = "", istiotest.Root(istiotest.Spec{}).CRL(soon)
	},
	"a revocation list is missing, and the path is too long": func(_, _ *istiotest.Authority, data map[string]string) {
		root := istiotest.Root(istiotest.Spec{PathLen: new(int)})
		a := root.Sub(istiotest.Spec{})
		fill(data, a.CACerts())
		data["ca-crl.pem"] = a.CRL(soon)
	},
	"headers in the signing certificate": func(_, _ *istiotest.Authority, data map[string]string) {
		data["ca-cert.pem"] = withHeader(data["ca-cert.pem"])
	},
	"headers in the chain": func(_, _ *istiotest.Authority, data map[string]string) {
		data["cert-chain.pem"] = withHeader(data["cert-chain.pem"])
	},
	"headers in the root": func(_, _ *istiotest.Authority, data map[string]string) {
		data["root-cert.pem"] = withHeader(data["root-cert.pem"])
	},
	"headers in the key": func(_, _ *istiotest.Authority, data map[string]string) {
		data["ca-key.pem"] = withHeader(data["ca-key.pem"])
	},
	"a trusted certificate of OpenSSL's before the signing one": func(_, _ *istiotest.Authority, data map[string]string) {
		data["ca-cert.pem"] = strings.ReplaceAll(data["ca-cert.pem"], " CERTIFICATE", " X509 CERTIFICATE") + data["ca-cert.pem"]
	},
	"a certificate under another name before the one of the key": func(root, _ *istiotest.Authority, data map[string]string) {
		data["ca-cert.pem"] = strings.ReplaceAll(root.Sub(istiotest.Spec{}).PEM(), " CERTIFICATE", " X509 CERTIFICATE") + data["ca-cert.pem"]
	},
	"the certificate of the key under another name before another one": func(root, _ *istiotest.Authority, data map[string]string) {
		data["ca-cert.pem"] = strings.ReplaceAll(data["ca-cert.pem"], " CERTIFICATE", " X509 CERTIFICATE") + root.Sub(istiotest.Spec{}).PEM()
	},
	"a signing certificate of another block type": func(_, _ *istiotest.Authority, data map[string]string) {
		data["ca-cert.pem"] = strings.ReplaceAll(data["ca-cert.pem"], " CERTIFICATE", " X509 CERTIFICATE")
	},
	"a chain of another block type": func(_, _ *istiotest.Authority, data map[string]string) {
		data["cert-chain.pem"] = strings.ReplaceAll(data["cert-chain.pem"], " CERTIFICATE", " X509 CERTIFICATE")
	},
	"a root of version 1 that signs": func(_, _ *istiotest.Authority, data map[string]string) {
		key := newKey("P-256", 0).(*ecdsa.PrivateKey)
		cert := versionOne("Old root", key)
		fill(data, map[string]string{"ca-cert.pem": cert, "ca-key.pem": encodeKey(key, false), "cert-chain.pem": cert, "root-cert.pem": cert})
	},
	"a root of version 1 beside the one in use": func(_, _ *istiotest.Authority, data map[string]string) {
		data["root-cert.pem"] = versionOne("Old root", newKey("P-256", 0).(*ecdsa.PrivateKey)) + data["root-cert.pem"]
	},
	"a renewed root whose old one has expired": func(_, _ *istiotest.Authority, data map[string]string) {
		old := istiotest.Root(istiotest.Spec{Name: "Root", NotBefore: ago(60), NotAfter: ago(3)})
		renewed := istiotest.Root(istiotest.Spec{Name: "Root", Key: old.Key})
		fill(data, renewed.Sub(istiotest.Spec{}).CACerts())
		data["root-cert.pem"] = old.PEM() + renewed.PEM()
	},
	"a renewed root with more room than the old one": func(_, _ *istiotest.Authority, data map[string]string) {
		old := istiotest.Root(istiotest.Spec{Name: "Root", PathLen: new(int)})
		renewed := istiotest.Root(istiotest.Spec{Name: "Root", Key: old.Key})
		fill(data, renewed.Sub(istiotest.Spec{}).CACerts())
		data["root-cert.pem"] = old.PEM() + renewed.PEM()
	},
	"an expired certificate at the end of the chain": func(_, _ *istiotest.Authority, data map[string]string) {
		data["cert-chain.pem"] += istiotest.Root(istiotest.Spec{NotBefore: ago(60), NotAfter: ago(3)}).PEM()
	},
	"a certificate first in the chain that is not valid yet": func(_, _ *istiotest.Authority, data map[string]string) {
		data["cert-chain.pem"] = istiotest.Root(istiotest.Spec{NotBefore: ago(-3)}).PEM() + data["cert-chain.pem"]
	},
	"an expired certificate first in the chain": func(_, _ *istiotest.Authority, data map[string]string) {
		data["cert-chain.pem"] = istiotest.Root(istiotest.Spec{NotBefore: ago(60), NotAfter: ago(3)}).PEM() + data["cert-chain.pem"]
	},
	"a renewed intermediate, with the expired one in the chain too": func(root, _ *istiotest.Authority, data map[string]string) {
		old := root.Sub(istiotest.Spec{Name: "Intermediate", NotBefore: ago(60), NotAfter: ago(3)})
		renewed := root.Sub(istiotest.Spec{Name: "Intermediate", Key: old.Key})
		fill(data, renewed.CACerts())
		data["cert-chain.pem"] = renewed.PEM() + old.PEM() + root.PEM()
	},
	"a renewed intermediate, with the old one in the chain": func(root, _ *istiotest.Authority, data map[string]string) {
		old := root.Sub(istiotest.Spec{Name: "Intermediate"})
		fill(data, root.Sub(istiotest.Spec{Name: "Intermediate", Key: old.Key}).CACerts())
		data["cert-chain.pem"] = old.PEM() + root.PEM()
	},
	"a renewed intermediate, with one in the chain that may not sign": func(root, _ *istiotest.Authority, data map[string]string) {
		old := root.Sub(istiotest.Spec{Name: "Intermediate", NotCA: true})
		fill(data, root.Sub(istiotest.Spec{Name: "Intermediate", Key: old.Key}).CACerts())
		data["cert-chain.pem"] = old.PEM() + root.PEM()
	},
	"a signing certificate that is a root to workloads too, and may not sign there": func(root, _ *istiotest.Authority, data map[string]string) {
		a := root.Sub(istiotest.Spec{Name: "Intermediate"})
		fill(data, a.CACerts())
		data["cert-chain.pem"] = ""
		data["root-cert.pem"] += root.Sub(istiotest.Spec{Name: "Intermediate", Key: a.Key, NotCA: true}).PEM()
	},
	"a key that cannot sign": func(_, _ *istiotest.Authority, data map[string]string) {
		data["ca-key.pem"] = encodeKey(must(ecdh.X25519().GenerateKey(rand.Reader)), false)
	},
	"a key under the name of another format": func(_, _ *istiotest.Authority, data map[string]string) {
		data["ca-key.pem"] = strings.ReplaceAll(data["ca-key.pem"], " PRIVATE KEY", " EC PRIVATE KEY")
	},
	"an encrypted key before the plain one": func(_, _ *istiotest.Authority, data map[string]string) {
		data["ca-key.pem"] = block("ENCRYPTED PRIVATE KEY", []byte("secret")) + data["ca-key.pem"]
	},
	"extended key usage that allows for clients alone, above": func(_, _ *istiotest.Authority, data map[string]string) {
		fill(data, istiotest.Root(istiotest.Spec{}).Sub(istiotest.Spec{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}).Sub(istiotest.Spec{}).CACerts())
	},
	"extended key usage of the root": func(_, _ *istiotest.Authority, data map[string]string) {
		fill(data, istiotest.Root(istiotest.Spec{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}).Sub(istiotest.Spec{}).CACerts())
	},
	"two authorities of one name in the chain, and a list of the last": func(root, a *istiotest.Authority, data map[string]string) {
		other := root.Sub(istiotest.Spec{Name: a.Cert.Subject.CommonName})
		data["cert-chain.pem"] = a.PEM() + other.PEM() + root.PEM()
		data["ca-crl.pem"] = other.CRL(soon) + root.CRL(soon)
	},
	"two authorities of one name in the chain, and a list of the first": func(root, a *istiotest.Authority, data map[string]string) {
		data["cert-chain.pem"] = a.PEM() + root.Sub(istiotest.Spec{Name: a.Cert.Subject.CommonName}).PEM() + root.PEM()
		data["ca-crl.pem"] = a.CRL(soon) + root.CRL(soon)
	},
	"nothing but a revocation list": func(_, a *istiotest.Authority, data map[string]string) {
		fill(data, map[string]string{"ca-crl.pem": a.CRL(soon)})
	},
	"tls layout: no newline between the two files": func(_, a *istiotest.Authority, data map[string]string) {
		fill(data, a.TLSCACerts())
		data["tls.crt"] = strings.TrimSpace(data["tls.crt"])
	},
	"tls layout: a last line that does not end before the next file": func(_, a *istiotest.Authority, data map[string]string) {
		fill(data, a.TLSCACerts())
		data["tls.crt"] = "# ours\n" + data["tls.crt"] + "# the end"
	},
	"tls layout: no root": func(_, a *istiotest.Authority, data map[string]string) {
		fill(data, a.TLSCACerts())
		data["ca.crt"] = ""
	},
	"tls layout: the whole chain": func(_, a *istiotest.Authority, data map[string]string) {
		b := a.Sub(istiotest.Spec{})
		fill(data, b.TLSCACerts())
		data["tls.crt"] = b.PEM() + a.PEM()
	},
}

var soon = istiotest.Now.AddDate(0, 1, 0)

// TestEdges holds each of edges against istiod.
func TestEdges(t *testing.T) {
	for name, change := range edges {
		t.Run(name, func(t *testing.T) {
			root := istiotest.Root(istiotest.Spec{})
			a := root.Sub(istiotest.Spec{})
			data := a.CACerts()
			change(root, a, data)
			if _, differences := holdAlone(t, istiotest.Now, data); len(differences) > 0 {
				t.Errorf("%s", strings.Join(differences, "\n"))
			}
		})
	}
}

// holdAlone holds a Secret against istiod in a mesh of one cluster that runs on
// it, at a time.
func holdAlone(t *testing.T, when time.Time, data map[string]string) (verdict, []string) {
	t.Helper()
	fleet := istiotest.Healthy("west")
	west := fleet.Clusters[0]
	west.CACerts, west.Published = data, data["root-cert.pem"]
	if _, tls := data["tls.crt"]; tls {
		west.Published = data["ca.crt"]
	}
	facts := fleet.Facts()
	facts.At = when
	return hold(t, when, data, judge(t, facts), west.Name)
}

// fill puts other data in the place of what is there.
func fill(data, other map[string]string) {
	clear(data)
	for key, value := range other {
		data[key] = value
	}
}

// withHeader gives the first PEM block of a text a header.
func withHeader(text string) string {
	return strings.Replace(text, "-----\n", "-----\nComment: made by hand\n\n", 1)
}

func ago(days int) time.Time { return istiotest.Now.AddDate(0, 0, -days) }
