package resources

import (
	"crypto/sha256"
	"slices"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
)

// Annotations that hold, in a trimmed remote secret, what its kubeconfigs no
// longer show: the name of the data key follows the slash.
const (
	annotationInvalid  = "invalid.kubectl-mesh.dev/"  // why istiod makes no client of it
	annotationInsecure = "insecure.kubectl-mesh.dev/" // what istiod refuses in it by default
)

// reduction is what is kept of a kubeconfig: nothing that lets anybody in.
type reduction struct {
	server, identity, problem string
	invalid                   string   // why istiod makes no client of it
	insecure                  []string // what istiod refuses in it by default
	access                    facts.Access
	bare                      string // one in its place, which leads to the same server
}

// reductions are those of the kubeconfigs that were read, by the SHA-256 of each. A fleet of n clusters has
// n² remote secrets, and mostly n kubeconfigs: "istioctl create-remote-secret" writes the same
// one for each control plane.
var reductions sync.Map

// reduced is what is kept of a kubeconfig, which may be one that was reduced before.
func reduced(kubeconfig []byte) *reduction {
	sum := sha256.Sum256(kubeconfig)
	if known, ok := reductions.Load(sum); ok {
		return known.(*reduction)
	}
	out := reduce(kubeconfig)
	out.bare = string(bareKubeconfig(out.server, out.problem))
	reductions.Store(sum, out)
	return out
}

func reduce(kubeconfig []byte) *reduction {
	switch {
	case len(kubeconfig) == 0:
		return &reduction{problem: problemEmpty, invalid: problemEmpty}
	case len(kubeconfig) > most:
		return &reduction{problem: problemTooLarge, invalid: problemTooLarge}
	}
	config, ok := LoadKubeconfig(kubeconfig)
	if !ok {
		return &reduction{problem: problemUnreadable, invalid: problemUnreadable}
	}
	out := &reduction{access: reduceAccess(config)}
	out.server, out.identity, out.problem = leads(config)
	if c := config.Contexts["c"]; c != nil && c.AuthInfo == "" && config.Clusters["c"] != nil && len(config.AuthInfos) == 0 {
		return out // a bare one, which stands for one that nothing is wrong with
	}
	out.invalid, out.insecure = invalid(config), insecure(config)
	return out
}

// refused says what keeps istiod from using the kubeconfig of a data key, of a
// Secret that is trimmed or not (pkg/kube/util.go, NewUntrustedRestConfig).
func refused(k *reduction, annotations map[string]string, id string) (why string, ways []string) {
	why = annotations[annotationInvalid+id]
	if known := annotations[annotationInsecure+id]; known != "" {
		ways = strings.Split(known, ",")
	}
	if why != "" || ways != nil {
		return why, ways
	}
	return k.invalid, k.insecure
}

func annotateRefused(m *metav1.ObjectMeta, id, why string, ways []string) {
	if why != "" {
		metav1.SetMetaDataAnnotation(m, annotationInvalid+id, why)
	}
	if len(ways) > 0 {
		metav1.SetMetaDataAnnotation(m, annotationInsecure+id, strings.Join(ways, ","))
	}
}

// podCA is the one certificate authority file that is there in istiod's pod.
const podCA = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"

// invalid says in which way a kubeconfig is none that a client can be made of,
// whoever it lets in. No file that it names
// is opened: those that istiod would look for are in its pod, if anywhere.
func invalid(config *clientcmdapi.Config) string {
	config = config.DeepCopy()
	for _, cluster := range config.Clusters {
		if file := cluster.CertificateAuthority; file != "" && file != podCA {
			return "the kubeconfig names a file as certificate authority, which is not there in istiod's pod"
		}
		if cluster.CertificateAuthority != "" && len(cluster.CertificateAuthorityData) > 0 {
			return "the kubeconfig has a certificate authority twice, as a file and as data"
		}
		cluster.CertificateAuthority = ""
	}
	for _, user := range config.AuthInfos {
		if user.ClientCertificate != "" { // refused anyway
			user.ClientCertificate, user.ClientKey, user.ClientCertificateData, user.ClientKeyData = "", "", nil, nil
		}
		user.Exec = nil
	}
	switch {
	case clientcmdapi.IsConfigEmpty(config):
		return "the kubeconfig is empty"
	case config.CurrentContext == "":
		return "the kubeconfig has no current context"
	case config.Contexts[config.CurrentContext] == nil:
		return "the current context of the kubeconfig is not one of its contexts"
	case clientcmd.Validate(*config) != nil: // what it says may quote anything
		return "the kubeconfig is not valid: a context names what is not in it, a cluster has no server, or a user has two credentials"
	}
	return ""
}

// insecure are the ways to authenticate, of any user of the kubeconfig, that run
// something, read a file or ask a provider (pkg/kube/util.go, sanitizeKubeConfig).
func insecure(config *clientcmdapi.Config) []string {
	var out []string
	for _, user := range config.AuthInfos {
		if p := user.AuthProvider; p != nil && p.Name != "oidc" {
			out = append(out, p.Name)
		}
		if user.ClientKey != "" {
			out = append(out, "clientKey")
		}
		if user.ClientCertificate != "" {
			out = append(out, "clientCertificate")
		}
		if user.TokenFile != "" {
			out = append(out, "tokenFile")
		}
		if user.Exec != nil {
			out = append(out, "exec")
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
