package resources

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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

// Of a kubeconfig there remains what is public, and of credentials the kind and
// what they claim.
func TestAccess(t *testing.T) {
	legacy := jwt(`{"iss":"kubernetes/serviceaccount","sub":"system:serviceaccount:a:b","kubernetes.io/serviceaccount/service-account.uid":"u1","kubernetes.io/serviceaccount/secret.name":"s1"}`)
	bound := jwt(`{"iss":"https://i","sub":"system:serviceaccount:a:b","iat":1700000000,"exp":1700003600.5,"kubernetes.io":{"serviceaccount":{"uid":"u2"},"secret":{"name":"s2"}}}`)
	for name, c := range map[string]struct {
		kubeconfig []byte
		want       facts.Access
	}{
		"a token of a Secret": {kubeconfigOf(plainCluster, `{"token":"`+legacy+`"}`), facts.Access{Kind: "token", Token: &facts.TokenClaims{
			Subject: "system:serviceaccount:a:b", Issuer: "kubernetes/serviceaccount", AccountUID: "u1", Secret: "s1",
		}}},
		"a bound token": {kubeconfigOf(plainCluster, `{"token":"`+bound+`"}`), facts.Access{Kind: "token", Token: &facts.TokenClaims{
			Subject: "system:serviceaccount:a:b", Issuer: "https://i", AccountUID: "u2", Secret: "s2",
			IssuedAt: time.Unix(1700000000, 0).UTC(), Expires: time.Unix(1700003600, 0).UTC(),
		}}},
		"times that are none":     {kubeconfigOf(plainCluster, `{"token":"`+jwt(`{"sub":"x","exp":1e300,"iat":-5}`)+`"}`), facts.Access{Kind: "token", Token: &facts.TokenClaims{Subject: "x"}}},
		"a token that is opaque":  {kubeconfigOf(plainCluster, `{"token":"`+hunter+`"}`), facts.Access{Kind: "token"}},
		"a token of other claims": {kubeconfigOf(plainCluster, `{"token":"`+jwt(`{"sub":7}`)+`"}`), facts.Access{Kind: "token"}},
		"a password":              {kubeconfigOf(plainCluster, `{"username":"a","password":"`+hunter+`"}`), facts.Access{Kind: "password"}},
		"a program":               {kubeconfigOf(plainCluster, `{"exec":{"apiVersion":"client.authentication.k8s.io/v1","command":"`+hunter+`"}}`), facts.Access{Kind: "exec"}},
		"nobody":                  {kubeconfigOf(plainCluster, `{}`), facts.Access{Kind: "none"}},
		"no check, a proxy and a name": {
			kubeconfigOf(`{"server":"https://x","insecure-skip-tls-verify":true,"proxy-url":"http://`+hunter+`@p","tls-server-name":"n"}`, `{}`),
			facts.Access{Kind: "none", Insecure: true, Proxy: true, ServerName: "n"},
		},
		"nothing":     {nil, facts.Access{}},
		"not YAML":    {[]byte("[" + hunter), facts.Access{}},
		"much":        {[]byte("a: " + strings.Repeat("x", 5<<20)), facts.Access{}},
		"a YAML bomb": {bomb(), facts.Access{}},
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "istio-system", Name: "s", Labels: map[string]string{"istio/multiCluster": "true"}}, Data: map[string][]byte{"west": c.kubeconfig}}
			trimmed := trimRemoteSecret(secret)
			got := RemoteSecretsOf(trimmed)[0]
			again := RemoteSecretsOf(SecretsOf([]facts.RemoteSecret{got})[0])[0]
			if diff := cmp.Diff(c.want, got.Access); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(got.Access, again.Access); diff != "" {
				t.Errorf("written and read again (-before +after):\n%s", diff)
			}
			text, err := json.Marshal([]any{trimmed, got, again})
			if err != nil || strings.Contains(string(text), hunter) || strings.Contains(string(text), base64.StdEncoding.EncodeToString([]byte(hunter))) {
				t.Errorf("%v, or a credential was kept: %s", err, text)
			}
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// bomb is YAML that would be large if its aliases were followed.
func bomb() []byte {
	text := "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := range 12 {
		text += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 10), ","))
	}
	return []byte(text)
}

// Large kubeconfigs and bombs are refused for a reason that is shown.
func TestHostileKubeconfigsAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"much": {"a: " + strings.Repeat("x", 5<<20), problemTooLarge},
		"bomb": {string(bomb()), problemUnreadable},
		"deep": {strings.Repeat("[", 1<<19), problemUnreadable},
	} {
		if why, _ := refused(reduced([]byte(c.text)), nil, "west"); why != c.want {
			t.Errorf("%s: %q", name, why)
		}
	}
}

func FuzzAccess(f *testing.F) {
	f.Add([]byte("a: b"))
	f.Add(kubeconfigOf(plainCluster, `{"token":"`+jwt(`{"sub":"x","exp":1}`)+`"}`))
	f.Add(kubeconfigOf(`{"server":"https://x","certificate-authority-data":"AAAA"}`, `{"client-certificate-data":"AAAA","client-key-data":"AAAA"}`))
	f.Add(bomb())
	f.Fuzz(func(t *testing.T, text []byte) {
		secret := &corev1.Secret{Data: map[string][]byte{"k": text}}
		got := RemoteSecretsOf(trimRemoteSecret(secret))[0]
		again := RemoteSecretsOf(SecretsOf([]facts.RemoteSecret{got})[0])[0]
		if diff := cmp.Diff(got.Access, again.Access); diff != "" {
			t.Errorf("written and read again (-before +after):\n%s", diff)
		}
	})
}
