package ads

import (
	"cmp"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// transportMatchMetadata is where an endpoint says what it can speak.
const transportMatchMetadata = "envoy.transport_socket_match"

// transport is how a cluster speaks to an endpoint: by the first of its matches
// that the endpoint's metadata satisfies, else by its own socket, else plainly.
func transport(cluster *clusterv3.Cluster, lb *endpointv3.LbEndpoint) string {
	name := cluster.GetTransportSocket().GetName()
	for _, match := range cluster.GetTransportSocketMatches() {
		if satisfies(lb.GetMetadata().GetFilterMetadata()[transportMatchMetadata], match.GetMatch()) {
			name = match.GetTransportSocket().GetName()
			break
		}
	}
	return strings.TrimPrefix(cmp.Or(name, "raw_buffer"), "envoy.transport_sockets.")
}

// satisfies reports whether metadata has all fields of a match.
func satisfies(metadata, match *structpb.Struct) bool {
	for key, wanted := range match.GetFields() {
		if !proto.Equal(metadata.GetFields()[key], wanted) {
			return false
		}
	}
	return true
}
