package resources

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/kubeconfig"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// annotationWritten holds when something of the Secret was written last that clients go by.
const annotationWritten = "written.kubectl-mesh.dev/kubeconfig"

// WrittenAt is when a trimmed Secret was written last; zero where that is not known.
func WrittenAt(s *corev1.Secret) time.Time {
	at, err := time.Parse(time.RFC3339, s.Annotations[annotationWritten])
	if err != nil {
		return time.Time{}
	}
	return at
}

// MarkWritten notes in a trimmed Secret when it was written last.
func MarkWritten(s *corev1.Secret, at time.Time) {
	metav1.SetMetaDataAnnotation(&s.ObjectMeta, annotationWritten, at.UTC().Format(time.RFC3339))
}

// trimCredentials keeps of a Secret with credentials where they lead, and as whom.
func trimCredentials(s *corev1.Secret) *corev1.Secret {
	out := &corev1.Secret{ObjectMeta: resource.Meta(&s.ObjectMeta), Type: s.Type}
	for _, key := range []string{AnnotationTrustDomain, AnnotationClusterDomain} {
		if v, ok := s.Annotations[key]; ok {
			metav1.SetMetaDataAnnotation(&out.ObjectMeta, key, v)
		}
	}
	kubeconfig.Keep(out, s)
	written, ok := s.Annotations[annotationWritten]
	if !ok {
		written = lastWrite(&s.ObjectMeta)
	}
	metav1.SetMetaDataAnnotation(&out.ObjectMeta, annotationWritten, written)
	return out
}

// lastWrite is when somebody wrote data, labels or annotations last. What managers own is not
// always known: then any write counts.
func lastWrite(m *metav1.ObjectMeta) string {
	last := m.CreationTimestamp.Time
	for _, f := range m.ManagedFields {
		if f.Time == nil || !f.Time.After(last) {
			continue
		}
		if f.FieldsV1 == nil || ownsCredentials(f.FieldsV1.GetRawString()) {
			last = f.Time.Time
		}
	}
	return last.UTC().Format(time.RFC3339)
}

func ownsCredentials(fields string) bool {
	return strings.Contains(fields, `"f:data"`) || strings.Contains(fields, `"f:`+LabelCredentials+`"`) ||
		strings.Contains(fields, `"f:`+AnnotationTrustDomain+`"`) || strings.Contains(fields, `"f:`+AnnotationClusterDomain+`"`)
}
