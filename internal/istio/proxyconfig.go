package istio

import (
	"encoding/json"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
)

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
		config.DiscoveryAddress = DefaultDiscoveryAddress
	}
	return config, true
}
