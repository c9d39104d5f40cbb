package resources

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/config"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource/kubernetes"
)

// PodMetrics is what the containers of a pod use, as the metrics API has it
// (https://kubernetes.io/docs/reference/external-api/metrics.v1beta1/).
type PodMetrics struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Containers        []ContainerMetrics `json:"containers,omitempty"`
}

// ContainerMetrics is what one container uses.
type ContainerMetrics struct {
	Name  string              `json:"name"`
	Usage corev1.ResourceList `json:"usage,omitempty"`
}

// PodMetricsList is a page of them.
type PodMetricsList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []PodMetrics `json:"items"`
}

// DeepCopyObject makes a copy that shares nothing.
func (m *PodMetrics) DeepCopyObject() runtime.Object {
	out := &PodMetrics{TypeMeta: m.TypeMeta, ObjectMeta: *m.DeepCopy()}
	for _, c := range m.Containers {
		out.Containers = append(out.Containers, ContainerMetrics{Name: c.Name, Usage: c.Usage.DeepCopy()})
	}
	return out
}

// DeepCopyObject makes a copy that shares nothing.
func (l *PodMetricsList) DeepCopyObject() runtime.Object {
	out := &PodMetricsList{TypeMeta: l.TypeMeta, ListMeta: *l.DeepCopy()}
	for i := range l.Items {
		if item, ok := l.Items[i].DeepCopyObject().(*PodMetrics); ok {
			out.Items = append(out.Items, *item)
		}
	}
	return out
}

// Usage is the memory that the pods of istiod use. It is read where a limit says how much they may.
var Usage = resource.List[PodMetricsList](resource.About{
	Name: "what pods of istiod use", File: "podmetrics-istiod", Kind: "PodMetrics",
	Group: "metrics.k8s.io", Resource: kubernetes.PodsResource, Versions: []string{"v1beta1"},
	Scope: resource.System, Labels: config.IstiodSelector, Later: true,
}, resource.Belonging[*PodMetrics]{
	Belongs: func(c *facts.Cluster, m *PodMetrics) bool {
		return m.Namespace == c.SystemNamespace && m.Labels["app"] == "istiod"
	},
}, func(m *PodMetrics) *PodMetrics {
	out := &PodMetrics{ObjectMeta: resource.BareMeta(&m.ObjectMeta)}
	for _, c := range m.Containers {
		if memory, ok := c.Usage[corev1.ResourceMemory]; ok && c.Name == config.DiscoveryContainer {
			out.Containers = append(out.Containers, ContainerMetrics{Name: c.Name, Usage: corev1.ResourceList{corev1.ResourceMemory: memory}})
		}
	}
	return out
})
