package kubernetes

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// Definition is a CustomResourceDefinition, of which there is the metadata alone: schemas are large.
type Definition struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
}

// DefinitionList is a page of them.
type DefinitionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []Definition `json:"items"`
}

// DeepCopyObject makes a copy that shares nothing.
func (d *Definition) DeepCopyObject() runtime.Object {
	return &Definition{TypeMeta: d.TypeMeta, ObjectMeta: *d.DeepCopy()}
}

// DeepCopyObject makes a copy that shares nothing.
func (l *DefinitionList) DeepCopyObject() runtime.Object {
	out := &DefinitionList{TypeMeta: l.TypeMeta, ListMeta: *l.DeepCopy()}
	for i := range l.Items {
		if item, ok := l.Items[i].DeepCopyObject().(*Definition); ok {
			out.Items = append(out.Items, *item)
		}
	}
	return out
}

// DefinitionOf is the row of the CustomResourceDefinition of a name, as "tlsroutes.gateway.networking.k8s.io",
// of which some annotations are kept. Its name in a sentence and that of its file are those of the resource.
func DefinitionOf(name, called string, annotations ...string) *resource.Row[*Definition] {
	return resource.One[DefinitionList](resource.About{
		Name: "the definition of " + called, File: "customresourcedefinition-" + called, Kind: "CustomResourceDefinition",
		Group: "apiextensions.k8s.io", Resource: "customresourcedefinitions", Versions: v1, Object: name, Metadata: true,
	}, resource.Belonging[*Definition]{
		Belongs: func(_ *facts.Cluster, d *Definition) bool { return d.Name == name },
	}, func(d *Definition) *Definition {
		out := &Definition{ObjectMeta: metav1.ObjectMeta{Name: d.Name, CreationTimestamp: d.CreationTimestamp}}
		for _, key := range annotations {
			if v, ok := d.Annotations[key]; ok {
				metav1.SetMetaDataAnnotation(&out.ObjectMeta, key, v)
			}
		}
		return out
	})
}
