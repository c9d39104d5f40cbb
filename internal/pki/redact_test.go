package pki_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

func TestRedactKeepsWhatIsPublic(t *testing.T) {
	a := istiotest.Root(istiotest.Spec{}).Sub(istiotest.Spec{})
	withHeader := strings.Replace(a.PEM(), "-----\n", "-----\nHeaders: left out\n\n", 1)
	for name, text := range map[string]string{
		"certificates": a.Chain(),
		"CRLF":         strings.ReplaceAll(a.Chain(), "\n", "\r\n"),
		"a CRL":        a.PEM() + a.CRL(istiotest.Now),
		"headers":      withHeader,
		"another type": strings.ReplaceAll(a.PEM(), "CERTIFICATE", "X509 CERTIFICATE"),
		"empty":        "",
		"white space":  "\n \n",
	} {
		if diff := cmp.Diff(text, string(pki.Redact([]byte(text)))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestRedactTakesAwayWhatIsSecret(t *testing.T) {
	a := istiotest.Root(istiotest.Spec{})
	for name, text := range map[string]string{
		"a key":                               a.KeyPEM(),
		"a key among certificates":            a.PEM() + a.KeyPEM() + a.PEM(),
		"a key that does not end":             strings.TrimSuffix(a.KeyPEM(), "-----END PRIVATE KEY-----\n"),
		"a key that does not end, and a good": strings.TrimSuffix(a.KeyPEM(), "-----END PRIVATE KEY-----\n") + a.PEM(),
		"a key labelled as a certificate":     strings.ReplaceAll(a.KeyPEM(), "PRIVATE KEY", "CERTIFICATE"),
		"a key labelled as something":         strings.ReplaceAll(a.KeyPEM(), "PRIVATE KEY", "SOMETHING"),
		"bare base64":                         base64.StdEncoding.EncodeToString(keyDER(a)),
		"DER":                                 string(keyDER(a)),
		"headers":                             strings.Replace(a.PEM(), "-----\n", "-----\nPassword: "+secretOf(a)+"\n\n", 1),
		"text":                                "the password is " + secretOf(a) + "\n" + a.PEM(),
	} {
		t.Run(name, func(t *testing.T) {
			got := string(pki.Redact([]byte(text)))
			if leaks(got, a) {
				t.Errorf("the key is still there:\n%s", got)
			}
			if again := string(pki.Redact([]byte(got))); again != got {
				t.Errorf("redacting again changed it:\n%s", cmp.Diff(got, again))
			}
		})
	}
}

func keyDER(a *istiotest.Authority) []byte {
	text := strings.Split(strings.TrimSpace(a.KeyPEM()), "\n")
	der, err := base64.StdEncoding.DecodeString(strings.Join(text[1:len(text)-1], ""))
	if err != nil {
		panic(err)
	}
	return der
}

// secretOf is a piece of the key's PEM that occurs nowhere else.
func secretOf(a *istiotest.Authority) string { return strings.Split(a.KeyPEM(), "\n")[1][40:60] }

func leaks(text string, a *istiotest.Authority) bool {
	return strings.Contains(text, secretOf(a)) || bytes.Contains([]byte(text), keyDER(a)[40:60])
}

func FuzzRedact(f *testing.F) {
	a := istiotest.Root(istiotest.Spec{})
	for _, seed := range []string{
		"", a.PEM(), a.KeyPEM(), a.PEM() + a.KeyPEM(), "-----BEGIN CERTIFICATE-----\n", a.CRL(istiotest.Now),
		"-----BEGIN X-----\nA: b\n\nAAAA\n-----END X-----", "# (3 bytes left out)\n", "-----BEGIN REDACTED PRIVATE KEY-----\nProblem: is empty\n\n-----END REDACTED PRIVATE KEY-----\n",
		strings.ReplaceAll(a.PEM(), "\n", "\r"), "-----BEGIN -----\n-----END -----",
		strings.Replace(a.PEM(), "-----\n", "-----\nComment: x\n\n", 1), strings.ReplaceAll(a.PEM(), "CERTIFICATE", "X509 CERTIFICATE"), a.PEM() + "the end",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		once := pki.Redact(text)
		if twice := pki.Redact(once); !bytes.Equal(once, twice) {
			t.Fatalf("redacting twice changes more:\n%q\n%q", once, twice)
		}
		if before, after := read(text), read(once); !cmp.Equal(before, after) {
			t.Fatalf("what is read changed: %s", cmp.Diff(before, after))
		}
		if before, after := pki.ParsePrivateKey(text), pki.ParsePrivateKey(once); before.PublicKeySHA256 != after.PublicKeySHA256 {
			t.Fatalf("the key %+v became %+v", before, after)
		}
	})
}

// read is what rules see of a value.
func read(text []byte) []string {
	b := pki.ParseBundle(text)
	out := append([]string{b.Problem}, b.Passed...)
	for _, c := range b.Certificates {
		out = append(out, c.SHA256)
	}
	for _, block := range b.Blocks {
		if block.Certificate != nil {
			out = append(out, block.Certificate.SHA256)
		}
	}
	return out
}

func FuzzParseBundle(f *testing.F) {
	a := istiotest.Root(istiotest.Spec{RSABits: 2048})
	for _, seed := range []string{"", a.PEM(), a.KeyPEM(), a.Sub(istiotest.Spec{}).Chain(), a.CRL(istiotest.Now), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		b := pki.ParseBundle(text)
		if len(b.Certificates) == 0 && len(b.Passed) == 0 && b.Problem == "" {
			t.Fatalf("nothing was read of %q, and no problem seen", text)
		}
		if _, ok := b.First(); ok != (b.Problem == "") {
			t.Fatalf("the first block is a certificate: %t, with problem %q", ok, b.Problem)
		}
		for _, c := range b.Certificates {
			_ = c.Subject() + c.Issuer() + c.Key() + c.WeakKey() + c.BrokenSignature() + c.PublicKeySHA256()
			c.SelfSigned()
		}
	})
}
