package dump

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// looseSecrets are Secrets of which only the metadata counts.
func looseSecrets(name string, field func(*facts.Cluster) *facts.Read[[]facts.LooseSecret], belongs func(*metav1.ObjectMeta, string) bool) source {
	s := common(name, "Secret", facts.OK, field)
	s.objects = func(c *facts.Cluster) []runtime.Object {
		var out []runtime.Object
		for _, l := range field(c).Value {
			out = append(out, survey.LooseSecretObject(l))
		}
		return out
	}
	s.take = func(c *facts.Cluster, o runtime.Object) {
		secret, ok := o.(*corev1.Secret)
		if !ok || !belongs(&secret.ObjectMeta, c.SystemNamespace) {
			return
		}
		r, l := field(c), survey.LooseSecretOf(&secret.ObjectMeta)
		if r.State = facts.OK; !slices.Contains(r.Value, l) {
			r.Value = append(r.Value, l)
		}
	}
	return s
}
