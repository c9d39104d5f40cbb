package model

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// RotationBug is what becomes of a changed remote secret in releases of istiod that have a bug
// of changed secrets (istio.KnownBugs).
type RotationBug string

// The bugs; "" is none.
const (
	// StopsAtChange: the secret controller stops at any change of a kubeconfig, and ignores
	// all remote secrets from then on.
	StopsAtChange RotationBug = "stops at a change"
	// KeepsTheOld: a changed kubeconfig is not used.
	KeepsTheOld RotationBug = "keeps the old kubeconfig"
	// LosesTheCluster: the changed kubeconfig is used, and the endpoints and network gateways of the
	// cluster are lost.
	LosesTheCluster RotationBug = "loses the endpoints and gateways"
)

// rotationBugs are those for which a changed remote secret takes a restart, the worst first.
var rotationBugs = []istio.Bug{istio.BugSecretsStop, istio.BugSecretsIgnored, istio.BugEndpointsWiped, istio.BugGatewaysLost}

// RotationBugOf is the bug of an istiod's version.
func RotationBugOf(i istio.Istiod) RotationBug {
	switch {
	case i.Has(istio.BugSecretsStop):
		return StopsAtChange
	case i.Has(istio.BugSecretsIgnored):
		return KeepsTheOld
	case i.HasAny(rotationBugs...):
		return LosesTheCluster
	}
	return ""
}

// RotationFix is the release to go to for one that handles changed remote secrets right.
func RotationFix(i istio.Istiod) string {
	return i.FixOf(append(rotationBugs, istio.BugSecretsPanic)...)
}

// RotationBugs reports whether a control plane of the cluster has such a bug.
func (c *Cluster) RotationBugs() bool {
	return slices.ContainsFunc(c.istiods, func(i istio.Istiod) bool { return RotationBugOf(i) != "" })
}

// ChangedSinceStart reports whether the remote secret was changed, and not just created,
// since the oldest replica of istiod started.
func (r *RemoteSecret) ChangedSinceStart() bool {
	start, created := istio.OldestStart(r.In.Cluster), r.Access.Created
	return !start.IsZero() && !created.IsZero() && r.Modified.After(start) && r.Modified.Sub(created) >= Settling
}

// ChangeMissed reports whether the remote secret was changed, and istiod is of a version
// that does not handle that. shows tells that a replica does not follow the cluster.
func (r *RemoteSecret) ChangeMissed() (missed, shows bool) {
	if !r.In.RotationBugs() || !r.ChangedSinceStart() {
		return false, false
	}
	return true, slices.ContainsFunc(r.Replicas(), func(said Replica) bool {
		d := r.Drift(said.Pod)
		return said.State != Synced || d.Any() && !d.CatchingUp
	})
}
