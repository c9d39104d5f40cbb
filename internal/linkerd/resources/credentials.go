package resources

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/serverurl"
)

// annotationAccess holds, in a trimmed Secret, what its kubeconfig is: the kubeconfig
// itself is not kept.
const annotationAccess = "access.kubectl-mesh.dev/kubeconfig"

// annotationWritten holds when something of the Secret was written last that clients go by.
const annotationWritten = "written.kubectl-mesh.dev/kubeconfig"

// Kubeconfig is what is kept of the kubeconfig in a Secret.
type Kubeconfig struct {
	// Server is the URL of the API server; "" where the kubeconfig cannot be used, for
	// the reason in Problem.
	Server  string `json:"server,omitempty"`
	Problem string `json:"problem,omitempty"`
	facts.Access
}

// KubeconfigOf is that of a trimmed Secret with credentials.
func KubeconfigOf(s *corev1.Secret) Kubeconfig {
	var out Kubeconfig
	if json.Unmarshal([]byte(s.Annotations[annotationAccess]), &out) != nil {
		return Kubeconfig{Problem: "what was kept of the kubeconfig cannot be read"}
	}
	return out
}

// WrittenAt is when a trimmed Secret was written last; zero where that is not known.
func WrittenAt(s *corev1.Secret) time.Time {
	at, err := time.Parse(time.RFC3339, s.Annotations[annotationWritten])
	if err != nil {
		return time.Time{}
	}
	return at
}

// trimCredentials keeps of a Secret with credentials where they lead, and as whom.
func trimCredentials(s *corev1.Secret) *corev1.Secret {
	out := &corev1.Secret{ObjectMeta: resource.Meta(&s.ObjectMeta), Type: s.Type}
	for _, key := range []string{AnnotationTrustDomain, AnnotationClusterDomain} {
		if v, ok := s.Annotations[key]; ok {
			metav1.SetMetaDataAnnotation(&out.ObjectMeta, key, v)
		}
	}
	known, ok := s.Annotations[annotationAccess]
	if !ok {
		known = reduced(s)
	}
	metav1.SetMetaDataAnnotation(&out.ObjectMeta, annotationAccess, known)
	written, ok := s.Annotations[annotationWritten]
	if !ok {
		written = lastWrite(&s.ObjectMeta)
	}
	metav1.SetMetaDataAnnotation(&out.ObjectMeta, annotationWritten, written)
	return out
}

// lastWrite is when somebody wrote data, labels or annotations last. What managers own is not
// always known: then any write counts.
func lastWrite(m *metav1.ObjectMeta) string {
	last := m.CreationTimestamp.Time
	for _, f := range m.ManagedFields {
		if f.Time == nil || !f.Time.After(last) {
			continue
		}
		if f.FieldsV1 == nil || ownsCredentials(f.FieldsV1.GetRawString()) {
			last = f.Time.Time
		}
	}
	return last.UTC().Format(time.RFC3339)
}

func ownsCredentials(fields string) bool {
	return strings.Contains(fields, `"f:data"`) || strings.Contains(fields, `"f:`+LabelCredentials+`"`) ||
		strings.Contains(fields, `"f:`+AnnotationTrustDomain+`"`) || strings.Contains(fields, `"f:`+AnnotationClusterDomain+`"`)
}

func reduced(s *corev1.Secret) string {
	text, err := json.Marshal(reduceKubeconfig(s))
	if err != nil {
		return "{}"
	}
	return string(text)
}

// mostKubeconfig is how large a kubeconfig may be, in bytes: API servers take no larger Secrets.
const mostKubeconfig = 1 << 20

func reduceKubeconfig(s *corev1.Secret) Kubeconfig {
	text, ok := s.Data[KeyKubeconfig]
	switch {
	case !ok:
		return Kubeconfig{Problem: "it has no key kubeconfig"}
	case len(bytes.TrimSpace(text)) == 0:
		return Kubeconfig{Problem: "the kubeconfig is empty"}
	case len(text) > mostKubeconfig:
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
