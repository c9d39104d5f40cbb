// Package api has Linkerd's custom resources, and those of tools that act on its mirrors, with
// the fields that the rules read, named as the definitions name them. What is not named here is
// dropped when an object is decoded.
package api

import "encoding/json"

// The groups of the custom resources.
const (
	MulticlusterGroup = "multicluster.linkerd.io"
	PolicyGroup       = "policy.linkerd.io"
	ProfileGroup      = "linkerd.io"
	ArgoGroup         = "argoproj.io"
)

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
