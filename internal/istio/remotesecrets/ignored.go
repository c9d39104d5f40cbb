package remotesecrets

import "github.com/kubectl-mesh/kubectl-mesh/internal/istio"

// ignored says why the control planes of a cluster make no cluster of a data key; the
// zero value where they do. Code decides by the cause.
type ignored struct {
	cause istio.IgnoredCause
	// detail is the other Secret, namespace/name, what is wrong with the kubeconfig, or the
	// ways to authenticate that are refused.
	detail string
}

// String is the reason for people; "" where there is none.
func (i ignored) String() string {
	switch i.cause {
	case istio.OwnClusterID:
		return "its key is the ID of the control plane's own cluster"
	case istio.DuplicateClusterID:
		return "secret " + i.detail + " already has this cluster ID"
	case istio.InvalidKubeconfig:
		return i.detail
	case istio.ForbiddenAuthentication:
		return i.detail + " is not allowed in the kubeconfig"
	}
	return ""
}
