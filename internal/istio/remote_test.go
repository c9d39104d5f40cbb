package istio_test

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

func TestFindCluster(t *testing.T) {
	at := func(server string, istiods ...appsv1.Deployment) facts.Cluster {
		c := *cluster(istiods...)
		c.Server = server
		return c
	}
	id := func(id string) appsv1.Deployment { return deployment(env("CLUSTER_ID", id)) }
	fleet := &facts.Fleet{Clusters: []facts.Cluster{
		at("https://east.example:6443", id("east")),
		at("https://west.example:6443", id("west")),
		at("https://north.example:6443", id("twin")),
		at("https://south.example:6443", id("twin")),
		at("https://proxy.example/k8s/clusters/c-1", deployment()),
		at("", id("nowhere")),
		*webhooks("/inject/cluster/remote/net/n1"),
	}}
	for name, c := range map[string]struct {
		server, id string
		want       int
	}{
		"by the server":                                      {"https://west.example:6443", "west", 1},
		"the server goes before the name":                    {"https://west.example:6443", "east", 1},
		"another spelling of the server":                     {"https://WEST.example.:6443/", "x", 1},
		"another port is another server":                     {"https://west.example:6444", "x", -1},
		"a path is part of the server":                       {"https://proxy.example/k8s/clusters/c-2", "x", -1},
		"by the name, behind another address":                {"https://10.0.0.1:6443", "east", 0},
		"by the name that istiod has by itself":              {"https://10.0.0.1:6443", "Kubernetes", 4},
		"by the name in the webhook":                         {"https://10.0.0.1:6443", "remote", 6},
		"a name that two clusters have":                      {"https://10.0.0.1:6443", "twin", -1},
		"of two clusters of one name, the one at the server": {"https://south.example:6443", "twin", 3},
		"no server, and a name":                              {"", "nowhere", 5},
		"a cluster that is not in the fleet":                 {"https://10.0.0.1:6443", "other", -1},
	} {
		if got := istio.FindCluster(fleet, facts.RemoteSecret{Server: c.server, ClusterID: c.id}); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if got := istio.FindCluster(&facts.Fleet{}, facts.RemoteSecret{ClusterID: "east"}); got != -1 {
		t.Errorf("in an empty fleet: %d", got)
	}
}
