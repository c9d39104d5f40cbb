package istio

import (
	"encoding/json"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
)

// GatewayTopology is the part of a proxy config that says what is in front of a gateway.
type GatewayTopology struct {
	// ProxyProtocol: connections begin with a header of the load balancer's.
	ProxyProtocol *struct{} `json:"proxyProtocol,omitempty"`
}

// ReduceProxyConfig returns the value of EnvProxyConfig with only the fields that
// rules read; "" for one that cannot be read.
func ReduceProxyConfig(text string) string {
	var p ProxyConfig
	if strings.TrimSpace(text) == "" || yaml.Unmarshal([]byte(text), &p) != nil {
		return ""
	}
	p.ProxyMetadata = nil
	out, err := json.Marshal(p)
	if err != nil {
		return ""
	}
	return string(out)
}

// HasProxy reports whether a pod has an agent of the mesh: that of a sidecar, a gateway, a
// waypoint, or of gRPC without a proxy. The container of ztunnel has the same name.
func HasProxy(p *facts.Pod) bool {
	return p.Labels["app"] != ZtunnelName && p.Owner != ztunnel && p.Container(ProxyContainer) != nil
}

// HasEnvoy reports whether the agent runs an Envoy. One that does not is connected to
// istiod only while its application is, and has no admin interface
// (manifests/charts/istio-control/istio-discovery/files/grpc-agent.yaml).
func HasEnvoy(p *facts.Pod) bool { return HasProxy(p) && !isTrue(ProxyEnvOf(p)[EnvDisableEnvoy]) }

var ztunnel = facts.Owner{Kind: "DaemonSet", Name: ZtunnelName}

// ProxyConfigOf is the config that a pod's proxy was given at its injection, with
// the default for what it does not say; false where it is not known.
func ProxyConfigOf(p *facts.Pod) (ProxyConfig, bool) {
	text, ok := ProxyEnvOf(p)[EnvProxyConfig]
	var config ProxyConfig
	if !ok || text == "" || json.Unmarshal([]byte(text), &config) != nil {
		return ProxyConfig{}, false
	}
	if config.DiscoveryAddress == "" {
		config.DiscoveryAddress = defaultDiscoveryAddress
	}
	return config, true
}
