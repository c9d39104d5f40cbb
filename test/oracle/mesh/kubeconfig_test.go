package mesh

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	kubelib "istio.io/istio/pkg/kube"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// kubeconfigs are a good one, and what it becomes by one replacement each.
var kubeconfigs = [][2]string{
	{"", ""},
	{"token: t", "exec: {apiVersion: client.authentication.k8s.io/v1, command: x, interactiveMode: Never}"},
	{"token: t", "exec: {command: x}"},
	{"token: t", "tokenFile: /nowhere"},
	{"token: t", "client-certificate: /nowhere\n    client-key: /nowhere"},
	{"token: t", "client-key: /nowhere"},
	{"token: t", "client-certificate-data: Yw==\n    client-key-data: aw=="},
	{"token: t", "client-certificate-data: Yw=="},
	{"token: t", "auth-provider: {name: gcp}"},
	{"token: t", "auth-provider: {name: oidc, config: {idp-issuer-url: 'https://i', client-id: c}}"},
	{"token: t", "username: u\n    password: p"},
	{"token: t", "token: t\n    username: u"},
	{"token: t", "as: somebody"},
	{"token: t", "unheard: of"},
	{"user: u}", "user: other}"},
	{", user: u}", "}"},
	{"cluster: c,", "cluster: other,"},
	{"cluster: c,", ""},
	{"current-context: x", "current-context: other"},
	{"current-context: x", "current-context: ''"},
	{"current-context: x", ""},
	{"server: https://east", "insecure-skip-tls-verify: true"},
	{"server: https://east", "server: https://east\n    insecure-skip-tls-verify: true"},
	{"server: https://east", "server: https://east\n    certificate-authority: /nowhere"},
	{"server: https://east", "server: https://east\n    certificate-authority-data: Yw=="},
	{"server: https://east", "server: https://east\n    proxy-url: '://'"},
	{"server: https://east", "server: https://east\n    proxy-url: http://proxy"},
	{"kind: Config", "kind: Pod"},
	{"kind: Config", ""},
	{"users:", "users: 7\nothers:"},
}

// Whether istiod makes a client of a kubeconfig is what the survey says of it.
func TestKubeconfigs(t *testing.T) {
	const good = `apiVersion: v1
kind: Config
current-context: x
contexts:
- name: x
  context: {cluster: c, user: u}
clusters:
- name: c
  cluster:
    server: https://east
users:
- name: u
  user:
    token: t
`
	for _, change := range kubeconfigs {
		text := []byte(strings.Replace(good, change[0], change[1], 1))
		_, theirs := kubelib.NewUntrustedRestConfig(text)
		secret := &corev1.Secret{Data: map[string][]byte{"east": text}}
		for _, s := range []*corev1.Secret{secret, trimmed(secret)} {
			r := resources.RemoteSecretsOf(s)[0]
			if accepted := r.Invalid == "" && r.Insecure == nil; accepted != (theirs == nil) {
				t.Errorf("%s -> %s\npredicted: %q %q\nistiod: %v", change[0], change[1], r.Invalid, r.Insecure, theirs)
			}
		}
	}
	for _, text := range []string{"", "a: [", "[]", "7", "apiVersion: v1\nkind: Config\n"} {
		_, theirs := kubelib.NewUntrustedRestConfig([]byte(text))
		r := resources.RemoteSecretsOf(&corev1.Secret{Data: map[string][]byte{"east": []byte(text)}})[0]
		if (r.Invalid == "") != (theirs == nil) {
			t.Errorf("%q\npredicted: %q\nistiod: %v", text, r.Invalid, theirs)
		}
	}
}

// trimmed is a remote secret as a dump has it.
func trimmed(s *corev1.Secret) *corev1.Secret {
	s = s.DeepCopy()
	s.Labels = map[string]string{"istio/multiCluster": "true"}
	return resources.Trim(s).(*corev1.Secret)
}
