package survey

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/kinds"
)

// onlyMetadata asks an API server for the metadata of objects, without what is in them.
const onlyMetadata = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"

// pageOfSecrets is how many of them an answer has at most.
const pageOfSecrets = 500

// looseSecrets lists the metadata of Secrets, and keeps those that belong. Other
// Secrets are not looked at: what is in them is never sent.
func looseSecrets(ctx context.Context, a *apis, namespace, selector string, belongs func(*metav1.ObjectMeta) bool) ([]facts.LooseSecret, error) {
	var out []facts.LooseSecret
	options := metav1.ListOptions{LabelSelector: selector, Limit: pageOfSecrets}
	for {
		text, err := raw(a.core.Get().NamespaceIfScoped(namespace, namespace != "").Resource("secrets").
			VersionedParams(&options, kinds.ParameterCodec).SetHeader("Accept", onlyMetadata).Do(ctx))
		if err != nil {
			return nil, err
		}
		var page metav1.PartialObjectMetadataList
		if json.Unmarshal(text, &page) != nil {
			return nil, fmt.Errorf("the list of secrets cannot be read")
		}
		for i := range page.Items {
			if m := &page.Items[i].ObjectMeta; belongs(m) {
				out = append(out, LooseSecretOf(m))
			}
		}
		if options.Continue = page.Continue; options.Continue == "" {
			return out, nil
		}
	}
}

// raw is the body of an answer. An error is asked for first: that of Raw does not say what the
// API server said.
func raw(result rest.Result) ([]byte, error) {
	if err := result.Error(); err != nil {
		return nil, err
	}
	return result.Raw()
}

// IsStray reports whether a Secret has the label of remote secrets and is none of
// those that are read of the system namespace.
func IsStray(m *metav1.ObjectMeta, system string) bool {
	value, labelled := m.Labels[istio.MultiClusterLabel]
	return labelled && (m.Namespace != system || value != "true")
}

// LooksRemote reports whether a Secret of the system namespace is meant to be a
// remote secret and lacks the label, or is the kubeconfig of an external control plane.
func LooksRemote(m *metav1.ObjectMeta, system string) bool {
	if m.Namespace != system || m.Labels[istio.MultiClusterLabel] == "true" {
		return false
	}
	return strings.HasPrefix(m.Name, istio.RemoteSecretPrefix) || m.Annotations[istio.AnnotationCluster] != "" || m.Name == istio.ExternalKubeconfig
}

// LooseSecretOf is what is kept of such a Secret.
func LooseSecretOf(m *metav1.ObjectMeta) facts.LooseSecret {
	label, labelled := m.Labels[istio.MultiClusterLabel]
	return facts.LooseSecret{Namespace: m.Namespace, Name: m.Name, Labelled: labelled, Label: label, Cluster: m.Annotations[istio.AnnotationCluster]}
}

// LooseSecretObject is the Secret that gives it again.
func LooseSecretObject(s facts.LooseSecret) *corev1.Secret {
	out := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name}}
	if s.Labelled {
		out.Labels = map[string]string{istio.MultiClusterLabel: s.Label}
	}
	if s.Cluster != "" {
		out.Annotations = map[string]string{istio.AnnotationCluster: s.Cluster}
	}
	return out
}

// trimLooseSecret keeps the metadata that tells that it is meant to be a remote secret.
func trimLooseSecret(s *corev1.Secret) *corev1.Secret {
	return LooseSecretObject(LooseSecretOf(&s.ObjectMeta))
}
