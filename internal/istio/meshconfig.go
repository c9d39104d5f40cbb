package istio

import (
	"fmt"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// MeshConfigs returns the mesh configs that the cluster's control planes use,
// one per revision. A revision whose ConfigMap does not exist runs on istiod's
// defaults. Configs that do not parse are returned as errors.
func MeshConfigs(c *facts.Cluster) ([]MeshConfig, []error) {
	texts := map[string]string{}
	for _, cm := range resources.MeshConfigs.Of(c).Value {
		texts[cm.Name] = cm.Data[MeshConfigKey]
	}
	var out []MeshConfig
	var errs []error
	seen := map[string]bool{}
	for _, i := range Istiods(c) {
		name := i.MeshConfigMap()
		if seen[name] {
			continue
		}
		seen[name] = true
		m, err := ParseMeshConfig(name, texts[name])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, m)
	}
	return out, errs
}

// meshNetworksOf are the mesh networks that a control plane uses; an error where
// it refuses them, and then it uses none.
func meshNetworksOf(c *facts.Cluster, i Istiod) (MeshNetworks, error) {
	for _, cm := range resources.MeshConfigs.Of(c).Value {
		if cm.Name != i.MeshConfigMap() {
			continue
		}
		m, err := ParseMeshNetworks(cm.Data[MeshNetworksKey])
		if err != nil {
			return MeshNetworks{}, fmt.Errorf("configmap %s: %w", cm.Name, err)
		}
		return m, nil
	}
	return MeshNetworks{}, nil
}
