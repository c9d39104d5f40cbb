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

// The generations, for Custom.
type (
	Hub        struct{} // Service Mesh Hub 0.7 to 0.9
	Mesh       struct{} // Gloo Mesh 0.10 to 1.x
	Commercial struct{} // Gloo Mesh Enterprise 2.x
)

// The kinds, for Custom.
type (
	VirtualMesh        struct{}
	TrafficPolicy      struct{}
	AccessPolicy       struct{}
	FailoverService    struct{}
	VirtualDestination struct{}
	RootTrustPolicy    struct{}
	KubernetesCluster  struct{}
	DiscoveredMesh     struct{}
	TrafficTarget      struct{}
	Destination        struct{}
	IssuedCertificate  struct{}
	CertificateRequest struct{}
	PodBounceDirective struct{}
)
