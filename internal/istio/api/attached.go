package api

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Kinds of the Gateway API of which istiod does not read those of every release
// (pkg/config/schema/gatewayapi/minimumversions.go). Each is the kind K of an Attached.
type (
	// KindTLSRoute is that of routes of TLS by the name of the server.
	KindTLSRoute struct{}
	// KindTCPRoute is that of routes of TCP.
	KindTCPRoute struct{}
	// KindGRPCRoute is that of routes of gRPC.
	KindGRPCRoute struct{}
	// KindBackendTLSPolicy is that of policies about the TLS of backends.
	KindBackendTLSPolicy struct{}
)

// The objects of these kinds, and lists of them.
type (
	// TLSRoute is what is read of one.
	TLSRoute = Attached[KindTLSRoute]
	// TLSRouteList is a list of TLSRoutes.
	TLSRouteList = AttachedList[KindTLSRoute]
	// TCPRoute is what is read of one.
	TCPRoute = Attached[KindTCPRoute]
	// TCPRouteList is a list of TCPRoutes.
	TCPRouteList = AttachedList[KindTCPRoute]
	// GRPCRoute is what is read of one.
	GRPCRoute = Attached[KindGRPCRoute]
	// GRPCRouteList is a list of GRPCRoutes.
	GRPCRouteList = AttachedList[KindGRPCRoute]
	// BackendTLSPolicy is what is read of one.
	BackendTLSPolicy = Attached[KindBackendTLSPolicy]
	// BackendTLSPolicyList is a list of BackendTLSPolicies.
	BackendTLSPolicyList = AttachedList[KindBackendTLSPolicy]
)

// Attached is an object that is attached to gateways, to Services of the mesh, or to backends. Each
// K is a kind of its own.
type Attached[K any] struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              AttachedSpec   `json:"spec"`
	Status            AttachedStatus `json:"status,omitzero"`
}

// AttachedSpec is what it is attached to.
type AttachedSpec struct {
	ParentRefs []ParentRef `json:"parentRefs,omitempty"`
	TargetRefs []TargetRef `json:"targetRefs,omitempty"`
}

// ParentRef names a gateway or a Service; no kind is Gateway, and no namespace that of the route.
type ParentRef struct {
	Group     *string `json:"group,omitempty"`
	Kind      *string `json:"kind,omitempty"`
	Namespace *string `json:"namespace,omitempty"`
	Name      string  `json:"name,omitempty"`
}

// AttachedStatus says which controllers have taken it: of routes parents, of policies ancestors.
type AttachedStatus struct {
	Parents   []TakenBy `json:"parents,omitempty"`
	Ancestors []TakenBy `json:"ancestors,omitempty"`
}

// TakenBy is a controller that has taken an object.
type TakenBy struct {
	ControllerName string `json:"controllerName,omitempty"`
}

// AttachedList is a page of them.
type AttachedList[K any] struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []Attached[K] `json:"items"`
}

// DeepCopyObject makes a copy that shares nothing.
func (a *Attached[K]) DeepCopyObject() runtime.Object { return copyOf(a) }

// DeepCopyObject makes a copy that shares nothing.
func (l *AttachedList[K]) DeepCopyObject() runtime.Object { return copyOf(l) }
