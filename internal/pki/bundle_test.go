package pki_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

func TestParseBundle(t *testing.T) {
	a, b := istiotest.Root(istiotest.Spec{Name: "a"}), istiotest.Root(istiotest.Spec{Name: "b"})
	withHeader := strings.Replace(a.PEM(), "-----\n", "-----\nComment: x\n\n", 1)
	for name, c := range map[string]struct {
		text     string
		subjects []string
		problem  string
		passed   int
	}{
		"one":                       {text: a.PEM(), subjects: []string{"CN=a,O=Istio"}},
		"two":                       {text: a.PEM() + b.PEM(), subjects: []string{"CN=a,O=Istio", "CN=b,O=Istio"}},
		"CRLF and a comment":        {text: "# our root\r\n" + strings.ReplaceAll(a.PEM(), "\n", "\r\n"), subjects: []string{"CN=a,O=Istio"}},
		"no newline at the end":     {text: strings.TrimSpace(a.PEM()), subjects: []string{"CN=a,O=Istio"}},
		"empty":                     {text: " \n", problem: "is empty"},
		"not PEM":                   {text: "MIIB", problem: "is not PEM"},
		"a key":                     {text: a.KeyPEM(), problem: "is of type PRIVATE KEY", passed: 1},
		"a key first":               {text: a.KeyPEM() + a.PEM(), subjects: []string{"CN=a,O=Istio"}, problem: "is of type PRIVATE KEY", passed: 1},
		"a key last":                {text: a.PEM() + a.KeyPEM(), subjects: []string{"CN=a,O=Istio"}, passed: 1},
		"headers":                   {text: withHeader, passed: 1},
		"garbage in a block":        {text: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", problem: "is not a certificate that can be parsed", passed: 1},
		"a block that does not end": {text: "-----BEGIN CERTIFICATE-----\nAAAA\n", problem: "is not PEM"},
		"10 MB":                     {text: strings.Repeat(a.PEM(), 10<<20/len(a.PEM())), problem: "is 10485156 bytes long, more than a cluster stores"},
	} {
		t.Run(name, func(t *testing.T) {
			got := pki.ParseBundle([]byte(c.text))
			var subjects []string
			for _, cert := range got.Certificates {
				subjects = append(subjects, cert.Subject())
			}
			if diff := cmp.Diff(c.subjects, subjects); diff != "" {
				t.Error(diff)
			}
			if name == "10 MB" {
				c.problem = got.Problem // its length varies with the certificate's
				if !strings.HasSuffix(got.Problem, "more than a cluster stores") {
					t.Errorf("problem %q", got.Problem)
				}
			}
			if got.Problem != c.problem || len(got.Passed) != c.passed {
				t.Errorf("problem %q, passed %q; want %q and %d", got.Problem, got.Passed, c.problem, c.passed)
			}
		})
	}
}

func TestParsePrivateKey(t *testing.T) {
	a := istiotest.Root(istiotest.Spec{})
	want := pki.NewCertificate(a.Cert).PublicKeySHA256()
	for name, c := range map[string]struct{ text, problem string }{
		"PKCS #8":             {text: a.KeyPEM()},
		"a certificate after": {text: a.KeyPEM() + a.PEM()},
		"text before":         {text: "my key\n" + a.KeyPEM()},
		"empty":               {text: "", problem: "is empty"},
		"not PEM":             {text: "hunter2", problem: "is not PEM"},
		"certificate":         {text: a.PEM(), problem: "is of type CERTIFICATE, not a private key"},
		"encrypted":           {text: "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", problem: "is encrypted, which istiod cannot read"},
		"garbage":             {text: "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n", problem: "does not parse as RSA PRIVATE KEY"},
	} {
		t.Run(name, func(t *testing.T) {
			expected := pki.PrivateKey{Problem: c.problem}
			if c.problem == "" {
				expected.PublicKeySHA256 = want
			}
			if diff := cmp.Diff(expected, pki.ParsePrivateKey([]byte(c.text))); diff != "" {
				t.Error(diff)
			}
			// What is left after redaction says the same.
			if diff := cmp.Diff(expected, pki.ParsePrivateKey(pki.Redact([]byte(c.text)))); diff != "" {
				t.Errorf("after redaction: %s", diff)
			}
		})
	}
}
