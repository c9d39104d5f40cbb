// Package envoy reads what a proxy says of the endpoints that it has: the answers
// of Envoy's admin interface to /config_dump and /clusters, and those of istiod's
// /debug/edsz, which have the same form. It reads from anything, asks nobody, and
// takes nothing on trust: an answer may be garbage, and of any length.
package envoy

import (
	"net"
	"slices"
	"strconv"
	"strings"
)

// Cluster is one destination of a proxy with its endpoints.
type Cluster struct {
	// Name is that of Envoy, e.g. outbound|80||cart.shop.svc.cluster.local.
	Name string
	// Endpoints are as the proxy has them: one for each address, as Envoy keeps
	// the first of those that have the same.
	Endpoints []Endpoint
}

// Endpoint is one address that a proxy sends to.
type Endpoint struct {
	// Address is an IP address; of a tunnel, that of the destination in it. What is
	// neither is as the proxy spells it, and has no port.
	Address string
	Port    uint32
	// Locality is region/zone/subzone, as far as it is known.
	Locality string
	Priority uint32
	Weight   uint32
	// LocalityWeight is that of all endpoints of the locality; 0 where the proxy does not say.
	LocalityWeight uint32
	// Health is what the proxy makes of everything that it knows: HEALTHY, UNHEALTHY,
	// DEGRADED, DRAINING or UNKNOWN, which counts as healthy.
	Health string
	// Told is the health that the control plane has told; "" where that was not asked.
	Told string
	// Flags are what the proxy itself holds against it, in Envoy's words, such as
	// FailedOutlierCheck; only where that was asked.
	Flags []string
	// TLSMode is "istio" where the proxy uses mutual TLS, else mostly "disabled" or "".
	TLSMode string
	// Tunnel: it is reached through a tunnel of HTTP/2 (HBONE).
	Tunnel bool
	// Workload is what the control plane says it is.
	Workload Workload
}

// Workload is what istiod writes into the metadata of an endpoint for telemetry. Of a
// gateway between networks it is the cluster alone.
type Workload struct {
	Name, Namespace, Cluster string
}

// FailedOutlierCheck is the flag of an endpoint that the proxy has ejected for a while,
// because requests to it failed.
const FailedOutlierCheck = "failed_outlier_check"

// Health of an endpoint.
const (
	Healthy   = "HEALTHY"
	Unhealthy = "UNHEALTHY"
	Degraded  = "DEGRADED"
	Draining  = "DRAINING"
	Unknown   = "UNKNOWN"
)

// Usable reports whether the proxy sends to the endpoint.
func (e Endpoint) Usable() bool { return e.Health != Unhealthy && e.Health != Draining }

// Ejected reports whether outlier detection has taken the endpoint out for a while.
func (e Endpoint) Ejected() bool { return slices.Contains(e.Flags, FailedOutlierCheck) }

// MTLS reports whether the proxy uses mutual TLS with the endpoint.
func (e Endpoint) MTLS() bool { return e.TLSMode == "istio" }

// String is address:port.
func (e Endpoint) String() string {
	if e.Port == 0 {
		return e.Address
	}
	return net.JoinHostPort(e.Address, strconv.FormatUint(uint64(e.Port), 10))
}

// Destination is what the name of a cluster says: a port of a host, or of a subset of it.
type Destination struct {
	Host   string
	Port   int
	Subset string
}

// Name is what istiod calls the destination in the configuration of proxies
// (pilot/pkg/model/push_context.go, BuildSubsetKey).
func (d Destination) Name() string {
	return strings.Join([]string{"outbound", strconv.Itoa(d.Port), d.Subset, d.Host}, "|")
}

// ParseName is the reverse of Destination.Name; ok is false for a cluster of another kind.
func ParseName(name string) (d Destination, ok bool) {
	parts := strings.Split(name, "|")
	if len(parts) != 4 || parts[0] != "outbound" {
		return Destination{}, false
	}
	port, err := strconv.ParseUint(parts[1], 10, 16)
	if err != nil || parts[3] == "" {
		return Destination{}, false
	}
	d = Destination{Host: parts[3], Port: int(port), Subset: parts[2]}
	return d, d.Name() == name
}

// Find returns the cluster of a destination; nil where the proxy has none.
func Find(clusters []Cluster, to Destination) *Cluster {
	name := to.Name()
	for i := range clusters {
		if clusters[i].Name == name {
			return &clusters[i]
		}
	}
	return nil
}
