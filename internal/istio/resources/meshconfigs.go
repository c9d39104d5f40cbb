package resources

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/config"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// MeshConfigs are the ConfigMaps istio and istio-<revision> of the system
// namespace, with the mesh config and meshNetworks.
var MeshConfigs = resource.List[corev1.ConfigMapList](resource.About{
	Name: "mesh configs", File: "configmaps-mesh-config", Kind: "ConfigMap", Resource: "configmaps", Versions: v1,
	Scope: resource.System, Object: config.MeshConfigMap,
}, resource.Belonging[*corev1.ConfigMap]{
	Belongs: func(c *facts.Cluster, m *corev1.ConfigMap) bool {
		_, ok := m.Data[config.MeshConfigKey]
		return ok && m.Namespace == c.SystemNamespace && (m.Name == config.MeshConfigMap || strings.HasPrefix(m.Name, config.MeshConfigMap+"-"))
	},
	Shows: func(m *corev1.ConfigMap) bool { return !isRootCert(m) && !config.IsInjectorConfigMap(m.Name) },
}, trimMeshConfig)

// Injectors are the ConfigMaps istio-sidecar-injector and
// istio-sidecar-injector-<revision> of the system namespace: of their values
// those that say where pods are.
var Injectors = resource.List[corev1.ConfigMapList](resource.About{
	Name: "values of the injector", File: "configmaps-injector", Kind: "ConfigMap", Resource: "configmaps", Versions: v1,
	Scope: resource.System, Object: config.InjectorConfigMap,
}, resource.Belonging[*corev1.ConfigMap]{
	Belongs: func(c *facts.Cluster, m *corev1.ConfigMap) bool {
		return m.Namespace == c.SystemNamespace && config.IsInjectorConfigMap(m.Name)
	},
	Shows: func(m *corev1.ConfigMap) bool { return config.IsInjectorConfigMap(m.Name) },
}, trimInjector)

func trimMeshConfig(c *corev1.ConfigMap) *corev1.ConfigMap {
	out := &corev1.ConfigMap{ObjectMeta: resource.Meta(&c.ObjectMeta)}
	if v, ok := c.Data[config.MeshConfigKey]; ok {
		out.Data = map[string]string{config.MeshConfigKey: config.ReduceMeshConfig(v, pki.Redact)}
	}
	if v, ok := c.Data[config.MeshNetworksKey]; ok {
		if out.Data == nil {
			out.Data = map[string]string{}
		}
		out.Data[config.MeshNetworksKey] = config.ReduceMeshNetworks(v)
	}
	return out
}

// trimInjector keeps of the injector's values those that say where pods are, and of its
// configuration what says which pods it leaves out.
func trimInjector(c *corev1.ConfigMap) *corev1.ConfigMap {
	out := &corev1.ConfigMap{ObjectMeta: resource.OwnedMeta(&c.ObjectMeta)}
	for key, reduce := range map[string]func(string) string{
		config.InjectorValuesKey: config.ReduceInjectorValues, config.InjectorConfigKey: config.ReduceInjectorConfig,
	} {
		if v, ok := c.Data[key]; ok {
			if out.Data == nil {
				out.Data = map[string]string{}
			}
			out.Data[key] = reduce(v)
		}
	}
	return out
}
