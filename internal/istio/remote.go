package istio

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/serverurl"
)

// ByServer is the index of the cluster of the fleet that has the address of an API server;
// -1 where none has it, or several do: then it is that of a proxy, and tells nothing.
func ByServer(fleet *facts.Fleet, server string) int {
	found := -1
	for i := range fleet.Clusters {
		switch {
		case !serverurl.Same(fleet.Clusters[i].Server, server):
		case found < 0:
			found = i
		case areTwo(&fleet.Clusters[found], &fleet.Clusters[i]):
			return -1
		}
	}
	return found
}

// areTwo reports whether two contexts are known to lead to two clusters.
func areTwo(a, b *facts.Cluster) bool {
	uid := func(c *facts.Cluster) types.UID {
		for i := range resources.Namespaces.Of(c).Value {
			if ns := &resources.Namespaces.Of(c).Value[i]; ns.Name == "kube-system" {
				return ns.UID
			}
		}
		return ""
	}
	x, y := uid(a), uid(b)
	return x != "" && y != "" && x != y
}

// FindCluster returns the index of the cluster of the fleet to which a remote
// secret leads, or -1: by the API server's address, else by a cluster ID that
// only one cluster of the fleet has.
func FindCluster(fleet *facts.Fleet, s facts.RemoteSecret) int {
	if i := ByServer(fleet, s.Server); i >= 0 {
		return i
	}
	found := -1
	for i := range fleet.Clusters {
		if ClusterID(&fleet.Clusters[i]) == s.ClusterID {
			if found >= 0 {
				return -1
			}
			found = i
		}
	}
	return found
}
