package istio

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// IsExternal reports whether a control plane that runs in a cluster takes another one for
// its own: it has a kubeconfig for it, which its pod mounts (manifests/charts/istio-control/
// istio-discovery/templates/deployment.yaml, istio-kubeconfig). From that cluster it reads
// configuration, and it keeps its self-signed CA and ConfigMaps there.
func (i Istiod) IsExternal(runsIn *facts.Cluster) bool {
	if !i.On(EnvExternalIstiod) {
		return false
	}
	if i.On(EnvLocalSecretWatcher) {
		return true // it means nothing but that remote secrets are not in its own cluster
	}
	loose := func(s facts.LooseSecret) bool { return s.Namespace == i.Namespace && s.Name == ExternalKubeconfig }
	remote := func(s facts.RemoteSecret) bool { return s.Namespace == i.Namespace && s.Name == ExternalKubeconfig }
	return slices.ContainsFunc(resources.SystemSecrets.Of(runsIn).Value, loose) ||
		slices.ContainsFunc(resources.RemoteSecrets.Of(runsIn).Value, remote)
}

// ConfigCluster is the index of the cluster that a control plane, which runs in the cluster
// of index at, takes for its own: the one to which the kubeconfig of an external control
// plane leads, else the one that has its cluster ID; -1 where it is not known.
func ConfigCluster(fleet *facts.Fleet, at int, istiod Istiod) int {
	own := &fleet.Clusters[at]
	if !istiod.IsExternal(own) {
		return at
	}
	for _, s := range resources.RemoteSecrets.Of(own).Value {
		if s.Namespace != istiod.Namespace || s.Name != ExternalKubeconfig {
			continue
		}
		if i := ByServer(fleet, s.Server); i >= 0 {
			return i
		}
	}
	found := -1
	for i := range fleet.Clusters {
		if i == at || ClusterID(&fleet.Clusters[i]) != istiod.ClusterID() {
			continue
		}
		if found >= 0 {
			return -1
		}
		found = i
	}
	return found
}
