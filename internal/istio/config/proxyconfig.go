package config

import (
	"encoding/json"
	"strings"

	"sigs.k8s.io/yaml"
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
