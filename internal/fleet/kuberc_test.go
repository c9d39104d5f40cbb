package fleet

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/kubectl/pkg/kuberc"
)

// FuzzPreferences holds that a kuberc file says the same to kubectl and to us.
func FuzzPreferences(f *testing.F) {
	const head = "apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\n"
	for _, seed := range []string{
		"", "---\n", "a: b", "\t", head, head + "credentialPluginPolicy: DenyAll\n",
		head + "credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: [{name: x}]\n",
		"apiVersion: kubectl.config.k8s.io/v1alpha1\nkind: Preference\naliases: [{name: a, command: get}]\n",
		head + "unknown: field\ncredentialPluginPolicy: DenyAll\n",
		"kind: Pod\napiVersion: v1\n---\n" + head + "credentialPluginPolicy: DenyAll\n",
		"kind: Preference\napiVersion: kubectl.config.k8s.io/v9\n---\n\n---\n" + head,
	} {
		f.Add([]byte(seed))
	}
	f.Setenv("KUBERC", "")
	f.Fuzz(func(t *testing.T, text []byte) {
		file := filepath.Join(t.TempDir(), "kuberc")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		want, wantErr := kuberc.DefaultGetPreferences(file, io.Discard)
		got, err := readPreferences(file)
		// kubectl has warned of what it passed over.
		if diff := cmp.Diff(want, got); diff != "" || (wantErr != nil) != (err != nil && got == nil) {
			t.Errorf("%v, kubectl: %v (-kubectl +got):\n%s", err, wantErr, diff)
		}
	})
}
