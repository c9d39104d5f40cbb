package api

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// ServiceProfile says how requests to a service are routed; the service's name is its own
// (https://linkerd.io/2/reference/service-profiles/).
type ServiceProfile struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              ServiceProfileSpec `json:"spec"`
}

// ServiceProfileSpec is the part of it that splits traffic.
type ServiceProfileSpec struct {
	DstOverrides []DstOverride `json:"dstOverrides,omitempty"`
}

// DstOverride is a service that gets a share of the requests.
type DstOverride struct {
	Authority string `json:"authority,omitempty"`
}

// ServiceProfileList is a page of them.
type ServiceProfileList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []ServiceProfile `json:"items"`
}

// Application is what Argo CD keeps in step with a repository
// (https://argo-cd.readthedocs.io/en/stable/operator-manual/application.yaml).
type Application struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              ApplicationSpec `json:"spec"`
}

// ApplicationSpec is the part of it that says whether it deletes.
type ApplicationSpec struct {
	SyncPolicy *SyncPolicy `json:"syncPolicy,omitempty"`
}

// SyncPolicy says what is done without a person.
type SyncPolicy struct {
	Automated *Automated `json:"automated,omitempty"`
}

// Automated synchronization deletes what is in no manifest if it prunes.
type Automated struct {
	Prune bool `json:"prune,omitempty"`
}

// ApplicationList is a page of them.
type ApplicationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []Application `json:"items"`
}

// DeepCopyObject makes a copy that shares nothing.
func (s *ServiceProfile) DeepCopyObject() runtime.Object { return copyOf(s) }

// DeepCopyObject makes a copy that shares nothing.
func (l *ServiceProfileList) DeepCopyObject() runtime.Object { return copyOf(l) }

// DeepCopyObject makes a copy that shares nothing.
func (a *Application) DeepCopyObject() runtime.Object { return copyOf(a) }

// DeepCopyObject makes a copy that shares nothing.
func (l *ApplicationList) DeepCopyObject() runtime.Object { return copyOf(l) }
