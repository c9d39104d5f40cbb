package envoy_test

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/envoy"
)

// What a proxy says of its secrets, in the form that Envoy's own messages have as JSON.
func TestReadSecrets(t *testing.T) {
	f, err := os.Open("../../../test/bed/ads/testdata/config_dump-secrets.json")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	chain, roots, err := envoy.ReadSecrets(f)
	if err != nil || string(chain) != "the chain" || string(roots) != "the roots" {
		t.Errorf("%q, %q, %v", chain, roots, err)
	}
	for name, text := range map[string]string{"none": "{}", "none, said otherwise": `{"configs":[]}`, "others": `{"configs":[{"name":"file-cert:/a","secret":{}},{"name":"default","secret":{"name":"default"}}]}`} {
		if chain, roots, err := envoy.ReadSecrets(strings.NewReader(text)); err != nil || len(chain)+len(roots) > 0 {
			t.Errorf("%s: %q, %q, %v", name, chain, roots, err)
		}
	}
	endless := io.MultiReader(strings.NewReader(`{"configs":[{"name":"default","secret":{"tls_certificate":{"certificate_chain":{"inline_string":"`), &repeat{part: "xxxxxxxxxxxxxxxx"})
	for name, r := range map[string]io.Reader{
		"nothing": strings.NewReader(""), "a page": strings.NewReader("<html>"), "something else": strings.NewReader(`{"kind":"Status"}`), "a list": strings.NewReader("[]"),
		"half": strings.NewReader(`{"configs":[{"name":"def`), "more than one": strings.NewReader("{}{}"), "what is no base64": strings.NewReader(`{"configs":[{"secret":{"tls_certificate":{"certificate_chain":{"inline_bytes":"*"}}}}]}`),
		"endless": endless, "endless secrets": io.MultiReader(strings.NewReader(`{"configs":[`), &repeat{part: "{},"}),
	} {
		if chain, roots, err := envoy.ReadSecrets(r); err == nil || chain != nil || roots != nil || !strings.Contains(err.Error(), "the answer is not a list of secrets: ") {
			t.Errorf("%s: %q, %q, %v", name, chain, roots, err)
		}
	}
}

func FuzzReadSecrets(f *testing.F) {
	f.Add(`{"configs":[{"name":"ROOTCA","secret":{"validation_context":{"trusted_ca":{"inline_bytes":"YQ=="}}}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		if chain, roots, err := envoy.ReadSecrets(strings.NewReader(text)); err != nil && len(chain)+len(roots) > 0 {
			t.Errorf("an error, %q and %q", chain, roots)
		}
	})
}
