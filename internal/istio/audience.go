package istio

import "slices"

// audience is to whom an object is exported, the narrowest first.
type audience int

const (
	ownNamespace audience = iota
	someNamespaces
	everyone
	nobody
)

// audienceOf is the one by which a namespace may use an object of another, or of itself, that is exported so
// (pilot/pkg/model/push_context.go, initVirtualServices and initServiceRegistry).
func audienceOf(exportTo []string, own, namespace string) audience {
	switch {
	case len(exportTo) == 0 || slices.Contains(exportTo, exportedToEveryone):
		return everyone
	case slices.Contains(exportTo, exportedToNobody):
		return nobody
	case namespace == own && (slices.Contains(exportTo, exportedToNamespace) || slices.Contains(exportTo, namespace)):
		return ownNamespace
	case slices.Contains(exportTo, namespace):
		return someNamespaces
	}
	return nobody
}
