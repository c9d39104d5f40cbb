package istio

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// EastWestAddresses are the addresses of the gateway of an ambient network of which
// the control planes of other clusters tell their ambient workloads; none of any
// other Gateway (pilot/pkg/serviceregistry/ambient/networks.go,
// remoteK8sGatewayToNetworkGateways).
func EastWestAddresses(k *api.KubernetesGateway) []facts.NetworkAddress {
	network := k.Labels[LabelNetwork]
	if network == "" || k.Spec.GatewayClassName != api.ClassEastWest || !slices.ContainsFunc(k.Spec.Listeners, IsEastWestListener) {
		return nil
	}
	var out []facts.NetworkAddress
	for _, a := range k.Status.Addresses {
		if IsGatewayAddress(a) {
			out = append(out, facts.NetworkAddress{Network: network, Address: a.Value})
		}
	}
	return out
}

// IsEastWestListener reports whether a listener is one at which the gateway of an
// ambient network takes requests.
func IsEastWestListener(l api.Listener) bool {
	return l.Protocol == "HBONE" && l.TLS != nil && l.TLS.Mode == "Terminate"
}

// IsGatewayAddress reports whether an address of a Gateway counts: those without a
// type do not.
func IsGatewayAddress(a api.GatewayAddress) bool {
	return a.Type != nil && (*a.Type == "IPAddress" || *a.Type == "Hostname")
}
