// Package facts is the plain data that rules judge: what was read of each
// cluster, and, where something could not be read, why not. It holds trimmed
// Kubernetes objects, so that facts written to files are ordinary manifests. No
// private key, token or other credential is ever part of it: the survey
// reduces them on arrival.
package facts

import (
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
)

// Fleet is what was read of all clusters in one run.
type Fleet struct {
	// At is when the facts were read; rules take it for "now".
	At time.Time
	// Clusters are in the order in which the user named them, or by name where
	// they were discovered.
	Clusters []Cluster
	// Beyond are remote clusters of the mesh that no context of the kubeconfig
	// reaches.
	Beyond []BeyondReach
}

// Cluster is what was read of one cluster.
type Cluster struct {
	// Context is the name of the kubeconfig context, the user's name for the cluster.
	Context string
	// Server is the API server's URL in the kubeconfig; it carries no credentials.
	Server string
	// SystemNamespace is the namespace that was searched for the control plane.
	SystemNamespace string
	// Unreached says why nothing could be read of this cluster; nil when
	// it was reached.
	Unreached *Unreached

	// reads are at the numbers of their keys. No entry is changed in its place, so that a
	// copy of a Cluster stands by itself.
	reads []any
}

// State says what became of one read.
type State string

const (
	// NotAsked means that this run did not need it, or never got to it. The zero State.
	NotAsked State = ""
	// OK means that it was read; Value holds it.
	OK State = "ok"
	// Absent means that the API server says that it does not exist.
	Absent State = "absent"
	// Forbidden means that the user may not read it.
	Forbidden State = "forbidden"
	// Failed means that it could not be read; Reason says why.
	Failed State = "failed"
)

// Read is the outcome of one read: the value, or the reason why there is none.
type Read[T any] struct {
	State  State
	Reason string // for Forbidden and Failed: one sentence, fit to be shown
	Value  T
	// Served is the version of the API in which it was read, where the cluster does not serve the one
	// that is asked for first; "" else.
	Served string
}

// Known reports whether the cluster answered: there is a value, or it is
// known that there is none.
func (r Read[T]) Known() bool { return r.State == OK || r.State == Absent }

// Why says in a few words why a read that is not Known has no value.
func (r Read[T]) Why() string {
	switch {
	case r.Reason != "":
		return r.Reason
	case r.State == Forbidden:
		return "forbidden"
	default:
		return "not read"
	}
}

// UnreachedKind is the way in which a cluster could not be reached.
type UnreachedKind string

// The ways in which a cluster can fail to answer; each has its FLT finding.
const (
	NoConnection UnreachedKind = "no-connection" // refused, no route, name does not resolve
	TimedOut     UnreachedKind = "timed-out"     // no answer within the time allowed
	Unauthorized UnreachedKind = "unauthorized"  // 401
	NoRights     UnreachedKind = "no-rights"     // 403 for everything that was asked
	Untrusted    UnreachedKind = "untrusted"     // the server's certificate does not verify
	PluginFailed UnreachedKind = "plugin-failed" // the user's exec credential plugin failed or is not permitted
	BadContext   UnreachedKind = "bad-context"   // the kubeconfig's entry cannot be used
	ServerError  UnreachedKind = "server-error"  // it answers, but not as an API server should
)

// Unreached says why nothing could be read of a cluster.
type Unreached struct {
	Kind UnreachedKind `json:"kind"`
	// Reason is one sentence, fit to be shown; it carries no credential.
	Reason string `json:"reason"`
}

// RemoteSecret is what a rule needs of one entry of a remote secret: one data
// key is one remote cluster. The kubeconfig inside is reduced on arrival.
type RemoteSecret struct {
	Name      string    // of the Secret
	Namespace string    // of the Secret
	ClusterID string    // the data key: the remote cluster's name in the mesh
	Server    string    // the API server's URL inside; "" when the kubeconfig cannot be read
	Identity  string    // user name that the token inside claims, as system:serviceaccount:NAMESPACE:NAME; "" when unknown
	Modified  time.Time // when the Secret was last written
	Problem   string    // why the kubeconfig cannot be used; "" when it can
	// Invalid says why istiod makes no client of the kubeconfig whatever its
	// settings; "" when it would.
	Invalid string
	// Insecure are the ways to authenticate in the kubeconfig that istiod refuses unless
	// it is told otherwise, in its own words: exec, tokenFile, clientKey and the like.
	Insecure []string
	// Access is how it reaches its cluster, and as whom.
	Access Access
	// Owner is who writes the Secret, where it is a tool.
	Owner owner.Owner
}

// BeyondReach is a remote cluster that the mesh knows and the kubeconfig does not.
type BeyondReach struct {
	Context   string `json:"context"` // of the cluster whose remote secret names it
	Secret    string `json:"secret"`  // namespace/name of that Secret
	ClusterID string `json:"clusterID"`
	Server    string `json:"server"`
}
