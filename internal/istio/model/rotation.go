package model

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// RotationBug is what becomes of a changed remote secret in versions of istiod that do not
// pick it up (istio/istio issues 59875, 60612).
type RotationBug string

// The bugs; "" is none.
const (
	// StopsAtChange: the secret controller stops at any change of a kubeconfig, and ignores
	// all remote secrets from then on.
	StopsAtChange RotationBug = "stops at a change"
	// KeepsTheOld: a changed kubeconfig is not used.
	KeepsTheOld RotationBug = "keeps the old kubeconfig"
)

// RotationBugOf is the bug of an istiod's version.
func RotationBugOf(i istio.Istiod) RotationBug {
	switch {
	case i.AtLeast("1.29.0") && i.Before("1.29.3"):
		return StopsAtChange
	case i.AtLeast("1.30.0") && i.Before("1.30.3"):
		return KeepsTheOld
	}
	return ""
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
// that does not pick that up. shows tells that a replica does not follow the cluster.
func (r *RemoteSecret) ChangeMissed() (missed, shows bool) {
	if !r.In.RotationBugs() || !r.ChangedSinceStart() {
		return false, false
	}
	return true, slices.ContainsFunc(r.Replicas(), func(said Replica) bool {
		d := r.Drift(said.Pod)
		return said.State != Synced || d.Any() && !d.CatchingUp
	})
}
