package api

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// WorkloadEntry is a workload that is no pod, such as a virtual machine
// (https://istio.io/latest/docs/reference/config/networking/workload-entry/).
type WorkloadEntry struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              WorkloadEntrySpec `json:"spec"`
}

// WorkloadEntrySpec is the part of it that rules read.
type WorkloadEntrySpec struct {
	Address string `json:"address,omitempty"`
	// Ports are those of the workload by the names of ports of the service; those that are not named are
	// the service's own.
	Ports          map[string]uint32 `json:"ports,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"`
	Network        string            `json:"network,omitempty"`
	ServiceAccount string            `json:"serviceAccount,omitempty"`
}

// WorkloadEntryList is a page of them.
type WorkloadEntryList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []WorkloadEntry `json:"items"`
}

// DeepCopyObject makes a copy that shares nothing.
func (w *WorkloadEntry) DeepCopyObject() runtime.Object { return copyOf(w) }

// DeepCopyObject makes a copy that shares nothing.
func (l *WorkloadEntryList) DeepCopyObject() runtime.Object { return copyOf(l) }
