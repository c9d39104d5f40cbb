package resources_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// credential is put wherever a kubeconfig can keep one; it may be left nowhere.
const credential = "hunter2"

// kubeconfigFor is a kubeconfig with one user, and what was done to it.
func kubeconfigFor(user *clientcmdapi.AuthInfo, do ...func(*clientcmdapi.Config)) string {
	config := clientcmdapi.NewConfig()
	config.Clusters["east"] = &clientcmdapi.Cluster{Server: "https://east.example:6443", CertificateAuthorityData: []byte("ca")}
	config.Contexts["east"] = &clientcmdapi.Context{Cluster: "east", AuthInfo: "user"}
	config.CurrentContext = "east"
	config.AuthInfos["user"] = user
	for _, f := range do {
		f(config)
	}
	text, err := clientcmd.Write(*config)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func remoteSecret(data map[string]string) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "istio-system", Name: "remote", Labels: map[string]string{"istio/multiCluster": "true"}}}
	s.Data = map[string][]byte{}
	for k, v := range data {
		s.Data[k] = []byte(v)
	}
	return s
}

// entry is what matters of a facts.RemoteSecret here.
type entry struct{ ClusterID, Server, Identity, Problem string }

func entriesOf(s *corev1.Secret) []entry {
	var out []entry
	for _, r := range resources.RemoteSecretsOf(s) {
		out = append(out, entry{r.ClusterID, r.Server, r.Identity, r.Problem})
	}
	return out
}

func trimmed(t *testing.T, s *corev1.Secret) *corev1.Secret {
	t.Helper()
	out, ok := resources.Trim(s).(*corev1.Secret)
	if !ok {
		t.Fatal("a remote secret is not read")
	}
	return out
}

// Of a remote secret there remains where it leads and whom it speaks for, or why it
// cannot be used; what speaks for anybody does not.
func TestRemoteSecrets(t *testing.T) {
	token := istiotest.Token("east")
	const reader = "system:serviceaccount:istio-system:istio-reader-service-account"
	good := kubeconfigFor(&clientcmdapi.AuthInfo{Token: token})
	one := func(server, identity, problem string) []entry { return []entry{{"east", server, identity, problem}} }
	const server = "https://east.example:6443"
	for name, c := range map[string]struct {
		kubeconfig string
		want       []entry
	}{
		"a token of a service account": {good, one(server, reader, "")},
		"a token that is none of JSON": {kubeconfigFor(&clientcmdapi.AuthInfo{Token: credential}), one(server, "", "")},
		"a token with two parts":       {kubeconfigFor(&clientcmdapi.AuthInfo{Token: "e30.eyJzdWIiOiJ4In0"}), one(server, "", "")},
		"a token that claims nothing":  {kubeconfigFor(&clientcmdapi.AuthInfo{Token: "e30.e30." + credential}), one(server, "", "")},
		"a token that is not base64":   {kubeconfigFor(&clientcmdapi.AuthInfo{Token: credential + ".!." + credential}), one(server, "", "")},
		"a client certificate": {
			kubeconfigFor(&clientcmdapi.AuthInfo{ClientCertificateData: []byte(credential), ClientKeyData: []byte(credential)}), one(server, "", ""),
		},
		"a password": {kubeconfigFor(&clientcmdapi.AuthInfo{Username: "admin", Password: credential}), one(server, "", "")},
		"files":      {kubeconfigFor(&clientcmdapi.AuthInfo{TokenFile: "/" + credential, ClientKey: "/" + credential}), one(server, "", "")},
		"a plugin": {
			kubeconfigFor(&clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{
				Command: "sh", Args: []string{"-c", credential}, Env: []clientcmdapi.ExecEnvVar{{Name: "T", Value: credential}},
				APIVersion: "client.authentication.k8s.io/v1", InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
			}}), one(server, "", ""),
		},
		"an auth provider": {
			kubeconfigFor(&clientcmdapi.AuthInfo{AuthProvider: &clientcmdapi.AuthProviderConfig{Name: "oidc", Config: map[string]string{"id-token": credential}}}),
			one(server, "", ""),
		},
		"no user": {kubeconfigFor(nil, func(c *clientcmdapi.Config) { delete(c.AuthInfos, "user") }), one(server, "", "")},
		"a password in the server's address": {
			kubeconfigFor(&clientcmdapi.AuthInfo{}, func(c *clientcmdapi.Config) {
				c.Clusters["east"].Server = "https://admin:" + credential + "@east.example?x=" + credential
			}),
			one("https://east.example", "", ""),
		},
		"a password in an address without scheme": {
			kubeconfigFor(&clientcmdapi.AuthInfo{}, func(c *clientcmdapi.Config) { c.Clusters["east"].Server = "admin:" + credential + "@east.example:6443" }),
			one("east.example:6443", "", ""),
		},
		"a proxy with a password": {
			kubeconfigFor(&clientcmdapi.AuthInfo{}, func(c *clientcmdapi.Config) { c.Clusters["east"].ProxyURL = "http://admin:" + credential + "@proxy" }),
			one(server, "", ""),
		},
		"other contexts and users do not count": {
			kubeconfigFor(&clientcmdapi.AuthInfo{Token: token}, func(c *clientcmdapi.Config) {
				c.Clusters["other"] = &clientcmdapi.Cluster{Server: "https://" + credential}
				c.Contexts["other"] = &clientcmdapi.Context{Cluster: "other", AuthInfo: "other"}
				c.AuthInfos["other"] = &clientcmdapi.AuthInfo{Token: credential}
			}), one(server, reader, ""),
		},
		"JSON": {
			`{"apiVersion":"v1","kind":"Config","current-context":"a","clusters":[{"name":"a","cluster":{"server":"https://a"}}],"contexts":[{"name":"a","context":{"cluster":"a","user":"u"}}],"users":[{"name":"u","user":{"token":"` + credential + `"}}]}`,
			one("https://a", "", ""),
		},

		"nothing":                  {"", one("", "", "the kubeconfig is empty")},
		"not YAML":                 {"token: [" + credential, one("", "", "the kubeconfig cannot be read")},
		"some other text":          {credential, one("", "", "the kubeconfig cannot be read")},
		"of another kind":          {"apiVersion: v1\nkind: Secret\nstringData: {token: " + credential + "}", one("", "", "the kubeconfig cannot be read")},
		"data that is no base64":   {strings.Replace(good, "token: ", "client-key-data: '*'\n    token: ", 1), one("", "", "the kubeconfig cannot be read")},
		"no current context":       {kubeconfigFor(&clientcmdapi.AuthInfo{}, func(c *clientcmdapi.Config) { c.CurrentContext = "" }), one("", "", "the kubeconfig has no current context")},
		"a context that is not in": {kubeconfigFor(&clientcmdapi.AuthInfo{}, func(c *clientcmdapi.Config) { c.CurrentContext = credential }), one("", "", "the kubeconfig has no current context")},
		"a cluster that is not in": {
			kubeconfigFor(&clientcmdapi.AuthInfo{}, func(c *clientcmdapi.Config) { delete(c.Clusters, "east") }), one("", "", "the kubeconfig has no cluster for its current context"),
		},
		"no server": {
			kubeconfigFor(&clientcmdapi.AuthInfo{}, func(c *clientcmdapi.Config) { c.Clusters["east"].Server = "" }), one("", "", "the kubeconfig has no server that is a URL"),
		},
		"a server that is no URL": {
			kubeconfigFor(&clientcmdapi.AuthInfo{}, func(c *clientcmdapi.Config) { c.Clusters["east"].Server = "https://admin:%" + credential + "@x" }),
			one("", "", "the kubeconfig has no server that is a URL"),
		},
		// It claims what it claims in a kubeconfig that cannot be used, too; nobody asks.
		"a token and no cluster": {
			kubeconfigFor(&clientcmdapi.AuthInfo{Token: token}, func(c *clientcmdapi.Config) { delete(c.Clusters, "east") }), one("", "", "the kubeconfig has no cluster for its current context"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := remoteSecret(map[string]string{"east": c.kubeconfig})
			if diff := cmp.Diff(c.want, entriesOf(s)); diff != "" {
				t.Errorf("of the Secret itself (-want +got):\n%s", diff)
			}
			small := trimmed(t, s)
			if diff := cmp.Diff(c.want, entriesOf(small)); diff != "" {
				t.Errorf("of the trimmed one (-want +got):\n%s", diff)
			}
			again := resources.SecretsOf(resources.RemoteSecretsOf(small))
			if len(again) != 1 {
				t.Fatalf("one Secret became %d", len(again))
			}
			if diff := cmp.Diff(c.want, entriesOf(again[0])); diff != "" {
				t.Errorf("of the one that was made again (-want +got):\n%s", diff)
			}
			for what, secret := range map[string]*corev1.Secret{"trimmed": small, "made again": again[0]} {
				for _, text := range texts(t, secret) {
					if strings.Contains(text, credential) || strings.Contains(text, token) {
						t.Errorf("%s: a credential is left in it:\n%s", what, text)
					}
				}
				authenticatesNobody(t, secret)
			}
			written, err := json.Marshal(resources.RemoteSecretsOf(s))
			if err != nil || strings.Contains(string(written), credential) || strings.Contains(string(written), token) {
				t.Errorf("a credential is left in the facts: %s, %v", written, err)
			}
		})
	}
}

// authenticatesNobody fails where a kubeconfig holds more than a server.
func authenticatesNobody(t *testing.T, s *corev1.Secret) {
	t.Helper()
	for id, kubeconfig := range s.Data {
		config, err := clientcmd.Load(kubeconfig)
		if err != nil {
			continue // then it is none
		}
		if len(config.AuthInfos) > 0 {
			t.Errorf("%s: a user is left: %s", id, kubeconfig)
		}
		for _, cluster := range config.Clusters {
			bare := clientcmdapi.Cluster{Server: cluster.Server}
			if diff := cmp.Diff(bare, *cluster, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: more than a server is left:\n%s", id, diff)
			}
		}
	}
}

func TestRemoteSecretsWithSeveralKeys(t *testing.T) {
	at := func(server string) string {
		return kubeconfigFor(&clientcmdapi.AuthInfo{Token: istiotest.Token("x")}, func(c *clientcmdapi.Config) { c.Clusters["east"].Server = server })
	}
	s := remoteSecret(map[string]string{"west": at("https://west"), "east": at("https://east"), "broken": "x"})
	const reader = "system:serviceaccount:istio-system:istio-reader-service-account"
	want := []entry{
		{"broken", "", "", "the kubeconfig cannot be read"}, {"east", "https://east", reader, ""}, {"west", "https://west", reader, ""},
	}
	if diff := cmp.Diff(want, entriesOf(trimmed(t, s))); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	// Two Secrets, of which one has two keys: they do not become three or one.
	other := remoteSecret(map[string]string{"north": at("https://north")})
	other.Name = "another"
	entries := append(resources.RemoteSecretsOf(trimmed(t, s)), resources.RemoteSecretsOf(trimmed(t, other))...)
	var again []facts.RemoteSecret
	for _, s := range resources.SecretsOf(entries) {
		again = append(again, resources.RemoteSecretsOf(s)...)
	}
	if diff := cmp.Diff(entries, again, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("made again (-before +after):\n%s", diff)
	}
	if n := len(resources.SecretsOf(entries)); n != 2 {
		t.Errorf("two Secrets became %d", n)
	}
}

// As "istioctl create-remote-secret" prints it, and people keep it in a folder.
func TestRemoteSecretAsItIsWritten(t *testing.T) {
	s := remoteSecret(map[string]string{"east": "overruled by stringData"})
	s.StringData = map[string]string{"east": kubeconfigFor(&clientcmdapi.AuthInfo{Token: credential})}
	got := trimmed(t, s)
	if diff := cmp.Diff([]entry{{"east", "https://east.example:6443", "", ""}}, entriesOf(got)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if len(got.StringData) > 0 {
		t.Errorf("kept as it was written: %v", got.StringData)
	}
}

func TestWhenARemoteSecretWasModified(t *testing.T) {
	created := metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	later, latest := metav1.NewTime(created.Add(time.Hour)), metav1.NewTime(created.Add(2*time.Hour))
	for name, c := range map[string]struct {
		fields []metav1.ManagedFieldsEntry
		want   metav1.Time
	}{
		"never since":       {nil, created},
		"by several":        {[]metav1.ManagedFieldsEntry{{Manager: "a", Time: &latest}, {Manager: "b", Time: &later}}, latest},
		"by one, sometime":  {[]metav1.ManagedFieldsEntry{{Manager: "a"}}, created},
		"before it existed": {[]metav1.ManagedFieldsEntry{{Manager: "a", Time: &metav1.Time{}}}, created},
	} {
		s := remoteSecret(map[string]string{"east": kubeconfigFor(&clientcmdapi.AuthInfo{})})
		s.CreationTimestamp, s.ManagedFields = created, c.fields
		got := resources.RemoteSecretsOf(trimmed(t, s))[0]
		if !got.Modified.Equal(c.want.Time) || got.Name != "remote" || got.Namespace != "istio-system" {
			t.Errorf("%s: %+v, want %s", name, got, c.want)
		}
		if again := resources.RemoteSecretsOf(resources.SecretsOf([]facts.RemoteSecret{got})[0])[0]; !again.Modified.Equal(c.want.Time) {
			t.Errorf("%s: made again, it was modified at %s", name, again.Modified)
		}
	}
}

// Whatever a Secret holds: what is kept tells the same, and lets nobody in.
func FuzzRemoteSecretsOf(f *testing.F) {
	good := kubeconfigFor(&clientcmdapi.AuthInfo{Token: istiotest.Token("east"), Password: "p", ClientKeyData: []byte("k")})
	for _, seed := range []string{
		"", "{}", "null", "[]", "a", "\x00", good, strings.Replace(good, "https://", "https://u:p@", 1), strings.Replace(good, "https://", "u:p@", 1),
		strings.Replace(good, "current-context: east", "current-context: x", 1), strings.ReplaceAll(good, "\n", "\r\n"), good + good,
		"clusters: [null]", "contexts: [{name: a, context: null}]\ncurrent-context: a", "apiVersion: v1\nkind: Config\nusers: [{name: u, user: {exec: {command: x}}}]",
		"[not a kubeconfig]", kubeconfigFor(nil, func(c *clientcmdapi.Config) {
			c.Contexts["c"] = &clientcmdapi.Context{Cluster: "c"}
			delete(c.AuthInfos, "user")
		}),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, kubeconfig []byte) {
		s := remoteSecret(nil)
		s.Data["east"] = kubeconfig
		before := resources.RemoteSecretsOf(s)
		small := trimmed(t, s)
		authenticatesNobody(t, small)
		if diff := cmp.Diff(before, resources.RemoteSecretsOf(small), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("trimmed, it tells something else (-before +after):\n%s", diff)
		}
		again := resources.SecretsOf(before)[0]
		authenticatesNobody(t, again)
		if diff := cmp.Diff(before, resources.RemoteSecretsOf(again), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("made again, it tells something else (-before +after):\n%s", diff)
		}
	})
}
