package ads

import (
	"fmt"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// The types that a proxy asks for.
var (
	clusterType  = typeURL(&clusterv3.Cluster{})
	endpointType = typeURL(&endpointv3.ClusterLoadAssignment{})
	listenerType = typeURL(&listenerv3.Listener{})
	routeType    = typeURL(&routev3.RouteConfiguration{})
)

// typeURL is how the type of a message is spelled in the protocol.
func typeURL(message proto.Message) string {
	return "type.googleapis.com/" + string(message.ProtoReflect().Descriptor().FullName())
}

// decode reads a message of a type and holds it against the constraints of its
// definition, as Envoy does before it takes one.
func decode(wanted string, packed *anypb.Any) (proto.Message, error) {
	if packed.GetTypeUrl() != wanted {
		return nil, fmt.Errorf("is a %q, not a %q", packed.GetTypeUrl(), wanted)
	}
	message, err := packed.UnmarshalNew()
	if err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	if constrained, ok := message.(interface{ Validate() error }); ok {
		if err := constrained.Validate(); err != nil {
			return nil, fmt.Errorf("validate: %w", err)
		}
	}
	return message, nil
}
