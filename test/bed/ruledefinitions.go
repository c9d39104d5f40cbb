package bed

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// GatewayDefinitions are the definitions of the two kinds of gateways that
// meshes have: Istio's own and that of the Gateway API. They let every content pass.
func GatewayDefinitions() []runtime.Object {
	gatewayAPI := definition("gateway.networking.k8s.io", "Gateway", "gateways", "Namespaced", "v1", "v1beta1")
	// The API server asks this of groups that are Kubernetes' own.
	gatewayAPI.(*unstructured.Unstructured).SetAnnotations(map[string]string{"api-approved.kubernetes.io": "unapproved, for tests alone"})
	return []runtime.Object{definition("networking.istio.io", "Gateway", "gateways", "Namespaced", "v1", "v1beta1", "v1alpha3"), gatewayAPI}
}

// Definitions are the definitions of all custom resources that rules about a mesh read:
// Istio's, and gateways of the Gateway API. They let every content pass.
func Definitions() []runtime.Object {
	objects := GatewayDefinitions()
	for _, k := range istioKinds {
		if k.kind != "Gateway" {
			objects = append(objects, definition(k.group, k.kind, k.plural, "Namespaced", k.versions...))
		}
	}
	return objects
}
