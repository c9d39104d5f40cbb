package istio

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// WorkloadRef names what a pod belongs to: a Deployment and the like, or itself.
type WorkloadRef struct {
	Kind            string // lower case, as kubectl takes it
	Namespace, Name string
}

// String is kind namespace/name.
func (w WorkloadRef) String() string { return w.Kind + " " + w.Namespace + "/" + w.Name }

// WorkloadOf is what a pod belongs to. A ReplicaSet is taken for its Deployment.
func WorkloadOf(p *corev1.Pod) WorkloadRef {
	owner := metav1.GetControllerOf(p)
	switch {
	case owner == nil:
		return WorkloadRef{"pod", p.Namespace, p.Name}
	case owner.Kind == "ReplicaSet" && p.Labels["pod-template-hash"] != "":
		return WorkloadRef{"deployment", p.Namespace, strings.TrimSuffix(owner.Name, "-"+p.Labels["pod-template-hash"])}
	default:
		return WorkloadRef{strings.ToLower(owner.Kind), p.Namespace, owner.Name}
	}
}
