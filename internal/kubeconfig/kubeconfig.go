// Package kubeconfig reduces the kubeconfig of another cluster, which a mesh keeps in a Secret, to where
// it leads and as whom: a credential is never kept. It knows no mesh.
package kubeconfig

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/serverurl"
)

// Key is the data key of a Secret that holds one kubeconfig.
const Key = "kubeconfig"

// annotation holds, in a trimmed Secret, what its kubeconfig is: the kubeconfig itself is not
// kept.
const annotation = "access.kubectl-mesh.dev/kubeconfig"

// Kubeconfig is what is kept of the kubeconfig in a Secret.
type Kubeconfig struct {
	// Server is the URL of the API server; "" where the kubeconfig cannot be used, for
	// the reason in Problem.
	Server  string `json:"server,omitempty"`
	Problem string `json:"problem,omitempty"`
	facts.Access
}

// Of is that of a trimmed Secret.
func Of(s *corev1.Secret) Kubeconfig {
	var out Kubeconfig
	if json.Unmarshal([]byte(s.Annotations[annotation]), &out) != nil {
		return Kubeconfig{Problem: "what was kept of the kubeconfig cannot be read"}
	}
	return out
}

// Keep notes in a Secret that is trimmed what the kubeconfig of the one it is made of is. That one
// may be trimmed already.
func Keep(out, s *corev1.Secret) {
	kept := reduce(s)
	if _, trimmed := s.Annotations[annotation]; trimmed {
		// Or somebody wrote our annotation into a Secret of the cluster: it is read, and its text not kept.
		kept = Of(s)
		kept.Server, kept.Problem = serverurl.Shown(kept.Server), resource.Clipped(kept.Problem)
	}
	Note(out, kept)
}

// Note writes what a kubeconfig is into a Secret, as Keep does of one that holds it.
func Note(s *corev1.Secret, k Kubeconfig) {
	text, err := json.Marshal(k)
	if err != nil {
		text = []byte("{}")
	}
	metav1.SetMetaDataAnnotation(&s.ObjectMeta, annotation, string(text))
}

// mostBytes is how large a kubeconfig may be, in bytes: API servers take no larger Secrets.
const mostBytes = 1 << 20

func reduce(s *corev1.Secret) Kubeconfig {
	text, ok := s.Data[Key]
	switch {
	case !ok:
		return Kubeconfig{Problem: "it has no key kubeconfig"}
	case len(bytes.TrimSpace(text)) == 0:
		return Kubeconfig{Problem: "the kubeconfig is empty"}
	case len(text) > mostBytes:
		return Kubeconfig{Problem: "the kubeconfig is larger than 1 MiB"}
	}
	config, err := clientcmd.Load(text)
	if err != nil {
		return Kubeconfig{Problem: "the kubeconfig cannot be read"}
	}
	context := config.Contexts[config.CurrentContext]
	if context == nil {
		return Kubeconfig{Problem: "the kubeconfig has no current context"}
	}
	cluster := config.Clusters[context.Cluster]
	if cluster == nil {
		return Kubeconfig{Problem: "the kubeconfig has no cluster for its current context"}
	}
	server := serverurl.Shown(cluster.Server)
	if server == "" {
		return Kubeconfig{Problem: "the kubeconfig has no server that is a URL"}
	}
	out := Kubeconfig{Server: server}
	out.CA, out.Insecure = fingerprints(cluster.CertificateAuthorityData), cluster.InsecureSkipTLSVerify
	out.Kind = "none"
	if user := config.AuthInfos[context.AuthInfo]; user != nil {
		out.Kind, out.Token = authKind(user), resource.ClaimsOf(user.Token)
	}
	if out.Kind == "none" {
		out.Problem = "the kubeconfig has no credential"
	}
	return out
}

func authKind(user *clientcmdapi.AuthInfo) string {
	switch {
	case user.Token != "":
		return "token"
	case user.TokenFile != "":
		return "token file"
	case user.Exec != nil:
		return "exec"
	case user.AuthProvider != nil:
		return "auth provider"
	case len(user.ClientCertificateData) > 0 || user.ClientCertificate != "":
		return "client certificate"
	case user.Username != "":
		return "password"
	}
	return "none"
}

// fingerprints are the SHA-256 of certificates, in the order of the text.
func fingerprints(text []byte) []string {
	var out []string
	for block, rest := pem.Decode(text); block != nil && len(out) < mostCertificates; block, rest = pem.Decode(rest) {
		sum := sha256.Sum256(block.Bytes)
		out = append(out, hex.EncodeToString(sum[:]))
	}
	return out
}

// mostCertificates are kept of a bundle that somebody else wrote.
const mostCertificates = 32
