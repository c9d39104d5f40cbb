package certs

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

func certificates(of ...*istiotest.Authority) []pki.Certificate {
	var out []pki.Certificate
	for _, a := range of {
		out = append(out, pki.ParseBundle([]byte(a.PEM())).Certificates...)
	}
	return out
}

// BoringSSL sorts its roots each time one more comes, and turns the order of equal names.
func TestStore(t *testing.T) {
	root := func() *istiotest.Authority { return istiotest.Root(istiotest.Spec{Name: "Root CA"}) }
	all := certificates(root(), root(), root(), istiotest.Root(istiotest.Spec{Name: "Root"}))
	for name, c := range map[string]struct{ roots, want []int }{
		"two":       {[]int{0, 1}, []int{1, 0}},
		"three":     {[]int{0, 1, 2}, []int{0, 2, 1}},
		"repeated":  {[]int{0, 0, 1}, []int{1, 0}},
		"by length": {[]int{0, 3}, []int{3, 0}},
	} {
		var roots, want []pki.Certificate
		for _, i := range c.roots {
			roots = append(roots, all[i])
		}
		for _, i := range c.want {
			want = append(want, all[i])
		}
		if got := newStore(roots); !slices.Equal(inOrder(got), inOrder(want)) {
			t.Errorf("%s: %v, want %v", name, inOrder(got), inOrder(want))
		}
	}
}

// Which of two roots of one name is taken depends on their order, unless a key identifier
// tells.
func TestConfused(t *testing.T) {
	a, b := istiotest.Root(istiotest.Spec{Name: "Root CA"}), istiotest.Root(istiotest.Spec{Name: "Root CA"})
	for name, c := range map[string]struct {
		signer *istiotest.Authority
		roots  []*istiotest.Authority
		want   bool
	}{
		"its root is taken":          {a.Sub(istiotest.Spec{NoKeyID: true}), []*istiotest.Authority{b, a}, false},
		"the other one is taken":     {a.Sub(istiotest.Spec{NoKeyID: true}), []*istiotest.Authority{a, b}, true},
		"the key identifier tells":   {a.Sub(istiotest.Spec{}), []*istiotest.Authority{a, b}, false},
		"its root is the only one":   {a.Sub(istiotest.Spec{NoKeyID: true}), []*istiotest.Authority{a}, false},
		"its root is not there":      {a.Sub(istiotest.Spec{NoKeyID: true}), []*istiotest.Authority{b}, false},
		"the root signs by itself":   {a, []*istiotest.Authority{a, b}, false},
		"upper without a key number": {a.Sub(istiotest.Spec{NoKeyID: true}).Sub(istiotest.Spec{}), []*istiotest.Authority{a, b}, true},
	} {
		var chain []*istiotest.Authority
		for up := c.signer; up != nil; up = up.Issuer {
			chain = append(chain, up)
		}
		_, got := confused(certificates(c.signer)[0], certificates(chain...), certificates(c.roots...))
		if got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// Roots that Envoy would confuse are not to be put into one bundle.
func TestNoTrustInNamesakes(t *testing.T) {
	f := istiotest.Healthy("east", "west")
	for _, c := range f.Clusters {
		c.Plug(istiotest.Root(istiotest.Spec{Name: "Root CA"}).Sub(istiotest.Spec{NoKeyID: true}))
	}
	for _, command := range printed(only(t, f.Facts(), "CERT002")) {
		if strings.Contains(command, rootsFile) {
			t.Errorf("gathers the roots: %s", command)
		}
	}
}

// No fix writes Secret cacerts where cert-manager does.
func TestSecretsOfOthers(t *testing.T) {
	for _, c := range istiotest.Faults {
		f := c.Fleet()
		for _, cluster := range f.Clusters {
			cluster.Change = func(o runtime.Object) {
				if s, ok := o.(*corev1.Secret); ok && s.Name == istio.CACertsSecret {
					metav1.SetMetaDataAnnotation(&s.ObjectMeta, "cert-manager.io/certificate-name", "istio-ca")
					s.ManagedFields = nil
				}
			}
		}
		for _, found := range run(t, f.Facts(), Options{ExpiryWarn: DefaultExpiryWarn}).Findings {
			for _, command := range finding.Commands(found.Fix) {
				written := command.Context() // of a cluster that has none, nobody writes it
				if slices.Contains(command.Args, istio.CACertsSecret) && f.Get(written).CACerts != nil {
					t.Errorf("%s: %s writes the secret of cert-manager: %s", c.Name, found.Code, command)
				}
			}
		}
	}
}
