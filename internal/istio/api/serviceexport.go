package api

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// MulticlusterGroup is that of the Multi-Cluster Services API, and
// MulticlusterVersion the version that istiod reads.
const (
	MulticlusterGroup   = "multicluster.x-k8s.io"
	MulticlusterVersion = "v1alpha1"
)

// ServiceExport shares the Service of its name with other clusters
// (https://github.com/kubernetes-sigs/mcs-api).
type ServiceExport struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
}

// ServiceExportList is a page of them.
type ServiceExportList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []ServiceExport `json:"items"`
}

// DeepCopyObject makes a copy that shares nothing.
func (s *ServiceExport) DeepCopyObject() runtime.Object { return copyOf(s) }

// DeepCopyObject makes a copy that shares nothing.
func (l *ServiceExportList) DeepCopyObject() runtime.Object { return copyOf(l) }
