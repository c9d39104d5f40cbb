package istio_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// redact stands for what takes secrets out of PEM.
func redact(text []byte) []byte {
	return []byte(strings.ReplaceAll(string(text), "SECRET", "(left out)"))
}

func TestReduceMeshConfigKeepsOnlyWhatRulesRead(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"empty":          {"", "{}"},
		"only comments":  {"# nothing here", "{}"},
		"nothing of use": {"accessLogFile: /dev/stdout\nmeshMTLS: {minProtocolVersion: TLSV1_3}", "{}"},
		"trust domain and aliases": {
			"trustDomain: east.local\ntrustDomainAliases: [west.local, old.local]\nenableTracing: true",
			"trustDomain: east.local\ntrustDomainAliases: [west.local, old.local]",
		},
		"a field that is set twice": {"trustDomain: a\ntrustDomain: b", "trustDomain: b"},
		"JSON is YAML":              {`{"trustDomain": "east.local", "enableTracing": true}`, "trustDomain: east.local"},
		"access tokens of tracers": {
			"defaultConfig:\n  concurrency: 2\n  tracing: {lightstep: {accessToken: SECRET}}\nextensionProviders: [{name: x, SECRET: SECRET}]",
			"{}",
		},
		"of the metadata of proxies only what is known": {
			"defaultConfig:\n  proxyMetadata:\n    PROXY_CONFIG_XDS_AGENT: 'true'\n    CA_ADDR: istiod-canary:15012\n    TOKEN: SECRET\n",
			"defaultConfig: {proxyMetadata: {PROXY_CONFIG_XDS_AGENT: 'true', CA_ADDR: 'istiod-canary:15012'}}",
		},
		"metadata of which nothing is known": {"defaultConfig: {proxyMetadata: {TOKEN: SECRET}}", "{}"},
		"a variable that is set to nothing":  {"defaultConfig: {proxyMetadata: {CA_ADDR: ''}}", "defaultConfig: {proxyMetadata: {CA_ADDR: ''}}"},
		"further roots": {
			"caCertificates:\n- pem: root\n  certSigners: [a/b]\n  trustDomains: [x.local]\n  note: SECRET\n- spiffeBundleUrl: https://bundle.example/x\n",
			"caCertificates:\n- pem: root\n  certSigners: [a/b]\n  trustDomains: [x.local]\n- spiffeBundleUrl: https://bundle.example/x\n",
		},
		"a private key among the roots": {"caCertificates: [{pem: a SECRET b}]", "caCertificates: [{pem: a (left out) b}]"},
		"a password in the bundle's URL": {
			"caCertificates: [{spiffeBundleUrl: 'https://user:SECRET@bundle.example/x?token=SECRET'}]",
			"caCertificates: [{spiffeBundleUrl: 'https://bundle.example/x'}]",
		},
		// That there is one matters to rules, so it does not become an empty one.
		"a bundle's URL that is none": {"caCertificates: [{spiffeBundleUrl: 'https://user:%SECRET@x'}]", "caCertificates: [{spiffeBundleUrl: '[not a URL]'}]"},
		"discovery selectors": {
			"discoverySelectors:\n- matchLabels: {mesh: east}\n- matchExpressions: [{key: env, operator: In, values: [a, b]}]\n",
			"discoverySelectors:\n- matchLabels: {mesh: east}\n- matchExpressions: [{key: env, operator: In, values: [a, b]}]\n",
		},

		"not YAML":                    {"trustDomain: [SECRET", "[not YAML]"},
		"not a mesh config":           {"[SECRET]", "[not YAML]"},
		"a field of another type":     {"trustDomain: [SECRET]", "[not YAML]"},
		"a value that was cut before": {"[not YAML]", "[not YAML]"},
	} {
		t.Run(name, func(t *testing.T) {
			got := istio.ReduceMeshConfig(c.in, redact)
			if strings.Contains(got, "SECRET") {
				t.Errorf("a secret is left in it: %s", got)
			}
			if diff := cmp.Diff(decoded(t, c.want), decoded(t, got)); diff != "" {
				t.Errorf("mesh config (-want +got):\n%s", diff)
			}
		})
	}
}

func decoded(t *testing.T, text string) any {
	t.Helper()
	var out any
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	return out
}

func TestParseMeshConfig(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want istio.MeshConfig
	}{
		"nothing is istiod's defaults": {"", istio.MeshConfig{ConfigMap: "istio", TrustDomain: "cluster.local"}.Defaulted()},
		"all that rules read": {
			"trustDomain: td\ntrustDomainAliases: [a]\ncaCertificates: [{pem: p}]\ndefaultConfig: {proxyMetadata: {CA_ADDR: x}}\ndiscoverySelectors: [{matchLabels: {a: b}}]\nother: 1",
			istio.MeshConfig{
				ConfigMap: "istio", TrustDomain: "td", TrustDomainAliases: []string{"a"}, CACertificates: []istio.CACertificate{{PEM: "p"}},
				DefaultConfig:      istio.ProxyConfig{ProxyMetadata: map[string]string{"CA_ADDR": "x"}},
				DiscoverySelectors: []*metav1.LabelSelector{{MatchLabels: map[string]string{"a": "b"}}},
			}.Defaulted(),
		},
	} {
		got, err := istio.ParseMeshConfig("istio", c.in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, broken := range []string{"trustDomain: [SECRET", "SECRET", "[not YAML]"} {
		_, err := istio.ParseMeshConfig("istio-canary", broken)
		if err == nil || err.Error() != "configmap istio-canary, key mesh: it is not a mesh config in YAML" {
			t.Errorf("%q: %v", broken, err)
		}
	}
}

func TestMeshConfigs(t *testing.T) {
	canary := deployment(named("istio-system", "istiod-canary"), env("REVISION", "canary"))
	type result struct {
		Domains map[string]string // by ConfigMap
		Errors  int
	}
	for name, c := range map[string]struct {
		texts map[string]string
		want  result
	}{
		"one for each revision":               {map[string]string{"istio": "trustDomain: a", "istio-canary": "trustDomain: b"}, result{map[string]string{"istio": "a", "istio-canary": "b"}, 0}},
		"a revision without one has defaults": {map[string]string{"istio": "trustDomain: a"}, result{map[string]string{"istio": "a", "istio-canary": "cluster.local"}, 0}},
		"one of no revision is not used":      {map[string]string{"istio-old": "trustDomain: a"}, result{map[string]string{"istio": "cluster.local", "istio-canary": "cluster.local"}, 0}},
		"a broken one hides none of the rest": {map[string]string{"istio": "[", "istio-canary": "trustDomain: b"}, result{map[string]string{"istio-canary": "b"}, 1}},
	} {
		in := cluster(deployment(), deployment(named("istio-system", "second")), canary)
		for name, text := range c.texts {
			withMesh(in, name, text)
		}
		meshes, errs := istio.MeshConfigs(in)
		got := result{map[string]string{}, len(errs)}
		for _, m := range meshes {
			if _, twice := got.Domains[m.ConfigMap]; twice {
				t.Errorf("%s: %s is there twice", name, m.ConfigMap)
			}
			got.Domains[m.ConfigMap] = m.TrustDomain
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestSelects(t *testing.T) {
	labels := map[string]string{"mesh": "east", "env": "prod"}
	for name, c := range map[string]struct {
		in   string
		want bool
	}{
		"no selector is all namespaces":  {"", true},
		"an empty list too":              {"discoverySelectors: []", true},
		"a label":                        {"discoverySelectors: [{matchLabels: {mesh: east}}]", true},
		"another label":                  {"discoverySelectors: [{matchLabels: {mesh: west}}]", false},
		"one of several selectors":       {"discoverySelectors: [{matchLabels: {mesh: west}}, {matchLabels: {env: prod}}]", true},
		"both labels of one selector":    {"discoverySelectors: [{matchLabels: {mesh: west, env: prod}}]", false},
		"an expression":                  {"discoverySelectors: [{matchExpressions: [{key: env, operator: NotIn, values: [prod]}]}]", false},
		"an empty selector":              {"discoverySelectors: [{}]", true},
		"a selector that is none":        {"discoverySelectors: [{matchExpressions: [{key: env, operator: Like}]}]", false},
		"a selector that is not written": {"discoverySelectors: [null]", false},
	} {
		m, err := istio.ParseMeshConfig("istio", c.in)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Selects(labels); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// Whatever the value: rules read of the reduced one what they would have read of
// it, and of the proxies' metadata there is no more in it.
func FuzzReduceMeshConfig(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "null", "[]", "a", "trustDomain: a", "trustDomain: 1", "trustDomain: [", "trustDomain: \"\\0\\uFEFF\"", "\t", "? x", "a: &a [*a]",
		"caCertificates: [{pem: |-\n a\n b}, {spiffeBundleUrl: 'https://u:p@x'}, null]", "caCertificates: [{pem: \"a\\r\\n\"}]",
		"defaultConfig: {proxyMetadata: {CA_ADDR: x, TOKEN: y, PROXY_CONFIG_XDS_AGENT: true}}", "defaultConfig: null",
		"discoverySelectors: [null, {matchLabels: {a: b}}, {matchExpressions: [{key: a, operator: Exists}]}]", "a: b\n---\nc: d", "[not YAML]",
		"caCertificates: [{spiffeBundleUrl: '//u:p@x'}, {spiffeBundleUrl: 'u:p@x'}]",
	} {
		f.Add(seed)
	}
	unread := func(name, _ string) bool { return !slices.Contains(istio.ProxyEnv, name) }
	f.Fuzz(func(t *testing.T, text string) {
		reduced := istio.ReduceMeshConfig(text, redact)
		if again := istio.ReduceMeshConfig(reduced, redact); again != reduced {
			t.Fatalf("reducing twice changes more:\n%q\n%q", reduced, again)
		}
		before, err := istio.ParseMeshConfig("istio", text)
		after, errAfter := istio.ParseMeshConfig("istio", reduced)
		if (err == nil) != (errAfter == nil) {
			t.Fatalf("%v became %v", err, errAfter)
		}
		if err != nil {
			return
		}
		for i := range before.CACertificates {
			ca := &before.CACertificates[i]
			ca.PEM = string(redact([]byte(ca.PEM)))
			if (ca.SPIFFEBundleURL == "") != (after.CACertificates[i].SPIFFEBundleURL == "") {
				t.Fatalf("that there is a bundle's URL was forgotten: %q", reduced)
			}
		}
		maps.DeleteFunc(before.DefaultConfig.ProxyMetadata, unread)
		opts := cmp.Options{cmpopts.EquateEmpty(), cmpopts.IgnoreFields(istio.CACertificate{}, "SPIFFEBundleURL")}
		if diff := cmp.Diff(before, after, opts); diff != "" {
			t.Fatalf("what rules read changed (-before +after):\n%s", diff)
		}
		for name := range after.DefaultConfig.ProxyMetadata {
			if unread(name, "") {
				t.Fatalf("variable %s was kept: %q", name, reduced)
			}
		}
	})
}
