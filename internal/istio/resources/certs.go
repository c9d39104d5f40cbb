package resources

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/config"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

var v1 = []string{"v1"}

// CACerts is Secret cacerts of the system namespace: a plugged-in CA.
var CACerts = caSecret(config.CACertsSecret)

// CASecret is Secret istio-ca-secret of the system namespace: istiod's self-signed CA.
var CASecret = caSecret(config.CASecret)

func caSecret(name string) *resource.Row[*corev1.Secret] {
	return resource.One[corev1.SecretList](resource.About{
		Name: "secret " + name, File: "secret-" + name, Kind: "Secret", Resource: "secrets", Versions: v1,
		Scope: resource.System, Object: name,
	}, resource.Belonging[*corev1.Secret]{
		Belongs: func(c *facts.Cluster, s *corev1.Secret) bool {
			return s.Namespace == c.SystemNamespace && s.Name == name
		},
		Shows: func(s *corev1.Secret) bool {
			return s.Name == name && !isLabelled(&s.ObjectMeta) && !LooksRemote(&s.ObjectMeta, s.Namespace)
		},
	}, trimCASecret)
}

// RootCert is ConfigMap istio-ca-root-cert of the system namespace: the roots
// that this cluster's workloads are given.
var RootCert = resource.One[corev1.ConfigMapList](resource.About{
	Name: "configmap " + config.RootCertConfigMap, File: "configmap-istio-ca-root-cert",
	Kind: "ConfigMap", Resource: "configmaps", Versions: v1, Scope: resource.System, Object: config.RootCertConfigMap,
}, resource.Belonging[*corev1.ConfigMap]{
	Belongs: func(c *facts.Cluster, m *corev1.ConfigMap) bool {
		return m.Namespace == c.SystemNamespace && isRootCert(m)
	},
	Shows: isRootCert,
}, trimRootCert)

// RootCerts are the ConfigMaps istio-ca-root-cert of all namespaces.
var RootCerts = resource.List[corev1.ConfigMapList](resource.About{
	Name: "configmaps " + config.RootCertConfigMap, File: "configmaps-istio-ca-root-cert",
	Kind: "ConfigMap", Resource: "configmaps", Versions: v1,
	Fields: fields.OneTermEqualSelector("metadata.name", config.RootCertConfigMap).String(),
}, resource.Belonging[*corev1.ConfigMap]{
	Belongs: func(_ *facts.Cluster, m *corev1.ConfigMap) bool { return isRootCert(m) },
	Shows:   isRootCert,
}, trimRootCert)

func isRootCert(m *corev1.ConfigMap) bool { return m.Name == config.RootCertConfigMap }

// trimCASecret keeps what is public of a Secret with a CA, and of its private
// keys the fingerprints of the public halves.
func trimCASecret(s *corev1.Secret) *corev1.Secret {
	out := &corev1.Secret{ObjectMeta: resource.Meta(&s.ObjectMeta), Type: s.Type, Data: map[string][]byte{}}
	for k, v := range s.Data {
		out.Data[k] = pki.Redact(v)
	}
	for k, v := range s.StringData { // only in manifests that people write
		out.Data[k] = pki.Redact([]byte(v))
	}
	return out
}

// trimRootCert keeps the root of a ConfigMap istio-ca-root-cert. istiod
// writes there whatever root-cert.pem holds, a private key not excepted.
func trimRootCert(c *corev1.ConfigMap) *corev1.ConfigMap {
	out := &corev1.ConfigMap{ObjectMeta: resource.Meta(&c.ObjectMeta)}
	if v, ok := c.Data[config.RootCertKey]; ok {
		out.Data = map[string]string{config.RootCertKey: string(pki.Redact([]byte(v)))}
	}
	return out
}
