package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// Ignored is why istiod makes no cluster of a remote secret.
type Ignored struct {
	Cause IgnoredCause
	// By is the control plane that ignores it.
	By *ControlPlane
	// Other is the remote secret that already has the cluster ID; only of SameID.
	Other *RemoteSecret
	// Problem is what is wrong with the kubeconfig; only of Unusable.
	Problem string
	// Ways are those to authenticate that istiod does not allow; only of NotAllowed.
	Ways []string
}

// IgnoredCause is the kind of reason.
type IgnoredCause string

// The causes, in the order in which istiod looks (pkg/kube/multicluster/
// secretcontroller.go, addRemoteConfig; pkg/kube/util.go, NewUntrustedRestConfig).
const (
	// OwnID: its key is the cluster ID of the control plane's own cluster.
	OwnID IgnoredCause = "own cluster ID"
	// SameID: another remote secret already has the cluster ID.
	SameID IgnoredCause = "cluster ID of another secret"
	// Unusable: istiod cannot use the kubeconfig.
	Unusable IgnoredCause = "unusable kubeconfig"
	// NotAllowed: istiod refuses the way to authenticate.
	NotAllowed IgnoredCause = "authentication not allowed"
)

// String says it to people.
func (i *Ignored) String() string {
	switch i.Cause {
	case OwnID:
		return "its key is istiod's own cluster ID"
	case SameID:
		return fmt.Sprintf("secret %s already has this cluster ID", i.Other.SecretName())
	case Unusable:
		return i.Problem
	default:
		return strings.Join(i.Ways, ", ") + " is not allowed in the kubeconfig"
	}
}

// IgnoredBy is why a control plane of the cluster makes no cluster of it; nil where it does.
func (r *RemoteSecret) IgnoredBy(cp *ControlPlane) *Ignored { return r.ignored[cp] }

// findIgnored goes through the remote secrets as istiod does: each control plane for
// itself, as it has its own cluster ID and its own settings.
func (cp *ControlPlane) findIgnored() {
	taken := map[string]*RemoteSecret{}
	for _, r := range cp.RunsIn.Remotes {
		if why := cp.ignores(r, taken[r.ClusterID]); why != nil {
			why.By, r.ignored[cp] = cp, why
		} else {
			taken[r.ClusterID] = r
		}
	}
}

func (cp *ControlPlane) ignores(r, other *RemoteSecret) *Ignored {
	if r.ClusterID == cp.Istiod.ClusterID() {
		return &Ignored{Cause: OwnID}
	}
	if other != nil {
		return &Ignored{Cause: SameID, Other: other}
	}
	if r.Invalid != "" {
		return &Ignored{Cause: Unusable, Problem: r.Invalid}
	}
	if ways := refusedWays(cp.Istiod, r.RemoteSecret); len(ways) > 0 {
		return &Ignored{Cause: NotAllowed, Ways: ways}
	}
	return nil
}

// settle notes whether any of the control planes ignores it. It runs when all have looked.
func (r *RemoteSecret) settle() {
	for _, cp := range r.In.ControlPlanes {
		if why := r.ignored[cp]; why != nil {
			r.Ignored = why
			return
		}
	}
}

// NotAllowed are the ways to authenticate in the kubeconfig that a control plane of the
// cluster does not allow, whatever else there is about the secret.
func (r *RemoteSecret) NotAllowed() []string {
	var out []string
	for _, i := range r.In.istiods {
		for _, way := range refusedWays(i, r.RemoteSecret) {
			if !slices.Contains(out, way) {
				out = append(out, way)
			}
		}
	}
	return out
}

func refusedWays(i istio.Istiod, s facts.RemoteSecret) []string {
	allowed := strings.Split(i.Env(istio.EnvInsecureKubeconfigs), ",")
	var out []string
	for _, way := range s.Insecure {
		if !slices.Contains(allowed, way) && !slices.Contains(out, way) {
			out = append(out, way)
		}
	}
	return out
}

// IgnoredSecrets are the remote secrets of the cluster in which it runs of which a control plane makes no
// cluster.
func (cp *ControlPlane) IgnoredSecrets() []*RemoteSecret {
	var out []*RemoteSecret
	for _, r := range cp.RunsIn.Remotes {
		if r.ignored[cp] != nil {
			out = append(out, r)
		}
	}
	return out
}

// Used are the remote secrets of which every control plane of the cluster makes a cluster.
func (c *Cluster) Used() []*RemoteSecret {
	var out []*RemoteSecret
	for _, r := range c.Remotes {
		if r.Ignored == nil {
			out = append(out, r)
		}
	}
	return out
}
