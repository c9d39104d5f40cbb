package api

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// MeshInternal is the location of a ServiceEntry whose endpoints are part of the mesh.
const MeshInternal = "MESH_INTERNAL"

// ServiceEntry is a service that Kubernetes does not know
// (https://istio.io/latest/docs/reference/config/networking/service-entry/).
type ServiceEntry struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              ServiceEntrySpec `json:"spec"`
}

// ServiceEntrySpec is the part of it that rules read.
type ServiceEntrySpec struct {
	Hosts            []string                `json:"hosts,omitempty"`
	Addresses        []string                `json:"addresses,omitempty"`
	Ports            []ServiceEntryPort      `json:"ports,omitempty"`
	Location         string                  `json:"location,omitempty"`
	Endpoints        []WorkloadEntrySpec     `json:"endpoints,omitempty"`
	WorkloadSelector *WorkloadEntrySelection `json:"workloadSelector,omitempty"`
}

// ServiceEntryPort is a port of one.
type ServiceEntryPort struct {
	Name     string `json:"name,omitempty"`
	Number   uint32 `json:"number,omitempty"`
	Protocol string `json:"protocol,omitempty"`
	// TargetPort is that of the endpoints which do not name one; 0 is Number.
	TargetPort uint32 `json:"targetPort,omitempty"`
}

// WorkloadEntrySelection selects pods and WorkloadEntries of the same namespace.
type WorkloadEntrySelection struct {
	Labels map[string]string `json:"labels,omitempty"`
}

// ServiceEntryList is a page of them.
type ServiceEntryList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []ServiceEntry `json:"items"`
}

// DeepCopyObject makes a copy that shares nothing.
func (s *ServiceEntry) DeepCopyObject() runtime.Object { return copyOf(s) }

// DeepCopyObject makes a copy that shares nothing.
func (l *ServiceEntryList) DeepCopyObject() runtime.Object { return copyOf(l) }
