package ask

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
)

const hunter = "hunter2"

func jwt(claims string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + "." + hunter
}

func kubeconfigOf(cluster, user string) []byte {
	return fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Config","current-context":"x",
"clusters":[{"name":"x","cluster":%s}],"contexts":[{"name":"x","context":{"cluster":"x","user":"x"}}],"users":[{"name":"x","user":%s}]}`, cluster, user)
}

const plainCluster = `{"server":"https://west.example:6443"}`

// A credential that is used never prints itself.
func FuzzCredential(f *testing.F) {
	f.Add([]byte("a: b"))
	f.Add(kubeconfigOf(plainCluster, `{"token":"`+jwt(`{"sub":"x","exp":1}`)+`"}`))
	f.Add(kubeconfigOf(`{"server":"https://x","certificate-authority-data":"AAAA"}`, `{"client-certificate-data":"AAAA","client-key-data":"AAAA"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, ok := newCredential(text); ok {
			if text := fmt.Sprintf("%v %+v %#v %s", c, c, c, &Credentials{of: map[facts.SecretKey]credential{{}: c}}); c.token != "" && len(c.token) > 12 && strings.Contains(text, c.token) {
				t.Error("a credential prints itself")
			}
		}
	})
}
