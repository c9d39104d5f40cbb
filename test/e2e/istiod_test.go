package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// With real istiods nothing is found where all is well, and with a root for each
// cluster that they do not trust one another.
func TestRealControlPlanes(t *testing.T) {
	for name, c := range map[string]struct {
		ownRoot bool
		want    []string
	}{
		"one root":              {},
		"a root for each of us": {ownRoot: true, want: []string{"CERT002 error east,west", "CERT021 info east,west < CERT002"}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			gateway := func(ip string) []topology.Gateway { return []topology.Gateway{{IPs: []string{ip}}} }
			// Clusters of its own: the other tests' have no controllers that meddle.
			fleet, err := bed.StartTopology(ctx, topology.Topology{
				Everywhere: topology.Contents{
					Namespaces: []topology.Namespace{{Name: "shop", Labels: map[string]string{"istio-injection": "enabled"}}},
					Workloads:  []topology.Workload{{Namespace: "shop", Name: "cart"}},
				},
				Clusters: []topology.Cluster{
					{Name: "east", Network: "n1", Contents: topology.Contents{Gateways: gateway("127.1.0.1")}},
					{Name: "west", Network: "n2", OwnRoot: c.ownRoot, Contents: topology.Contents{Gateways: gateway("127.1.0.2")}},
				},
			}, bed.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := fleet.Stop(); err != nil {
					t.Error(err)
				}
			}()
			// The fleet is found through remote secrets with real tokens.
			doc := document(t, mesh(t, options{kubeconfig: fleet.Kubeconfig()}, "verify", "--context", "east", "-o", "json"))
			if diff := cmp.Diff(c.want, summary(doc)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if len(doc.Clusters) != 2 || doc.Summary.NotJudged > 0 {
				t.Errorf("clusters %v, not judged: %+v", doc.Clusters, doc.Unknowns)
			}
		})
	}
}
