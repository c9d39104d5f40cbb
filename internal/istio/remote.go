package istio

import (
	"net/url"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
)

// FindCluster returns the index of the cluster of the fleet to which a remote
// secret leads, or -1: by the API server's address, else by a cluster ID that
// only one cluster of the fleet has.
func FindCluster(fleet *facts.Fleet, s facts.RemoteSecret) int {
	for i, c := range fleet.Clusters {
		if SameServer(c.Server, s.Server) {
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

// SameServer reports whether two URLs name one API server: the same host and
// port, whatever their letters' case and with the scheme's own port left out or not.
func SameServer(a, b string) bool {
	x, y := serverKey(a), serverKey(b)
	return x != "" && x == y
}

func serverKey(server string) string {
	u, err := url.Parse(strings.TrimSpace(server))
	if err != nil || u.Hostname() == "" {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80"}[strings.ToLower(u.Scheme)]
	}
	if port == "" {
		port = "443"
	}
	return strings.ToLower(u.Hostname()) + ":" + port + strings.TrimRight(u.Path, "/")
}
