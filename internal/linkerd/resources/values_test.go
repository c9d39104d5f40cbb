package resources

import (
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// No private key among the roots of an installation is kept, and trimming again changes nothing.
func FuzzValues(f *testing.F) {
	f.Add("clusterDomain: cluster.local\n")
	f.Fuzz(func(t *testing.T, text string) {
		trimmed := trimConfig(&corev1.ConfigMap{Data: map[string]string{KeyValues: text}})
		v, ok := ValuesOf(trimmed)
		if strings.Contains(strings.ReplaceAll(v.IdentityTrustAnchorsPEM, "REDACTED PRIVATE KEY-----", ""), "PRIVATE KEY-----") {
			t.Errorf("it keeps %q", v.IdentityTrustAnchorsPEM)
		}
		if again, is := ValuesOf(trimConfig(trimmed)); is != ok || !reflect.DeepEqual(again, v) {
			t.Errorf("trimmed again %+v is %+v", v, again)
		}
	})
}
