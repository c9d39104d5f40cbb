package bed

import (
	"cmp"
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// secrets are the secrets of a cluster.
var secrets = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}

// remoteSecret is a remote secret as "istioctl create-remote-secret" makes them,
// but for what the topology says otherwise.
func (f *Fleet) remoteSecret(ctx context.Context, spec topology.RemoteSecret) (*corev1.Secret, error) {
	of := f.Cluster(spec.Of)
	token := spec.Token
	if token == "" {
		var err error
		if token, err = of.readerToken(ctx); err != nil {
			return nil, fmt.Errorf("remote secret in %s: %w", spec.In, err)
		}
	}
	ca := of.CA()
	if spec.CA != "" {
		ca = []byte(spec.CA)
	}
	config := clientcmdapi.NewConfig()
	config.Clusters[spec.Key] = &clientcmdapi.Cluster{
		Server: cmp.Or(spec.Server, of.URL()), CertificateAuthorityData: ca,
	}
	config.AuthInfos[spec.Key] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts[spec.Key] = &clientcmdapi.Context{Cluster: spec.Key, AuthInfo: spec.Key}
	config.CurrentContext = spec.Key
	content, err := clientcmd.Write(*config)
	if err != nil {
		return nil, fmt.Errorf("remote secret in %s: write its kubeconfig: %w", spec.In, err)
	}
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:   topology.SystemNamespace,
			Name:        spec.Name,
			Labels:      map[string]string{"istio/multiCluster": "true"},
			Annotations: map[string]string{"networking.istio.io/cluster": spec.Key},
		},
		Data: map[string][]byte{spec.Key: content},
	}, nil
}

// issueReaderToken has the controllers issue the token of other control planes.
// They may not know the service account yet, or still know one of the same name
// that is gone: then they drop the token, or issue one that nobody accepts.
func (c *Cluster) issueReaderToken(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, settleTimeout, fmt.Errorf("not after %s", settleTimeout))
	defer cancel()
	var account corev1.ServiceAccount
	err := c.get(ctx, serviceAccounts, topology.SystemNamespace, topology.ReaderServiceAccount, &account)
	if err != nil {
		return fmt.Errorf("issue the token of %s: %w", topology.ReaderServiceAccount, err)
	}
	err = poll(ctx, func(ctx context.Context) (bool, error) {
		var secret corev1.Secret
		err := c.get(ctx, secrets, topology.SystemNamespace, topology.ReaderTokenSecret, &secret)
		switch {
		case apierrors.IsNotFound(err):
			return false, c.apply(ctx, topology.ReaderToken())
		case err != nil:
			return false, err
		case len(secret.Data[corev1.ServiceAccountTokenKey]) == 0:
			return false, nil
		case secret.Annotations[corev1.ServiceAccountUIDKey] != string(account.UID):
			return false, c.client.deleteNow(ctx, secrets, topology.SystemNamespace, topology.ReaderTokenSecret)
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("issue the token of %s: %w", topology.ReaderServiceAccount, err)
	}
	return nil
}

// readerToken returns the token of other control planes.
func (c *Cluster) readerToken(ctx context.Context) (string, error) {
	var secret corev1.Secret
	err := c.get(ctx, secrets, topology.SystemNamespace, topology.ReaderTokenSecret, &secret)
	if err != nil {
		return "", fmt.Errorf("read the token of %s in cluster %s: %w", topology.ReaderServiceAccount, c.name, err)
	}
	return string(secret.Data[corev1.ServiceAccountTokenKey]), nil
}
