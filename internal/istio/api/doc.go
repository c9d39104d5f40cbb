// Package api has the custom resources that the rules read, with those of
// their fields that the rules read, named as the CRDs name them. What is not
// named here is dropped when an object is decoded.
package api

import "encoding/json"

// The groups of the custom resources.
const (
	SecurityGroup   = "security.istio.io"
	NetworkingGroup = "networking.istio.io"
	GatewayGroup    = "gateway.networking.k8s.io"
)

// WorkloadSelector selects pods by their labels; an empty one selects all.
type WorkloadSelector struct {
	MatchLabels map[string]string `json:"matchLabels,omitempty"`
}

// copyOf makes a copy that shares nothing.
func copyOf[T any](in *T) *T {
	out := new(T)
	text, err := json.Marshal(in)
	if err == nil {
		err = json.Unmarshal(text, out)
	}
	if err != nil {
		panic(err) // the types of this package are plain data
	}
	return out
}
