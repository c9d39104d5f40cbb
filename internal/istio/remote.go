package istio

import (
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/serverurl"
)

// FindCluster returns the index of the cluster of the fleet to which a remote
// secret leads, or -1: by the API server's address, else by a cluster ID that
// only one cluster of the fleet has.
func FindCluster(fleet *facts.Fleet, s facts.RemoteSecret) int {
	for i, c := range fleet.Clusters {
		if serverurl.Same(c.Server, s.Server) {
			return i
		}
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
