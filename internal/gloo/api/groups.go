package api

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Groups is what an API server says at /apis of the groups that it serves. It is no object of an
// API; in dumps it is one, of a group of this program's own.
type Groups struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`
	Groups            []Group `json:"groups,omitempty"`
}

// Group is a group of kinds, in the versions in which it is served.
type Group struct {
	Name     string         `json:"name"`
	Versions []GroupVersion `json:"versions,omitempty"`
}

// GroupVersion is a version of a group.
type GroupVersion struct {
	Version string `json:"version"`
}

// GroupsList is needed where kinds are registered; no server has one.
type GroupsList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []Groups `json:"items"`
}

// DeepCopyObject makes a copy that shares nothing.
func (g *Groups) DeepCopyObject() runtime.Object { return copyOf(g) }

// DeepCopyObject makes a copy that shares nothing.
func (l *GroupsList) DeepCopyObject() runtime.Object { return copyOf(l) }
