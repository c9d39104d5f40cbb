package istio

import (
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// InjectorConfigMap is the name of the ConfigMap with the values of this
// revision's injector.
func (i Istiod) InjectorConfigMap() string {
	if i.Revision == "" || i.Revision == DefaultRevision {
		return InjectorConfigMap
	}
	return InjectorConfigMap + "-" + i.Revision
}

// InjectorValuesOf are the values of a revision's injector; false where they were
// not read, do not exist, or are none.
func InjectorValuesOf(c *facts.Cluster, i Istiod) (InjectorValues, bool) {
	var v InjectorValues
	for _, cm := range resources.Injectors.Of(c).Value {
		if cm.Name == i.InjectorConfigMap() {
			text, ok := cm.Data[InjectorValuesKey]
			return v, ok && yaml.Unmarshal([]byte(text), &v) == nil
		}
	}
	return v, false
}

// InjectorConfigOf is the configuration of a revision's injector; false where it was not read,
// does not exist, or is none.
func InjectorConfigOf(c *facts.Cluster, i Istiod) (InjectorConfig, bool) {
	var out InjectorConfig
	for _, cm := range resources.Injectors.Of(c).Value {
		if cm.Name == i.InjectorConfigMap() {
			text, ok := cm.Data[InjectorConfigKey]
			return out, ok && yaml.Unmarshal([]byte(text), &out) == nil
		}
	}
	return out, false
}
