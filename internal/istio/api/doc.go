// Package api has the custom resources that the rules read, with those of
// their fields that the rules read, named as the CRDs name them. What is not
// named here is dropped when an object is decoded.
package api

import (
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The groups of the custom resources.
const (
	SecurityGroup   = "security.istio.io"
	NetworkingGroup = "networking.istio.io"
	GatewayGroup    = "gateway.networking.k8s.io"
)

// Versions are those in which the resources are asked for, the newest first. Each
// of them gives the same fields.
var Versions = []string{"v1", "v1beta1"}

// AddToScheme registers the kinds. They are written in the first of Versions.
func AddToScheme(scheme *runtime.Scheme) error {
	for _, version := range Versions {
		add := func(group, kind string, object, list runtime.Object) {
			gv := schema.GroupVersion{Group: group, Version: version}
			scheme.AddKnownTypeWithName(gv.WithKind(kind), object)
			scheme.AddKnownTypeWithName(gv.WithKind(kind+"List"), list)
			metav1.AddToGroupVersion(scheme, gv)
		}
		add(SecurityGroup, "PeerAuthentication", &PeerAuthentication{}, &PeerAuthenticationList{})
		add(NetworkingGroup, "DestinationRule", &DestinationRule{}, &DestinationRuleList{})
		add(NetworkingGroup, "Gateway", &Gateway{}, &GatewayList{})
		add(NetworkingGroup, "ServiceEntry", &ServiceEntry{}, &ServiceEntryList{})
		add(NetworkingGroup, "VirtualService", &VirtualService{}, &VirtualServiceList{})
		add(NetworkingGroup, "WorkloadEntry", &WorkloadEntry{}, &WorkloadEntryList{})
		add(GatewayGroup, "Gateway", &KubernetesGateway{}, &KubernetesGatewayList{})
		add(NetworkingGroup, "VirtualService", &VirtualService{}, &VirtualServiceList{})
		add(NetworkingGroup, "Sidecar", &Sidecar{}, &SidecarList{})
		add(SecurityGroup, "AuthorizationPolicy", &AuthorizationPolicy{}, &AuthorizationPolicyList{})
	}
	exports := schema.GroupVersion{Group: MulticlusterGroup, Version: MulticlusterVersion}
	scheme.AddKnownTypeWithName(exports.WithKind("ServiceExport"), &ServiceExport{})
	scheme.AddKnownTypeWithName(exports.WithKind("ServiceExportList"), &ServiceExportList{})
	metav1.AddToGroupVersion(scheme, exports)
	return nil
}

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
