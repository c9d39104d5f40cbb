package survey

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/serverurl"
)

// annotationIdentity holds, in a trimmed remote secret, whom the token in the
// kubeconfig of a data key speaks for: the key's name follows the slash.
const annotationIdentity = "identity.kubectl-mesh.dev/"

// trimRemoteSecret keeps of each kubeconfig the server, and of its credential
// whom it claims to be. A kubeconfig that came out of a cluster is never used.
func trimRemoteSecret(s *corev1.Secret) *corev1.Secret {
	out := &corev1.Secret{ObjectMeta: trimMeta(&s.ObjectMeta), Data: map[string][]byte{}}
	for id, kubeconfig := range s.Data {
		server, identity, problem := reduceKubeconfig(kubeconfig)
		if known := s.Annotations[annotationIdentity+id]; identity == "" && known != "" {
			identity = known
		}
		if identity != "" {
			metav1.SetMetaDataAnnotation(&out.ObjectMeta, annotationIdentity+id, identity)
		}
		out.Data[id] = []byte{}
		if problem == "" {
			out.Data[id] = bareKubeconfig(server)
		}
	}
	return out
}

// RemoteSecretsOf returns one entry for each data key of a remote secret.
func RemoteSecretsOf(s *corev1.Secret) []facts.RemoteSecret {
	var out []facts.RemoteSecret
	for _, id := range slices.Sorted(maps.Keys(s.Data)) {
		r := facts.RemoteSecret{Name: s.Name, Namespace: s.Namespace, ClusterID: id, Identity: s.Annotations[annotationIdentity+id]}
		var identity string
		r.Server, identity, r.Problem = reduceKubeconfig(s.Data[id])
		if r.Identity == "" {
			r.Identity = identity
		}
		r.Modified = s.CreationTimestamp.Time
		for _, f := range s.ManagedFields {
			if f.Time != nil && f.Time.After(r.Modified) {
				r.Modified = f.Time.Time
			}
		}
		out = append(out, r)
	}
	return out
}

// SecretOf is the trimmed Secret that gives the remote secret again.
func SecretOf(r facts.RemoteSecret) *corev1.Secret {
	s := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: r.Name, Namespace: r.Namespace, Labels: map[string]string{"istio/multiCluster": "true"},
			CreationTimestamp: metav1.NewTime(r.Modified),
		},
		Data: map[string][]byte{r.ClusterID: {}},
	}
	if r.Identity != "" {
		metav1.SetMetaDataAnnotation(&s.ObjectMeta, annotationIdentity+r.ClusterID, r.Identity)
	}
	if r.Problem == "" {
		s.Data[r.ClusterID] = bareKubeconfig(r.Server)
	}
	return s
}

// reduceKubeconfig takes out of a kubeconfig where its current context leads,
// and the subject that its token claims. The problem never quotes the input.
func reduceKubeconfig(kubeconfig []byte) (server, identity, problem string) {
	if len(kubeconfig) == 0 {
		return "", "", "the kubeconfig is empty"
	}
	config, err := clientcmd.Load(kubeconfig)
	if err != nil {
		return "", "", "the kubeconfig cannot be read"
	}
	context := config.Contexts[config.CurrentContext]
	if context == nil {
		return "", "", "the kubeconfig has no current context"
	}
	cluster := config.Clusters[context.Cluster]
	if cluster == nil {
		return "", "", "the kubeconfig has no cluster for its current context"
	}
	if user := config.AuthInfos[context.AuthInfo]; user != nil {
		identity = subject(user.Token)
	}
	return serverurl.Shown(cluster.Server), identity, ""
}

// subject is the claim "sub" of a JSON web token; its signature is not looked at.
func subject(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct {
		Subject string `json:"sub"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return ""
	}
	return claims.Subject
}

// bareKubeconfig is a kubeconfig that leads to a server and authenticates nobody.
func bareKubeconfig(server string) []byte {
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: server}
	config.Contexts["c"] = &clientcmdapi.Context{Cluster: "c"}
	config.CurrentContext = "c"
	out, err := clientcmd.Write(*config)
	if err != nil {
		return nil // cannot be: the config is one of three strings
	}
	return out
}
