package api

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Sidecar says which services the proxies of a namespace know
// (https://istio.io/latest/docs/reference/config/networking/sidecar/).
type Sidecar struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              SidecarSpec `json:"spec"`
}

// SidecarSpec is the part of it that rules read.
type SidecarSpec struct {
	WorkloadSelector *SidecarSelector `json:"workloadSelector,omitempty"`
	Egress           []EgressListener `json:"egress,omitempty"`
}

// SidecarSelector selects pods by their labels; an empty one selects all.
type SidecarSelector struct {
	Labels map[string]string `json:"labels,omitempty"`
}

// EgressListener names services as namespace/host; with a port that one alone.
type EgressListener struct {
	Port  *ServerPort `json:"port,omitempty"`
	Hosts []string    `json:"hosts,omitempty"`
}

// SidecarList is a page of them.
type SidecarList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []Sidecar `json:"items"`
}

// DeepCopyObject makes a copy that shares nothing.
func (s *Sidecar) DeepCopyObject() runtime.Object { return copyOf(s) }

// DeepCopyObject makes a copy that shares nothing.
func (l *SidecarList) DeepCopyObject() runtime.Object { return copyOf(l) }
