package istio

import (
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
)

// WorkloadRef names what a pod belongs to: a Deployment and the like, or itself.
type WorkloadRef struct {
	Kind            string // lower case, as kubectl takes it
	Namespace, Name string
}

// String is kind namespace/name.
func (w WorkloadRef) String() string { return w.Kind + " " + w.Namespace + "/" + w.Name }

// WorkloadOf is what a pod belongs to. A ReplicaSet is taken for its Deployment.
func WorkloadOf(p *facts.Pod) WorkloadRef {
	switch {
	case p.Owner.Name == "":
		return WorkloadRef{"pod", p.Namespace, p.Name}
	case p.Owner.Kind == "ReplicaSet" && p.Labels["pod-template-hash"] != "":
		return WorkloadRef{"deployment", p.Namespace, strings.TrimSuffix(p.Owner.Name, "-"+p.Labels["pod-template-hash"])}
	default:
		return WorkloadRef{strings.ToLower(p.Owner.Kind), p.Namespace, p.Owner.Name}
	}
}
