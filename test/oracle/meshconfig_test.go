package oracle

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	meshconfig "istio.io/api/mesh/v1alpha1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/config"
)

// The fields of a mesh config that are known are all that istiod reads, in both of the forms in which they
// can be written.
func TestFieldsOfMeshConfig(t *testing.T) {
	for name, c := range map[string]struct {
		message protoreflect.ProtoMessage
		known   []string
		prefix  string
	}{
		"MeshConfig":  {&meshconfig.MeshConfig{}, config.MeshFields(), ""},
		"ProxyConfig": {&meshconfig.ProxyConfig{}, config.ProxyFields(), "defaultConfig:\n  "},
	} {
		fields := c.message.ProtoReflect().Descriptor().Fields()
		if fields.Len() < 30 {
			t.Fatalf("%s has %d fields", name, fields.Len())
		}
		for i := range fields.Len() {
			f := fields.Get(i)
			if !slices.Contains(c.known, f.JSONName()) {
				t.Errorf("%s: field %s is not known", name, f.JSONName())
			}
			for _, written := range []string{f.JSONName(), f.TextName()} {
				if unread := config.UnreadFields(c.prefix + written + ": x\n"); len(unread) > 0 {
					t.Errorf("%s: %v is said not to be read", name, unread)
				}
			}
		}
	}
}
