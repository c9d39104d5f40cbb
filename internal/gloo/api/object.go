package api

import (
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Object is a custom resource of any kind.
type Object struct {
	metav1.ObjectMeta
	Spec, Status Fields
}

// Ref names the object.
func (o *Object) Ref() Ref { return Ref{Namespace: o.Namespace, Name: o.Name} }

// Custom is a custom resource on its way: K is its kind and G the generation of Gloo Mesh, so that
// each kind of each generation is a type.
type Custom[K, G any] struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              Fields `json:"spec,omitempty"`
	Status            Fields `json:"status,omitempty"`
}

// CustomList is a page of them.
type CustomList[K, G any] struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []Custom[K, G] `json:"items"`
}

// DeepCopyObject makes a copy that shares nothing.
func (c *Custom[K, G]) DeepCopyObject() runtime.Object { return copyOf(c) }

// DeepCopyObject makes a copy that shares nothing.
func (l *CustomList[K, G]) DeepCopyObject() runtime.Object { return copyOf(l) }

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

type (
	// The generations, for Custom.

	// Hub is a generation: Service Mesh Hub 0.7 to 0.9.
	Hub struct{}
	// Mesh is a generation: Gloo Mesh 0.10 to 1.x.
	Mesh struct{}
	// Commercial is a generation: Gloo Mesh Enterprise 2.x.
	Commercial struct{}
	// Istio is none: what Gloo Mesh writes for Istio is the same in all of them.
	Istio struct{}
)

type (
	// The kinds, for Custom.

	// VirtualMesh is a kind of Gloo Mesh.
	VirtualMesh struct{}
	// TrafficPolicy is a kind of Gloo Mesh.
	TrafficPolicy struct{}
	// AccessPolicy is a kind of Gloo Mesh.
	AccessPolicy struct{}
	// FailoverService is a kind of Gloo Mesh.
	FailoverService struct{}
	// VirtualDestination is a kind of Gloo Mesh.
	VirtualDestination struct{}
	// WasmDeployment is a kind of Gloo Mesh Enterprise.
	WasmDeployment struct{}
	// ServiceDependency is a kind of Gloo Mesh Enterprise.
	ServiceDependency struct{}
	// VirtualGateway is a kind of Gloo Mesh Enterprise.
	VirtualGateway struct{}
	// VirtualHost is a kind of Gloo Mesh Enterprise.
	VirtualHost struct{}
	// RouteTable is a kind of Gloo Mesh Enterprise.
	RouteTable struct{}
	// AccessLogRecord is a kind of Gloo Mesh Enterprise.
	AccessLogRecord struct{}
	// Settings is a kind of Gloo Mesh.
	Settings struct{}
	// RootTrustPolicy is a kind of Gloo Mesh.
	RootTrustPolicy struct{}
	// KubernetesCluster is a kind of Gloo Mesh.
	KubernetesCluster struct{}
	// DiscoveredMesh is a kind of Gloo Mesh.
	DiscoveredMesh struct{}
	// TrafficTarget is a kind of Gloo Mesh.
	TrafficTarget struct{}
	// Destination is a kind of Gloo Mesh.
	Destination struct{}
	// IssuedCertificate is a kind of Gloo Mesh.
	IssuedCertificate struct{}
	// CertificateRequest is a kind of Gloo Mesh.
	CertificateRequest struct{}
	// PodBounceDirective is a kind of Gloo Mesh.
	PodBounceDirective struct{}
	// EnvoyFilter is a kind of Istio.
	EnvoyFilter struct{}
)
