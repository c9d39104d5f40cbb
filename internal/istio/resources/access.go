package resources

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// annotationAccess holds, in a trimmed remote secret, the facts.Access of the
// kubeconfig of a data key: the key's name follows the slash.
const annotationAccess = "access.kubectl-mesh.dev/"

// most is how large a kubeconfig may be, in bytes: API servers take no larger Secrets.
const most = 1 << 20

// Bounds of what is kept of texts that somebody else wrote.
const (
	mostClaim        = 256
	mostCertificates = 32
)

// accessOf is what a trimmed Secret says of a data key, or what the kubeconfig does.
func accessOf(kubeconfig []byte, m *metav1.ObjectMeta, id string) facts.Access {
	var out facts.Access
	if known := m.Annotations[annotationAccess+id]; known != "" {
		if json.Unmarshal([]byte(known), &out) != nil {
			return facts.Access{}
		}
		return out
	}
	out = reduceAccess(kubeconfig)
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
func reduceAccess(kubeconfig []byte) facts.Access {
	config, ok := LoadKubeconfig(kubeconfig)
	if !ok {
		return facts.Access{}
	}
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
		ServerName: Clipped(cluster.TLSServerName), Proxy: cluster.ProxyURL != "",
	}
	out.Kind = AuthKind(user)
	if user != nil {
		out.Token = claims(user.Token)
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
		return "auth provider " + Clipped(user.AuthProvider.Name)
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

// claims are those of a JSON web token that are kept, of both kinds that
// Kubernetes issues; nil where it is none.
func claims(token string) *facts.TokenClaims {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	var c struct {
		Subject string      `json:"sub"`
		Issuer  string      `json:"iss"`
		Issued  json.Number `json:"iat"`
		Expires json.Number `json:"exp"`
		UID     string      `json:"kubernetes.io/serviceaccount/service-account.uid"`
		Secret  string      `json:"kubernetes.io/serviceaccount/secret.name"`
		Bound   struct {
			Account struct {
				UID string `json:"uid"`
			} `json:"serviceaccount"`
			Secret struct {
				Name string `json:"name"`
			} `json:"secret"`
		} `json:"kubernetes.io"`
	}
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	if decoder.Decode(&c) != nil {
		return nil
	}
	out := &facts.TokenClaims{
		Subject: Clipped(c.Subject), Issuer: Clipped(c.Issuer), IssuedAt: seconds(c.Issued), Expires: seconds(c.Expires),
		AccountUID: Clipped(first(c.UID, c.Bound.Account.UID)), Secret: Clipped(first(c.Secret, c.Bound.Secret.Name)),
	}
	if *out == (facts.TokenClaims{}) {
		return nil
	}
	return out
}

// seconds is a time of a token; zero for what is none that a document can hold.
func seconds(n json.Number) time.Time {
	const latest = 253402300799 // the end of the year 9999
	if f, err := n.Float64(); err == nil && f > 0 && f < latest {
		return time.Unix(int64(f), 0).UTC()
	}
	return time.Time{}
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// Clipped is a text that somebody else wrote, on one line and of bounded length.
func Clipped(s string) string {
	s = printable.Line(s)
	if len(s) > mostClaim {
		return strings.ToValidUTF8(s[:mostClaim], "") + "…"
	}
	return s
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
