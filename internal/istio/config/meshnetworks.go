package config

import (
	"fmt"
	"net/netip"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/pattern"
)

// MeshNetworks is the value of key "meshNetworks" of the mesh config
// (https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#MeshNetworks).
type MeshNetworks struct {
	Networks map[string]MeshNetwork `json:"networks,omitempty"`
}

// MeshNetwork is one network: what is in it, and the gateways that lead there.
type MeshNetwork struct {
	Endpoints []NetworkEndpoints   `json:"endpoints,omitempty"`
	Gateways  []MeshNetworkGateway `json:"gateways,omitempty"`
}

// NetworkEndpoints are the addresses of a range, or everything in one cluster.
type NetworkEndpoints struct {
	FromCIDR     string `json:"fromCidr,omitempty"`
	FromRegistry string `json:"fromRegistry,omitempty"`
}

// MeshNetworkGateway is a gateway by its address, or by the host name of its Service.
type MeshNetworkGateway struct {
	RegistryServiceName string `json:"registryServiceName,omitempty"`
	Address             string `json:"address,omitempty"`
	Port                uint32 `json:"port,omitempty"`
}

// ParseMeshNetworks reads the value of key "meshNetworks" as istiod does, which
// takes all of it or, where one thing is wrong, nothing (pkg/config/mesh/mesh.go,
// ParseMeshNetworks; pkg/config/validation/agent/validation.go, ValidateMeshNetworks).
func ParseMeshNetworks(text string) (MeshNetworks, error) {
	var m MeshNetworks
	if err := yaml.Unmarshal([]byte(text), &m); err != nil {
		return MeshNetworks{}, fmt.Errorf("key %s: it does not have the form of meshNetworks", MeshNetworksKey)
	}
	for name, network := range m.Networks {
		for _, e := range network.Endpoints {
			switch {
			case e.FromCIDR != "" && e.FromRegistry != "":
				return MeshNetworks{}, fmt.Errorf("network %s: endpoints have either fromCidr or fromRegistry", name)
			case e.FromCIDR != "" && !isSubnet(e.FromCIDR):
				return MeshNetworks{}, fmt.Errorf("network %s: fromCidr %s is not a range of addresses", name, e.FromCIDR)
			case e.FromRegistry != "" && !dnsLabel().MatchString(e.FromRegistry):
				return MeshNetworks{}, fmt.Errorf("network %s: fromRegistry %s is not a DNS label", name, e.FromRegistry)
			}
		}
		for _, g := range network.Gateways {
			switch {
			case g.Address != "" && g.RegistryServiceName != "":
				return MeshNetworks{}, fmt.Errorf("network %s: a gateway has either an address or registryServiceName", name)
			case g.Address != "" && !IsAddress(g.Address) && !isHostname(g.Address):
				return MeshNetworks{}, fmt.Errorf("network %s: gateway address %s is neither an IP address nor a host name", name, g.Address)
			case g.RegistryServiceName != "" && !isHostname(g.RegistryServiceName):
				return MeshNetworks{}, fmt.Errorf("network %s: registryServiceName %s is not a host name", name, g.RegistryServiceName)
			case g.Port < 1 || g.Port > 65535:
				return MeshNetworks{}, fmt.Errorf("network %s: gateway port %d is not one of 1 to 65535", name, g.Port)
			}
		}
	}
	return m, nil
}

// ReduceMeshNetworks returns the value of key "meshNetworks" with only the fields
// that are read. A value that cannot be read is reduced to nothing but that fact.
func ReduceMeshNetworks(text string) string {
	var m MeshNetworks
	if err := yaml.Unmarshal([]byte(text), &m); err != nil {
		return "[not YAML]"
	}
	out, err := yaml.Marshal(m)
	if err != nil {
		return "[not YAML]"
	}
	return string(out)
}

// dnsLabel is a label as pkg/config/labels/instance.go has it: upper case is allowed.
var dnsLabel = pattern.Of(`^[a-zA-Z0-9](?:[-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$`)

// IsAddress reports whether a text is an IP address.
func IsAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

func isSubnet(s string) bool {
	if strings.Contains(s, "/") {
		_, err := netip.ParsePrefix(s)
		return err == nil
	}
	return IsAddress(s)
}

func isHostname(s string) bool {
	if s == "" || len(s) > 255 {
		return false
	}
	labels := strings.Split(strings.TrimSuffix(s, "."), ".")
	for _, label := range labels {
		if !dnsLabel().MatchString(label) {
			return false
		}
	}
	return true
}
