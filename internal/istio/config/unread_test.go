package config_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/config"
)

func TestUnreadFields(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"nothing":                         {"", nil},
		"all is read":                     {"trustDomain: a\ndefaultConfig: {concurrency: 2, proxyMetadata: {WHATEVER: x}}\nextensionProviders: [{name: x, whatever: {}}]", nil},
		"as in the message":               {"trust_domain: a\nh2_upgrade_policy: UPGRADE\nmesh_mTLS: {}\ndefaultConfig: {drain_duration: 5s, tracing_service_name: x, serviceCluster: x}", nil},
		"of old releases":                 {"mixerCheckServer: x\ndisable_policy_checks: true\nfileFlushMinSizeKb: 1\ndefaultConfig: {parentShutdownDuration: 1s}", nil},
		"of both":                         {"enableAutoMTLS: true\nmtls: {}\ndefaultConfig: {resources: {limits: {}}, accessLogFile: x}", []string{"defaultConfig.accessLogFile", "defaultConfig.resources", "enableAutoMTLS", "mtls"}},
		"defaultConfig that is no object": {"defaultConfig: 7", nil},
		// Such a key can be a value that lost its place.
		"what is no name of a field": {"'a b': 1\nc2VjcmV0: 1\n'Bearer abc': 1\n" + "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz: 1", nil},
		"what is no mesh config":     {"[a]", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, config.UnreadFields(c.text), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
			// What is kept of a mesh config tells the same, and nothing of the values.
			kept := config.ReduceMeshConfig(c.text, func(b []byte) []byte { return b })
			if diff := cmp.Diff(c.want, config.UnreadFields(kept), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("fields of what is kept (-want +got):\n%s\n%s", diff, kept)
			}
			if again := config.ReduceMeshConfig(kept, func(b []byte) []byte { return b }); again != kept {
				t.Errorf("reduced again:\n%s\nonce:\n%s", again, kept)
			}
		})
	}
	const secret = "token: s3cr3t\ndefaultConfig: {password: {a: s3cr3t}, concurrency: 2}\n"
	want := "defaultConfig:\n  password: null\ntoken: null\n"
	if diff := cmp.Diff(want, config.ReduceMeshConfig(secret, func(b []byte) []byte { return b })); diff != "" {
		t.Errorf("what is kept (-want +got):\n%s", diff)
	}
}
