package ads

import (
	"net"
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
)

// originalDestinationMetadata is where istiod writes what is behind a tunnel.
const originalDestinationMetadata = "envoy.filters.listener.original_dst"

// setAddress fills in where an endpoint is.
func (e *Endpoint) setAddress(lb *endpointv3.LbEndpoint) {
	for _, more := range lb.GetEndpoint().GetAdditionalAddresses() {
		e.More = append(e.More, formatAddress(more.GetAddress()))
	}
	address := lb.GetEndpoint().GetAddress()
	switch a := address.GetAddress().(type) {
	case *corev3.Address_SocketAddress:
		e.Address, e.Port = a.SocketAddress.GetAddress(), int(a.SocketAddress.GetPortValue())
	case *corev3.Address_EnvoyInternalAddress:
		// An internal address leads to a listener of the proxy itself, which
		// opens the tunnel.
		e.HBONE = true
		e.Waypoint = metadataString(lb, originalDestinationMetadata, "waypoint")
		target := metadataString(lb, originalDestinationMetadata, "local")
		if target == "" {
			target = a.EnvoyInternalAddress.GetEndpointId()
		}
		e.Address, e.Port = splitAddress(target)
	default:
		e.Address = formatAddress(address)
	}
}

// formatAddress spells an address as Envoy does.
func formatAddress(address *corev3.Address) string {
	switch a := address.GetAddress().(type) {
	case *corev3.Address_SocketAddress:
		port := strconv.Itoa(int(a.SocketAddress.GetPortValue()))
		return net.JoinHostPort(a.SocketAddress.GetAddress(), port)
	case *corev3.Address_EnvoyInternalAddress:
		name := a.EnvoyInternalAddress.GetServerListenerName()
		return "envoy://" + name + "/" + a.EnvoyInternalAddress.GetEndpointId()
	case *corev3.Address_Pipe:
		return a.Pipe.GetPath()
	}
	return ""
}

// splitAddress is net.SplitHostPort for what need not have a port.
func splitAddress(text string) (string, int) {
	host, portText, err := net.SplitHostPort(text)
	if err != nil {
		return text, 0
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return text, 0
	}
	return host, port
}
