package resources

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// annotationAccess holds, in a trimmed remote secret, the facts.Access of the
// kubeconfig of a data key: the key's name follows the slash.
const annotationAccess = "access.kubectl-mesh.dev/"

// most is how large a kubeconfig may be, in bytes: API servers take no larger Secrets.
const most = 1 << 20

// mostCertificates are kept of a bundle that somebody else wrote.
const mostCertificates = 32

// accessOf is what a trimmed Secret says of a data key, or what the kubeconfig does.
func accessOf(k *reduction, m *metav1.ObjectMeta, id string) facts.Access {
	var out facts.Access
	if known := m.Annotations[annotationAccess+id]; known != "" {
		if json.Unmarshal([]byte(known), &out) != nil {
			return facts.Access{}
		}
		return out
	}
	out = k.access
	if out.Kind != "" {
		out.Created = m.CreationTimestamp.UTC()
	}
	return out
}

func annotateAccess(m *metav1.ObjectMeta, id string, a facts.Access) {
	text, err := json.Marshal(a)
	if err == nil && string(text) != "{}" {
		metav1.SetMetaDataAnnotation(m, annotationAccess+id, string(text))
	}
}

// LoadKubeconfig parses a kubeconfig of bounded size.
func LoadKubeconfig(kubeconfig []byte) (*clientcmdapi.Config, bool) {
	if len(kubeconfig) > most {
		return nil, false
	}
	config, err := clientcmd.Load(kubeconfig)
	return config, err == nil
}

// reduceAccess takes out of a kubeconfig what may be kept of its current context.
func reduceAccess(config *clientcmdapi.Config) facts.Access {
	context := config.Contexts[config.CurrentContext]
	if context == nil || config.Clusters[context.Cluster] == nil {
		return facts.Access{}
	}
	cluster, user := config.Clusters[context.Cluster], config.AuthInfos[context.AuthInfo]
	if user == nil && context.AuthInfo == "" && len(config.AuthInfos) == 0 && config.CurrentContext == "c" {
		return facts.Access{} // a bare one, of which nothing more is known
	}
	out := facts.Access{
		CA: fingerprints(cluster.CertificateAuthorityData), Insecure: cluster.InsecureSkipTLSVerify,
		ServerName: resource.Clipped(cluster.TLSServerName), Proxy: cluster.ProxyURL != "",
	}
	out.Kind = AuthKind(user)
	if user != nil {
		out.Token = resource.ClaimsOf(user.Token)
		if c := Certificates(user.ClientCertificateData); len(c) > 0 {
			out.CertificateEnds = c[0].NotAfter.UTC()
		}
	}
	return out
}

// AuthKind names how a user of a kubeconfig authenticates, as client-go would.
func AuthKind(user *clientcmdapi.AuthInfo) string {
	switch {
	case user == nil:
		return "none"
	case user.Exec != nil:
		return "exec"
	case user.AuthProvider != nil:
		return "auth provider " + resource.Clipped(user.AuthProvider.Name)
	case user.TokenFile != "":
		return "token file"
	case user.Token != "":
		return "token"
	case user.ClientCertificate != "" || user.ClientKey != "":
		return "client certificate file"
	case len(user.ClientCertificateData) > 0:
		return "client certificate"
	case user.Username != "" || user.Password != "":
		return "password"
	}
	return "none"
}

// Certificates are those of a PEM bundle, as far as they can be read.
func Certificates(bundle []byte) []*x509.Certificate {
	var out []*x509.Certificate
	for len(out) < mostCertificates {
		var block *pem.Block
		if block, bundle = pem.Decode(bundle); block == nil {
			break
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			out = append(out, c)
		}
	}
	return out
}

func fingerprints(bundle []byte) []string {
	var out []string
	for _, c := range Certificates(bundle) {
		sum := sha256.Sum256(c.Raw)
		out = append(out, hex.EncodeToString(sum[:]))
	}
	return out
}
