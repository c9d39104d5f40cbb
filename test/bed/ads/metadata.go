package ads

import (
	"strings"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
)

// istioMetadata is where istiod writes for its telemetry which workload an
// endpoint is.
const istioMetadata = "istio"

// metadataString returns a string in the metadata of an endpoint.
func metadataString(lb *endpointv3.LbEndpoint, filter, key string) string {
	return lb.GetMetadata().GetFilterMetadata()[filter].GetFields()[key].GetStringValue()
}

// setWorkload fills in what the endpoint is: workload; namespace; canonical
// service; its revision; cluster ID.
func (e *Endpoint) setWorkload(lb *endpointv3.LbEndpoint) {
	parts := strings.Split(metadataString(lb, istioMetadata, "workload"), ";")
	if len(parts) < 5 {
		return
	}
	e.Workload, e.Namespace, e.Cluster = parts[0], parts[1], parts[4]
	e.Gateway = e.Workload == "" && e.Namespace == ""
}
