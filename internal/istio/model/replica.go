package model

import (
	"slices"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// The states of a cluster in /debug/clusterz (pkg/kube/multicluster/cluster.go, SyncStatus).
const (
	Synced   = "synced"
	Syncing  = "syncing"
	TimedOut = "timeout"
	Closed   = "closed"
	// NotThere is that of a cluster that the replica does not have.
	NotThere = ""
)

// IstiodReplica is what a replica of istiod says of itself, as it was asked last.
type IstiodReplica struct {
	facts.IstiodView
	In *Cluster
	// First is what it said before, where it was asked twice; else nil.
	First *facts.IstiodView
}

// Replica is what a replica of istiod says of a cluster that it watches.
type Replica struct {
	Pod string
	// State is the one in /debug/clusterz.
	State string
}

// IstiodReplicas are those of a cluster that were asked, in the order of their pods.
func (c *Cluster) IstiodReplicas() []*IstiodReplica { return c.replicas() }

func (c *Cluster) findReplicas() []*IstiodReplica {
	if !c.Primary() {
		return nil
	}
	var out []*IstiodReplica
	for _, v := range c.mesh.Seen.Istiods[c.Context].Value {
		last := &IstiodReplica{IstiodView: v, In: c}
		if again, ok := c.askedAgain(v.Pod); ok {
			last.IstiodView, last.First = again, &v
		}
		out = append(out, last)
	}
	return out
}

// askedAgain is the second look at a replica; false where there was none.
func (c *Cluster) askedAgain(pod string) (facts.IstiodView, bool) {
	if again := c.mesh.Seen.Again; again != nil {
		for _, v := range again.Istiods[c.Context].Value {
			if v.Pod == pod && v.Clusters.State == facts.OK {
				return v, true
			}
		}
	}
	return facts.IstiodView{}, false
}

// Known reports whether the replica said which clusters it watches.
func (v *IstiodReplica) Known() bool { return v.Clusters.State == facts.OK }

// StateOf is the state of the cluster that istiod makes of a remote secret; NotThere where
// the replica does not have it, or did not say.
func (v *IstiodReplica) StateOf(r *RemoteSecret) string {
	for _, c := range v.Clusters.Value {
		if c.ID == r.ClusterID && c.Secret == r.SecretName() {
			return c.Status
		}
	}
	return NotThere
}

// Left are the clusters that the replica watches by a Secret that is gone.
func (v *IstiodReplica) Left() []facts.ClusterState {
	if resources.RemoteSecrets.Of(v.In.Cluster).State != facts.OK {
		return nil
	}
	var out []facts.ClusterState
	for _, c := range v.Clusters.Value {
		there := func(r *RemoteSecret) bool { return r.ClusterID == c.ID && r.SecretName() == c.Secret }
		if c.Secret != "" && !slices.ContainsFunc(v.In.Remotes, there) {
			out = append(out, c)
		}
	}
	return out
}

// Replicas are what the replicas of istiod that answered say of the remote secret.
func (r *RemoteSecret) Replicas() []Replica {
	var out []Replica
	for _, v := range r.In.IstiodReplicas() {
		if v.Known() {
			out = append(out, Replica{v.Pod, v.StateOf(r)})
		}
	}
	return out
}

// Synced reports whether a replica of istiod says that it watches the cluster.
func (r *RemoteSecret) Synced() bool {
	return slices.ContainsFunc(r.Replicas(), func(said Replica) bool { return said.State == Synced })
}

// Settling is how long istiod may take for a change of a remote secret, and for its start.
const Settling = time.Minute

// Fresh reports whether the remote secret or istiod is so young that istiod may still be
// at work.
func (r *RemoteSecret) Fresh() bool {
	return r.In.mesh.Fleet.At.Sub(r.Modified) < Settling || r.In.JustStarted()
}

// JustStarted reports whether a replica of istiod is so young that it may still be reading.
func (c *Cluster) JustStarted() bool {
	return slices.ContainsFunc(resources.IstiodPods.Of(c.Cluster).Value, func(p facts.Pod) bool {
		return slices.ContainsFunc(p.Statuses, func(s facts.ContainerStatus) bool {
			return !s.Started.IsZero() && c.mesh.Fleet.At.Sub(s.Started) < Settling
		})
	})
}

// Unconnected are the pods of the cluster whose proxies no control plane that was asked is connected to, as
// namespace/name, sorted: those that do not get ready, and those that are ready and were not connected at
// the second look either.
func (c *Cluster) Unconnected() []string {
	var out []string
	for _, p := range c.ProxyPods() {
		if c.ProxyIsUnready(p) && len(c.Connections(p)) == 0 {
			out = append(out, p.Namespace+"/"+p.Name)
		}
	}
	if again := c.mesh.Seen.Again; again != nil {
		for name, there := range again.Pods[c.Context] {
			namespace, pod, _ := strings.Cut(name, "/")
			if p := c.Pod(namespace, pod); there && p != nil && len(c.Connections(p)) == 0 && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return out
}
