package resource

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
)

var configMaps = All[corev1.ConfigMapList](About{
	Name: "config maps", Kind: "ConfigMap", Resource: "configmaps", Versions: []string{"v1"}, File: "configmaps",
}, func(c *corev1.ConfigMap) *corev1.ConfigMap { return c })

func configMap(namespace, name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

// Objects are stored in the order in which API servers list them, each once, however they came.
func TestOrder(t *testing.T) {
	listed := []*corev1.ConfigMap{configMap("a-b", "z"), configMap("a", "x"), configMap("a", "x-y"), configMap("b", "a")}
	for name, came := range map[string][]int{"in order": {0, 1, 2, 3}, "backwards": {3, 2, 1, 0}, "some twice": {0, 1, 1, 2, 3}, "again later": {0, 1, 2, 3, 0}} {
		t.Run(name, func(t *testing.T) {
			var c facts.Cluster
			in := configMaps.Intake(&c)
			for _, at := range came {
				if err := in.Take(listed[at]); err != nil {
					t.Fatal(err)
				}
			}
			in.Order()
			in.Store(&c)
			var got []string
			for _, o := range configMaps.Of(&c).Value {
				got = append(got, Key(&o))
			}
			if diff := cmp.Diff([]string{"a-b/z", "a/x", "a/x-y", "b/a"}, got); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
		})
	}
}

// A server that says that millions are to come gets room in proportion to what it sent.
func TestExpect(t *testing.T) {
	for _, test := range []struct{ came, more, least, most int }{
		{500, 9_500, 4_500, 10_000}, {500, 1_000, 1_500, 3_000}, {500, 1 << 40, 4_500, 10_000}, {0, 1 << 40, 0, 0}, {500, -1, 500, 1_000},
	} {
		var c facts.Cluster
		in := configMaps.Intake(&c)
		for range test.came {
			if err := in.Take(configMap("a", "b")); err != nil {
				t.Fatal(err)
			}
		}
		in.Expect(test.more)
		in.Store(&c)
		if got := cap(configMaps.Of(&c).Value); got < test.least || got > test.most {
			t.Errorf("room for %d when %d of %d more came, not for %d to %d", got, test.came, test.more, test.least, test.most)
		}
	}
}
