package resources

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/config"
	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// StraySecrets are the Secrets with label istio/multiCluster of all namespaces that
// are not among RemoteSecrets.
var StraySecrets = looseSecrets(resource.About{
	Name: "misplaced remote secrets", File: "secrets-misplaced", Labels: config.MultiClusterLabel,
}, IsStray, func(s *corev1.Secret) bool { return isLabelled(&s.ObjectMeta) })

// SystemSecrets are those of the system namespace that look like remote secrets
// and are not among RemoteSecrets, and istio-kubeconfig.
var SystemSecrets = looseSecrets(resource.About{
	Name: "secrets like remote secrets", File: "secrets-like-remote", Scope: resource.System,
}, LooksRemote, func(s *corev1.Secret) bool { return LooksRemote(&s.ObjectMeta, s.Namespace) })

// looseSecrets is a row of Secrets of which only the metadata is read.
func looseSecrets(
	about resource.About, belongs func(*metav1.ObjectMeta, string) bool, shows func(*corev1.Secret) bool,
) *resource.Row[[]facts.LooseSecret] {
	about.Kind, about.Resource, about.Versions, about.Metadata, about.Filtered = "Secret", "secrets", v1, true, true
	return resource.Made[corev1.SecretList](about, resource.Belonging[*corev1.Secret]{
		Belongs: func(c *facts.Cluster, s *corev1.Secret) bool { return belongs(&s.ObjectMeta, c.SystemNamespace) },
		Shows:   shows,
	}, func() func(*corev1.Secret) *facts.LooseSecret { return looseSecretOf }, looseSecretObject)
}

func isLabelled(m *metav1.ObjectMeta) bool {
	_, labelled := m.Labels[config.MultiClusterLabel]
	return labelled
}

// IsStray reports whether a Secret has the label of remote secrets and is none of
// those that are read of the system namespace.
func IsStray(m *metav1.ObjectMeta, system string) bool {
	return isLabelled(m) && (m.Namespace != system || m.Labels[config.MultiClusterLabel] != "true")
}

// LooksRemote reports whether a Secret of the system namespace is meant to be a
// remote secret and lacks the label, or is the kubeconfig of an external control plane.
func LooksRemote(m *metav1.ObjectMeta, system string) bool {
	if m.Namespace != system || m.Labels[config.MultiClusterLabel] == "true" {
		return false
	}
	return strings.HasPrefix(m.Name, config.RemoteSecretPrefix) || m.Annotations[config.AnnotationCluster] != "" ||
		m.Name == config.ExternalKubeconfig
}

// looseSecretOf keeps the metadata that tells that a Secret is meant to be a remote secret.
func looseSecretOf(s *corev1.Secret) *facts.LooseSecret {
	label, labelled := s.Labels[config.MultiClusterLabel]
	return &facts.LooseSecret{
		Namespace: s.Namespace, Name: s.Name, Labelled: labelled, Label: label, Cluster: s.Annotations[config.AnnotationCluster],
		Owner: owner.Of(&s.ObjectMeta),
	}
}

// looseSecretObject is the Secret that gives it again.
func looseSecretObject(s *facts.LooseSecret) *corev1.Secret {
	out := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name}}
	if s.Labelled {
		out.Labels = map[string]string{config.MultiClusterLabel: s.Label}
	}
	if s.Cluster != "" {
		out.Annotations = map[string]string{config.AnnotationCluster: s.Cluster}
	}
	owner.Mark(&out.ObjectMeta, s.Owner)
	return out
}
