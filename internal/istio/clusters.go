package istio

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// SyncState is the state of a cluster in /debug/clusterz.
type SyncState string

// The states to expect of a cluster. Only a running istiod can be in another one.
const (
	Synced  SyncState = "synced"
	Timeout SyncState = "timeout"
	Unknown SyncState = "unknown" // nothing was read of the cluster
)

// Watched is a cluster that a control plane reads, like an entry of /debug/clusterz.
type Watched struct {
	ID     string // its name for this control plane
	Secret string // namespace/name of the remote secret; "" for the control plane's own cluster
	// Context is that of the cluster of the fleet to which the secret leads; "" for none.
	Context string
	State   SyncState
	Reason  string // why the state is not Synced

	cluster *facts.Cluster // nil where nothing is known of it
}

// Ignored is a data key of a remote secret of which a control plane makes no cluster.
type Ignored struct {
	ID, Secret string
	Cause      IgnoredCause
	Reason     string // Cause in words, with what it is about
}

// IgnoredCause is why a control plane makes no cluster of a data key.
type IgnoredCause string

// The causes.
const (
	OwnClusterID            IgnoredCause = "own-cluster-id"           // it is the ID of the control plane's own cluster
	DuplicateClusterID      IgnoredCause = "duplicate-cluster-id"     // another secret has it
	InvalidKubeconfig       IgnoredCause = "invalid-kubeconfig"       // istiod makes no client of it
	ForbiddenAuthentication IgnoredCause = "forbidden-authentication" // it authenticates in a way that istiod does not allow
)

// Clusters are the clusters that the control plane reads, its own first, and the
// remote secrets' keys that it ignores (pkg/kube/multicluster/secretcontroller.go,
// addRemoteConfig). Of two secrets for one ID the one whose name comes first is
// taken, as istiod mostly does at its start (docs/istiod.md).
func (v *View) Clusters() ([]Watched, []Ignored) {
	return slices.Clone(v.watched), slices.Clone(v.ignored)
}

func (v *View) watch(fleet *facts.Fleet, at int) {
	own := &fleet.Clusters[at]
	id := v.Istiod.ClusterID()
	v.watched = []Watched{{ID: id, State: Unknown}}
	if config := ConfigCluster(fleet, at, v.Istiod); config >= 0 {
		c := &fleet.Clusters[config]
		v.watched[0].Context = c.Context
		if c.Unreached == nil {
			v.watched[0].State, v.watched[0].cluster = Synced, c
		}
	}
	secrets := slices.Clone(resources.RemoteSecrets.Of(own).Value)
	slices.SortStableFunc(secrets, func(a, b facts.RemoteSecret) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name), strings.Compare(a.ClusterID, b.ClusterID))
	})
	taken := map[string]string{}
	for _, s := range secrets {
		name := s.Namespace + "/" + s.Name
		ignore := func(cause IgnoredCause, reason string) {
			v.ignored = append(v.ignored, Ignored{ID: s.ClusterID, Secret: name, Cause: cause, Reason: reason})
		}
		if s.Namespace != v.Istiod.Namespace {
			continue
		}
		if s.ClusterID == id {
			ignore(OwnClusterID, "its key is the ID of the control plane's own cluster")
			continue
		}
		if other := taken[s.ClusterID]; other != "" {
			ignore(DuplicateClusterID, "secret "+other+" already has this cluster ID")
			continue
		}
		if cause, reason := v.refuses(s); cause != "" {
			ignore(cause, reason)
			continue
		}
		taken[s.ClusterID] = name
		v.watched = append(v.watched, v.expected(fleet, s, name))
	}
}

// refuses says why istiod makes no client of a kubeconfig (pkg/kube/util.go,
// NewUntrustedRestConfig); nothing where it makes one.
func (v *View) refuses(s facts.RemoteSecret) (IgnoredCause, string) {
	if s.Invalid != "" {
		return InvalidKubeconfig, s.Invalid
	}
	allowed := strings.Split(v.Istiod.Env(EnvInsecureKubeconfigs), ",")
	for _, way := range s.Insecure {
		if !slices.Contains(allowed, way) {
			return ForbiddenAuthentication, way + " is not allowed in the kubeconfig"
		}
	}
	return "", ""
}

// expected is the state that istiod should show for a cluster. Since 1.29 it
// waits for the remote mesh config, which its identity there may not be allowed to read.
func (v *View) expected(fleet *facts.Fleet, s facts.RemoteSecret, name string) Watched {
	w := Watched{ID: s.ClusterID, Secret: name, State: Unknown, Reason: "no cluster that was read is the one to which its kubeconfig leads"}
	i := FindCluster(fleet, s)
	if i < 0 {
		return w
	}
	c := &fleet.Clusters[i]
	w.Context = c.Context
	if c.Unreached != nil {
		w.Reason = "nothing was read of " + c.Context
		return w
	}
	w.State, w.Reason, w.cluster = Synced, "", c
	if r := resources.ReaderAccess.Of(c); r.State == facts.OK && !r.Value.Status.Allowed && !v.Istiod.Before("1.29.0") {
		w.State, w.Reason = Timeout, "the identity that reads "+c.Context+" may not list ConfigMaps there"
	}
	return w
}
