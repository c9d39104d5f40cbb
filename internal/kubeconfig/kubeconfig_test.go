package kubeconfig_test

import (
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/kubeconfig"
)

const token = "clusters: [{name: c, cluster: {server: 'https://user:hunter2@10.0.0.1:6443/', insecure-skip-tls-verify: true}}]\n" +
	"users: [{name: u, user: {token: hunter2}}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\n"

// What is kept says where a kubeconfig leads, or why it cannot be used, and never holds a credential.
func TestKeep(t *testing.T) {
	for name, c := range map[string]struct {
		text            *string
		server, problem string
	}{
		"a token":            {new(token), "https://10.0.0.1:6443", ""},
		"no key":             {nil, "", "it has no key kubeconfig"},
		"nothing":            {new(" \n"), "", "the kubeconfig is empty"},
		"not YAML":           {new("hunter2: ["), "", "the kubeconfig cannot be read"},
		"no context":         {new(strings.Replace(token, "current-context: x", "", 1)), "", "the kubeconfig has no current context"},
		"no cluster":         {new(strings.Replace(token, "cluster: c,", "cluster: d,", 1)), "", "the kubeconfig has no cluster for its current context"},
		"no server":          {new(strings.Replace(token, "https://user:hunter2@10.0.0.1:6443/", "", 1)), "", "the kubeconfig has no server that is a URL"},
		"no credential":      {new(strings.Replace(token, "token: hunter2", "", 1)), "https://10.0.0.1:6443", "the kubeconfig has no credential"},
		"more than a Secret": {new(strings.Repeat("#", 1<<20) + token), "", "the kubeconfig is larger than 1 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			var in, out, again corev1.Secret
			if c.text != nil {
				in.Data = map[string][]byte{kubeconfig.Key: []byte(*c.text)}
			}
			kubeconfig.Keep(&out, &in)
			kubeconfig.Keep(&again, &out)
			for _, s := range []*corev1.Secret{&out, &again} {
				got := kubeconfig.Of(s)
				if strings.TrimSuffix(got.Server, "/") != c.server || got.Problem != c.problem {
					t.Errorf("%q, %q", got.Server, got.Problem)
				}
				if text, _ := json.Marshal(s); strings.Contains(string(text), "hunter2") {
					t.Errorf("kept is %s", text)
				}
			}
		})
	}
}
