package resource

import (
	"unique"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
)

// Every Trim makes a new object of what rules read, rather than taking things out of the
// old one: what it does not name is not kept. Trimming a trimmed object changes nothing.

// Meta is what is kept of every object: names, labels, when it was made, and who wrote it.
func Meta(m *metav1.ObjectMeta) metav1.ObjectMeta {
	out := OwnedMeta(m)
	for _, f := range m.ManagedFields {
		out.ManagedFields = append(out.ManagedFields, metav1.ManagedFieldsEntry{Manager: f.Manager, Operation: f.Operation, Time: f.Time})
	}
	return out
}

// OwnedMeta is Meta without who wrote what when: what it says of its owner is kept.
func OwnedMeta(m *metav1.ObjectMeta) metav1.ObjectMeta {
	out := BareMeta(m)
	owner.Keep(&out, m)
	return out
}

// BareMeta is OwnedMeta without the owner, for kinds of which there are many.
func BareMeta(m *metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: m.Name, Namespace: m.Namespace, Labels: m.Labels,
		CreationTimestamp: m.CreationTimestamp, DeletionTimestamp: m.DeletionTimestamp,
	}
}

// Once keeps one copy of equal strings.
func Once[S ~string](s S) S { return unique.Make(s).Value() }

// Shared keeps one copy of equal keys and values.
func Shared(m map[string]string) map[string]string {
	if m == nil {
		return nil
	}
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[Once(k)] = Once(v)
	}
	return out
}
