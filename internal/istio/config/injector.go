package config

import (
	"encoding/json"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// Names of the injector's ConfigMap, and its key with the values of the installation
// (manifests/charts/istio-control/istio-discovery/templates/istiod-injector-configmap.yaml).
const (
	InjectorConfigMap = "istio-sidecar-injector"
	InjectorValuesKey = "values"
	InjectorConfigKey = "config"
)

// InjectorValues are those values of an installation that say where its pods are.
type InjectorValues struct {
	Global struct {
		Network      string `json:"network,omitempty"`
		MeshID       string `json:"meshID,omitempty"`
		MultiCluster struct {
			ClusterName string `json:"clusterName,omitempty"`
		} `json:"multiCluster,omitzero"`
	} `json:"global"`
}

// InjectorConfig is the part of the injector's own configuration that says which pods it leaves
// out (pkg/kube/inject/inject.go, Config).
type InjectorConfig struct {
	// Policy is enabled, or disabled: then only pods that ask by a label are injected.
	Policy               string                  `json:"policy,omitempty"`
	NeverInjectSelector  []*metav1.LabelSelector `json:"neverInjectSelector,omitempty"`
	AlwaysInjectSelector []*metav1.LabelSelector `json:"alwaysInjectSelector,omitempty"`
}

// IsInjectorConfigMap reports whether a name is that of an injector's ConfigMap.
func IsInjectorConfigMap(name string) bool {
	return name == InjectorConfigMap || strings.HasPrefix(name, InjectorConfigMap+"-")
}

// ReduceInjectorValues returns the values with only those that rules read; values
// that cannot be read are reduced to nothing but that fact.
func ReduceInjectorValues(text string) string {
	var v InjectorValues
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		return "[not YAML]"
	}
	out, err := json.Marshal(v)
	if err != nil {
		return "[not YAML]"
	}
	return string(out)
}

// ReduceInjectorConfig returns the injector's configuration without its templates.
func ReduceInjectorConfig(text string) string {
	var c InjectorConfig
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		return "[not YAML]"
	}
	out, err := json.Marshal(c)
	if err != nil {
		return "[not YAML]"
	}
	return string(out)
}
