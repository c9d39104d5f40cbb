package resources

import (
	"cmp"
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
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/config"
	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/serverurl"
)

// RemoteSecrets are the Secrets labelled istio/multiCluster=true of the system namespace.
var RemoteSecrets = resource.Grouped[corev1.SecretList](resource.About{
	Name: "remote secrets", File: "secrets-remote", Kind: "Secret", Resource: "secrets", Versions: v1,
	Scope: resource.System, Labels: config.MultiClusterLabel + "=true",
}, resource.Belonging[*corev1.Secret]{
	Belongs: func(c *facts.Cluster, s *corev1.Secret) bool { return s.Namespace == c.SystemNamespace && isRemote(s) },
	Shows:   isRemote,
}, trimRemoteSecret, RemoteSecretsOf, SecretsOf)

func isRemote(s *corev1.Secret) bool { return s.Labels[config.MultiClusterLabel] == "true" }

// annotationIdentity holds, in a trimmed remote secret, whom the token in the
// kubeconfig of a data key speaks for: the key's name follows the slash.
const annotationIdentity = "identity.kubectl-mesh.dev/"

// Why a kubeconfig cannot be used. What is kept of one that cannot, cannot be
// used for the same reason.
const (
	problemEmpty      = "the kubeconfig is empty"
	problemUnreadable = "the kubeconfig cannot be read"
	problemTooLarge   = "the kubeconfig is larger than 1 MiB"
	problemNoContext  = "the kubeconfig has no current context"
	problemNoCluster  = "the kubeconfig has no cluster for its current context"
	problemNoServer   = "the kubeconfig has no server that is a URL"
)

// trimRemoteSecret keeps of each kubeconfig the server, and of its credential
// whom it claims to be. A kubeconfig that came out of a cluster is never used.
func trimRemoteSecret(s *corev1.Secret) *corev1.Secret {
	out := &corev1.Secret{ObjectMeta: resource.Meta(&s.ObjectMeta), Data: map[string][]byte{}}
	if v := s.Annotations[config.AnnotationCluster]; v != "" {
		metav1.SetMetaDataAnnotation(&out.ObjectMeta, config.AnnotationCluster, v)
	}
	keep := func(id string, kubeconfig []byte) {
		k := reduced(kubeconfig)
		if identity := cmp.Or(k.identity, s.Annotations[annotationIdentity+id]); identity != "" {
			metav1.SetMetaDataAnnotation(&out.ObjectMeta, annotationIdentity+id, identity)
		}
		invalid, insecure := refused(k, s.Annotations, id)
		annotateRefused(&out.ObjectMeta, id, invalid, insecure)
		annotateAccess(&out.ObjectMeta, id, accessOf(k, &s.ObjectMeta, id))
		out.Data[id] = []byte(k.bare)
	}
	for id, kubeconfig := range s.Data {
		keep(id, kubeconfig)
	}
	for id, kubeconfig := range s.StringData { // as istioctl create-remote-secret writes it
		keep(id, []byte(kubeconfig))
	}
	return out
}

// RemoteSecretsOf returns one entry for each data key of a remote secret.
func RemoteSecretsOf(s *corev1.Secret) []facts.RemoteSecret {
	var out []facts.RemoteSecret
	for _, id := range slices.Sorted(maps.Keys(s.Data)) {
		r := facts.RemoteSecret{Name: s.Name, Namespace: s.Namespace, ClusterID: id, Owner: owner.Of(&s.ObjectMeta)}
		k := reduced(s.Data[id])
		r.Server, r.Problem = k.server, k.problem
		r.Identity = cmp.Or(k.identity, s.Annotations[annotationIdentity+id])
		r.Invalid, r.Insecure = refused(k, s.Annotations, id)
		r.Access = accessOf(k, &s.ObjectMeta, id)
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

// SecretsOf are the trimmed Secrets that give the remote secrets again.
func SecretsOf(entries []facts.RemoteSecret) []*corev1.Secret {
	var out []*corev1.Secret
	for _, r := range entries {
		i := slices.IndexFunc(out, func(s *corev1.Secret) bool { return s.Namespace == r.Namespace && s.Name == r.Name })
		if i < 0 {
			i = len(out)
			out = append(out, &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{
					Name: r.Name, Namespace: r.Namespace, Labels: map[string]string{config.MultiClusterLabel: "true"},
					CreationTimestamp: metav1.NewTime(r.Modified),
				},
				Data: map[string][]byte{},
			})
			owner.Mark(&out[i].ObjectMeta, r.Owner)
		}
		if r.Identity != "" {
			metav1.SetMetaDataAnnotation(&out[i].ObjectMeta, annotationIdentity+r.ClusterID, r.Identity)
		}
		annotateRefused(&out[i].ObjectMeta, r.ClusterID, r.Invalid, r.Insecure)
		annotateAccess(&out[i].ObjectMeta, r.ClusterID, r.Access)
		out[i].Data[r.ClusterID] = bareKubeconfig(r.Server, r.Problem)
	}
	return out
}

// leads takes out of a kubeconfig where its current context leads,
// and the subject that its token claims. The problem never quotes the input.
func leads(config *clientcmdapi.Config) (server, identity, problem string) {
	context := config.Contexts[config.CurrentContext]
	if context == nil {
		return "", "", problemNoContext
	}
	cluster := config.Clusters[context.Cluster]
	if cluster == nil {
		return "", "", problemNoCluster
	}
	if server = serverurl.Shown(cluster.Server); server == "" {
		return "", "", problemNoServer
	}
	if user := config.AuthInfos[context.AuthInfo]; user != nil {
		identity = subject(user.Token)
	}
	return server, identity, ""
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

// bareKubeconfig is a kubeconfig that leads to a server and authenticates
// nobody, or one with the same problem as the one in whose place it is.
func bareKubeconfig(server, problem string) []byte {
	config := clientcmdapi.NewConfig()
	switch problem {
	case problemEmpty:
		return []byte{}
	case problemUnreadable, problemTooLarge:
		return []byte("[not a kubeconfig]")
	case problemNoContext:
	case problemNoCluster:
		config.Contexts["c"] = &clientcmdapi.Context{}
		config.CurrentContext = "c"
	default:
		config.Clusters["c"] = &clientcmdapi.Cluster{Server: server}
		config.Contexts["c"] = &clientcmdapi.Context{Cluster: "c"}
		config.CurrentContext = "c"
	}
	out, err := clientcmd.Write(*config)
	if err != nil {
		return nil // cannot be: the config is one of three strings
	}
	return out
}

// KnownOf are the annotations of a trimmed remote secret that hold what is known of the
// kubeconfig of a data key: one that takes its place takes theirs.
func KnownOf(id string) []string {
	return []string{annotationIdentity + id, annotationAccess + id, annotationInvalid + id, annotationInsecure + id}
}
