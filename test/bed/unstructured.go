package bed

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

// serverFields are the fields of metadata that only the server sets.
var serverFields = []string{
	"creationTimestamp",
	"deletionGracePeriodSeconds",
	"deletionTimestamp",
	"generation",
	"managedFields",
	"resourceVersion",
	"selfLink",
	"uid",
}

// toUnstructured returns a copy of an object in the form in which the bed
// handles all of them. Typed objects need not say of what kind they are.
func toUnstructured(object runtime.Object) (*unstructured.Unstructured, error) {
	if u, ok := object.(*unstructured.Unstructured); ok {
		return u.DeepCopy(), nil
	}
	kinds, _, err := scheme.Scheme.ObjectKinds(object)
	if err != nil {
		return nil, fmt.Errorf("find the kind of a %T: %w", object, err)
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, fmt.Errorf("convert a %T: %w", object, err)
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(kinds[0])
	return u, nil
}

// stripServerFields removes what only the server sets.
func stripServerFields(u *unstructured.Unstructured) {
	for _, field := range serverFields {
		unstructured.RemoveNestedField(u.Object, "metadata", field)
	}
}

// hasContent reports whether there is anything but empty maps and nil in a
// value. Typed objects carry a status even if nobody gave them one.
func hasContent(value any) bool {
	switch v := value.(type) {
	case nil:
		return false
	case map[string]any:
		for _, element := range v {
			if hasContent(element) {
				return true
			}
		}
		return false
	default:
		return true
	}
}
