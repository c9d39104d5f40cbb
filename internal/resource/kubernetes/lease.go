package kubernetes

import (
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// Leases are those that the kubelets of nodes renew every ten seconds, by their own clocks.
var Leases = resource.List[coordinationv1.LeaseList](resource.About{
	Name: "leases of nodes", File: "leases-nodes", Kind: "Lease", Group: coordinationv1.GroupName, Resource: "leases", Versions: v1,
	Namespace: corev1.NamespaceNodeLease,
}, resource.Belonging[*coordinationv1.Lease]{
	Belongs: func(_ *facts.Cluster, l *coordinationv1.Lease) bool { return l.Namespace == corev1.NamespaceNodeLease },
}, func(l *coordinationv1.Lease) *coordinationv1.Lease {
	out := &coordinationv1.Lease{}
	out.Namespace, out.Name = l.Namespace, l.Name
	out.Spec.RenewTime = l.Spec.RenewTime
	return out
})
