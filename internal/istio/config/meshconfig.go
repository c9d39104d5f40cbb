package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/serverurl"
)

// MeshConfig is the part of Istio's mesh config that rules read
// (https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/).
type MeshConfig struct {
	// ConfigMap is the name of the ConfigMap that it comes from.
	ConfigMap string `json:"-"`

	TrustDomain        string                  `json:"trustDomain,omitempty"`
	TrustDomainAliases []string                `json:"trustDomainAliases,omitempty"`
	CACertificates     []CACertificate         `json:"caCertificates,omitempty"`
	DefaultConfig      ProxyConfig             `json:"defaultConfig,omitzero"`
	DiscoverySelectors []*metav1.LabelSelector `json:"discoverySelectors,omitempty"`

	RootNamespace                  string                 `json:"rootNamespace,omitempty"`
	ServiceSettings                []ServiceSettings      `json:"serviceSettings,omitempty"`
	LocalityLbSetting              *api.LocalityLbSetting `json:"localityLbSetting,omitempty"`
	DefaultServiceExportTo         []string               `json:"defaultServiceExportTo,omitempty"`
	DefaultDestinationRuleExportTo []string               `json:"defaultDestinationRuleExportTo,omitempty"`
	DefaultVirtualServiceExportTo  []string               `json:"defaultVirtualServiceExportTo,omitempty"`
	ServiceScopeConfigs            []ServiceScopeConfig   `json:"serviceScopeConfigs,omitempty"`
}

// ServiceScopeConfig says which services ambient workloads of other clusters see.
type ServiceScopeConfig struct {
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`
	ServicesSelector  *metav1.LabelSelector `json:"servicesSelector,omitempty"`
	Scope             string                `json:"scope,omitempty"`
}

// ServiceSettings are settings for the services of some hosts.
type ServiceSettings struct {
	Settings *struct {
		ClusterLocal bool `json:"clusterLocal,omitempty"`
	} `json:"settings,omitempty"`
	Hosts []string `json:"hosts,omitempty"`
}

// HostsExcludedFromLocal are the hosts for which serviceSettings say that they are not
// clusterLocal, where a wider one says that it is, sorted.
func (m MeshConfig) HostsExcludedFromLocal() []string {
	var local, shared, out []string
	for _, s := range m.ServiceSettings {
		if s.Settings != nil && s.Settings.ClusterLocal {
			local = append(local, s.Hosts...)
		} else {
			shared = append(shared, s.Hosts...)
		}
	}
	for _, host := range shared {
		if slices.ContainsFunc(local, func(l string) bool {
			return l != host && strings.HasPrefix(l, "*") && strings.HasSuffix(host, l[1:])
		}) {
			out = append(out, host)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// CACertificate is one entry of caCertificates.
type CACertificate struct {
	PEM             string   `json:"pem,omitempty"`
	SPIFFEBundleURL string   `json:"spiffeBundleUrl,omitempty"`
	CertSigners     []string `json:"certSigners,omitempty"`
	TrustDomains    []string `json:"trustDomains,omitempty"`
}

// ProxyConfig is the part of defaultConfig that rules read.
type ProxyConfig struct {
	ProxyMetadata    map[string]string `json:"proxyMetadata,omitempty"`
	DiscoveryAddress string            `json:"discoveryAddress,omitempty"`
	GatewayTopology  *GatewayTopology  `json:"gatewayTopology,omitempty"`
}

// DefaultDiscoveryAddress is where proxies find istiod unless something else is said.
const DefaultDiscoveryAddress = "istiod.istio-system.svc:15012"

// Environment variables of a sidecar that rules read; no other is kept.
const (
	EnvProxyNetwork     = "ISTIO_META_NETWORK"
	EnvProxyClusterID   = "ISTIO_META_CLUSTER_ID"
	EnvProxyNetworkView = "ISTIO_META_REQUESTED_NETWORK_VIEW" // the networks that a gateway wants to know of
	EnvProxyMeshID      = "ISTIO_META_MESH_ID"
	EnvProxyConfig      = "PROXY_CONFIG"
	EnvDisableEnvoy     = "DISABLE_ENVOY"          // an agent that serves applications with gRPC, and no Envoy
	EnvZtunnelNetwork   = "NETWORK"                // what ztunnel has in place of ISTIO_META_NETWORK
	EnvDNSCapture       = "ISTIO_META_DNS_CAPTURE" // the agent answers for the names of all services
	EnvXDSAgent         = "PROXY_CONFIG_XDS_AGENT" // lets the agent take trust anchors from istiod
	EnvCAAddress        = "CA_ADDR"                // where the agent has its certificates signed
	EnvCAProvider       = "CA_PROVIDER"            // how it asks for them: Citadel, or a cloud's CA
	EnvXDSRootCA        = "XDS_ROOT_CA"            // the file by which the agent checks istiod, in place of the mesh's root
	EnvIstiodSAN        = "ISTIOD_SAN"             // the name for which it checks istiod, in place of the host's
)

// ProxyEnv are the environment variables that are kept of a sidecar.
var ProxyEnv = []string{
	EnvXDSAgent,
	EnvCAAddress,
	EnvCAProvider,
	EnvProxyNetwork,
	EnvProxyClusterID,
	EnvProxyNetworkView,
	EnvProxyMeshID,
	EnvProxyConfig,
	EnvDisableEnvoy,
	EnvZtunnelNetwork,
	EnvDNSCapture,
	EnvXDSRootCA,
	EnvIstiodSAN,
}

// Defaulted fills in what istiod assumes where nothing is said.
func (m MeshConfig) Defaulted() MeshConfig {
	if m.TrustDomain == "" {
		m.TrustDomain = DefaultTrustDomain
	}
	if m.RootNamespace == "" {
		m.RootNamespace = SystemNamespace
	}
	if m.DefaultConfig.DiscoveryAddress == "" {
		m.DefaultConfig.DiscoveryAddress = DefaultDiscoveryAddress
	}
	return m
}

// ParseMeshConfig reads the value of key "mesh".
func ParseMeshConfig(configMap, text string) (MeshConfig, error) {
	m := MeshConfig{ConfigMap: configMap}
	if err := yaml.Unmarshal([]byte(text), &m); err != nil {
		return m, fmt.Errorf("configmap %s, key %s: it is not a mesh config in YAML", configMap, MeshConfigKey)
	}
	return m.Defaulted(), nil
}

// ReduceMeshConfig returns the value of key "mesh" with only the fields that
// rules read, and the names of those that no istiod reads: a mesh config can hold access tokens of tracers. redact takes what
// is secret out of a PEM value. A value that cannot be read is reduced to nothing
// but that fact.
func ReduceMeshConfig(text string, redact func([]byte) []byte) string {
	var m MeshConfig
	if err := yaml.Unmarshal([]byte(text), &m); err != nil {
		return "[not YAML]"
	}
	m.DefaultConfig.ProxyMetadata = only(m.DefaultConfig.ProxyMetadata, ProxyEnv)
	for i := range m.CACertificates {
		ca := &m.CACertificates[i]
		ca.PEM = string(redact([]byte(ca.PEM)))
		if ca.SPIFFEBundleURL != "" {
			ca.SPIFFEBundleURL = cmp.Or(serverurl.Shown(ca.SPIFFEBundleURL), "[not a URL]")
		}
	}
	out, err := yaml.Marshal(m)
	if err == nil {
		out, err = withUnread(out, text)
	}
	if err != nil {
		return "[not YAML]"
	}
	return string(out)
}

func only(m map[string]string, keys []string) map[string]string {
	var out map[string]string
	for _, k := range keys {
		if v, ok := m[k]; ok {
			if out == nil {
				out = map[string]string{}
			}
			out[k] = v
		}
	}
	return out
}

// Selects reports whether istiod looks after a namespace with these labels:
// any selector matches, or there is none (discoverySelectors).
func (m MeshConfig) Selects(namespaceLabels map[string]string) bool {
	if len(m.DiscoverySelectors) == 0 {
		return true
	}
	for _, s := range m.DiscoverySelectors {
		selector, err := metav1.LabelSelectorAsSelector(s)
		if err == nil && selector.Matches(labels.Set(namespaceLabels)) {
			return true
		}
	}
	return false
}

// IsGlobal reports whether ambient workloads of other clusters see a service with
// these labels: any of the configs that make services global takes it. No selector takes
// everything (pilot/pkg/serviceregistry/ambient/services.go, matchServiceScope).
func (m MeshConfig) IsGlobal(namespaceLabels, serviceLabels map[string]string) bool {
	takes := func(s *metav1.LabelSelector, l map[string]string) bool {
		if s == nil {
			return true
		}
		selector, err := metav1.LabelSelectorAsSelector(s)
		return err == nil && selector.Matches(labels.Set(l))
	}
	for _, c := range m.ServiceScopeConfigs {
		if c.Scope == "GLOBAL" && takes(c.NamespaceSelector, namespaceLabels) && takes(c.ServicesSelector, serviceLabels) {
			return true
		}
	}
	return false
}

// TakesAnchors reports whether a sidecar with these variables takes trust anchors
// from istiod.
func TakesAnchors(env map[string]string) bool { return IsTrue(env[EnvXDSAgent]) }

// IsTrue reports whether the value of a variable is true, as Go reads it.
func IsTrue(s string) bool {
	if s == "" {
		return false // most are not set, and an error costs more
	}
	on, err := strconv.ParseBool(s)
	return err == nil && on
}
