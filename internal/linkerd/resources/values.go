package resources

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// Values are the Helm values of an installation, as far as rules read them: ConfigMap
// linkerd-config keeps them, and nothing of the control plane goes by them once it runs.
type Values struct {
	ClusterDomain           string    `json:"clusterDomain,omitempty"`
	ClusterNetworks         string    `json:"clusterNetworks,omitempty"`
	CNIEnabled              bool      `json:"cniEnabled,omitempty"`
	IdentityTrustAnchorsPEM string    `json:"identityTrustAnchorsPEM,omitempty"`
	IdentityTrustDomain     string    `json:"identityTrustDomain,omitempty"`
	LinkerdVersion          string    `json:"linkerdVersion,omitempty"`
	Identity                Identity  `json:"identity,omitzero"`
	Proxy                   Proxy     `json:"proxy,omitzero"`
	ProxyInit               ProxyInit `json:"proxyInit,omitzero"`
}

// Identity says where roots and issuer come from.
type Identity struct {
	ExternalCA bool   `json:"externalCA,omitempty"`
	Issuer     Issuer `json:"issuer,omitzero"`
}

// Issuer says in which layout the Secret with the issuer is.
type Issuer struct {
	Scheme string `json:"scheme,omitempty"`
	// ClockSkewAllowance is by how much certificates of proxies are dated back: "20s".
	ClockSkewAllowance string `json:"clockSkewAllowance,omitempty"`
}

// Proxy is what proxies are given.
type Proxy struct {
	DefaultInboundPolicy string     `json:"defaultInboundPolicy,omitempty"`
	Image                ProxyImage `json:"image,omitzero"`
}

// ProxyImage is the image of proxies. Without a version it is that of the control plane.
type ProxyImage struct {
	Version string `json:"version,omitempty"`
}

// ProxyInit is how the traffic of pods is led to their proxies.
type ProxyInit struct {
	// IgnoreInboundPorts are ports of which the traffic is not led there; nil for those of the chart.
	IgnoreInboundPorts *string `json:"ignoreInboundPorts,omitempty"`
}

// BackDated is by how much certificates of proxies are dated back.
func (v Values) BackDated() time.Duration {
	if d, err := time.ParseDuration(v.Identity.Issuer.ClockSkewAllowance); err == nil {
		return d
	}
	return 20 * time.Second // charts/linkerd-control-plane/values.yaml
}

// ProxyVersion is the version of the proxies that the injector gives to pods.
func (v Values) ProxyVersion() string {
	if v.Proxy.Image.Version == "" {
		return v.LinkerdVersion
	}
	return v.Proxy.Image.Version
}

// IgnoredInboundPorts are the ports whose traffic does not go to proxies, where a pod does not say otherwise
// (charts/linkerd-control-plane/values.yaml, proxyInit).
func (v Values) IgnoredInboundPorts() string {
	if v.ProxyInit.IgnoreInboundPorts == nil {
		return "4567,4568"
	}
	return *v.ProxyInit.IgnoreInboundPorts
}

// Domain is the DNS domain of the cluster.
func (v Values) Domain() string {
	if v.ClusterDomain == "" {
		return "cluster.local"
	}
	return v.ClusterDomain
}

// TrustDomain is what identities end in; the cluster's domain where the installation does not say.
func (v Values) TrustDomain() string {
	if v.IdentityTrustDomain == "" {
		return v.Domain()
	}
	return v.IdentityTrustDomain
}

// ValuesOf are those of a ConfigMap linkerd-config; false where it holds none that can be read.
func ValuesOf(c *corev1.ConfigMap) (Values, bool) {
	var out Values
	text, ok := c.Data[KeyValues]
	if !ok || yaml.Unmarshal([]byte(text), &out) != nil {
		return Values{}, false
	}
	return out, true
}

// trimConfig keeps of the values what rules read.
func trimConfig(c *corev1.ConfigMap) *corev1.ConfigMap {
	out := &corev1.ConfigMap{ObjectMeta: resource.Meta(&c.ObjectMeta)}
	v, ok := ValuesOf(c)
	if !ok {
		return out
	}
	v.IdentityTrustAnchorsPEM = string(pki.Redact([]byte(v.IdentityTrustAnchorsPEM)))
	if text, err := yaml.Marshal(v); err == nil {
		out.Data = map[string]string{KeyValues: string(text)}
	}
	return out
}
