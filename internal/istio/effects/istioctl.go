package effects

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/simulate"
)

// Program is what istioctl create-remote-secret prints: a Secret with a kubeconfig for the
// server of a context and the token of the reader's service account
// (istioctl/pkg/multicluster/remote_secret.go). The token is not one that anybody accepts.
func (Istio) Program(w *simulate.World, args []string) ([]byte, simulate.Outcome, bool) {
	if len(args) < 2 || args[0] != "istioctl" || args[1] != "create-remote-secret" {
		return nil, simulate.Outcome{}, false
	}
	flags := map[string]string{"-i": istio.SystemNamespace, "-n": istio.SystemNamespace}
	for i := 2; i < len(args); i++ {
		if name, value, ok := strings.Cut(args[i], "="); ok {
			flags[name] = value
		} else if i+1 < len(args) {
			flags[args[i]] = args[i+1]
			i++
		}
	}
	id, server := flags["--name"], flags["--server"]
	if server == "" {
		c := w.Cluster(flags["--context"])
		if c == nil || c.Server == "" {
			return nil, simulate.NotRead.Because("cluster " + flags["--context"] + " was not read"), true
		}
		server = c.Server
	}
	kubeconfig, err := kubeconfigOf(id, server, "system:serviceaccount:"+flags["-i"]+":"+istio.ReaderIdentity)
	if err != nil {
		return nil, simulate.Uncertain.Because(err.Error()), true
	}
	annotations := map[string]any{istio.AnnotationCluster: id}
	for _, known := range resources.KnownOf(id) {
		annotations[known] = nil // of what was there before
	}
	text, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": corev1.SecretTypeOpaque,
		"metadata": map[string]any{
			"name": istio.RemoteSecretPrefix + id, "namespace": flags["-n"],
			"labels": map[string]string{istio.MultiClusterLabel: "true"}, "annotations": annotations,
		},
		"data": map[string][]byte{id: kubeconfig},
	})
	if err != nil {
		return nil, simulate.Uncertain.Because(err.Error()), true
	}
	return text, simulate.Outcome{Kind: simulate.Reads}, true
}

// kubeconfigOf is a kubeconfig that leads to a server, with a token that claims a subject
// and is signed by nobody.
func kubeconfigOf(name, server, subject string) ([]byte, error) {
	claims, err := json.Marshal(map[string]string{"sub": subject})
	if err != nil {
		return nil, err
	}
	token := strings.Join([]string{
		base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)), base64.RawURLEncoding.EncodeToString(claims), "",
	}, ".")
	return yaml.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": name,
		"clusters": []any{map[string]any{"name": name, "cluster": map[string]any{"server": server}}},
		"contexts": []any{map[string]any{"name": name, "context": map[string]any{"cluster": name, "user": name}}},
		"users":    []any{map[string]any{"name": name, "user": map[string]any{"token": token}}},
	})
}
