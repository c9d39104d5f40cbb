package kubernetes

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// ServerVersion is what an API server says of itself at /version. It is no object of an API;
// in dumps it is one, of a group of this program's own.
type ServerVersion struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`
	// GitVersion is the release, as v1.34.1 or v1.33.5-eks-113cf36.
	GitVersion string `json:"gitVersion,omitempty"`
}

// ServerVersionList is needed where kinds are registered; no server has one.
type ServerVersionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []ServerVersion `json:"items"`
}

// DeepCopyObject makes a copy that shares nothing.
func (v *ServerVersion) DeepCopyObject() runtime.Object {
	return &ServerVersion{TypeMeta: v.TypeMeta, ObjectMeta: *v.DeepCopy(), GitVersion: v.GitVersion}
}

// DeepCopyObject makes a copy that shares nothing.
func (l *ServerVersionList) DeepCopyObject() runtime.Object {
	out := &ServerVersionList{TypeMeta: l.TypeMeta, ListMeta: *l.DeepCopy()}
	for i := range l.Items {
		if item, ok := l.Items[i].DeepCopyObject().(*ServerVersion); ok {
			out.Items = append(out.Items, *item)
		}
	}
	return out
}

// Version is the release of Kubernetes that the API server is of.
var Version = resource.One[ServerVersionList](resource.About{
	Name: "version of Kubernetes", File: "version", Kind: "ServerVersion", Group: "kubectl-mesh.dev", Resource: "version", Versions: v1,
	Path: "/version",
}, resource.Belonging[*ServerVersion]{}, func(v *ServerVersion) *ServerVersion {
	return &ServerVersion{ObjectMeta: metav1.ObjectMeta{Name: "kubernetes"}, GitVersion: v.GitVersion}
})
