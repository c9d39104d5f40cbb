package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// With real istiods nothing is found where all is well; with a root for each
// cluster, that they do not trust one another, and with a gateway that is pending,
// that its network is not reached.
func TestRealControlPlanes(t *testing.T) {
	for name, c := range map[string]struct {
		ownRoot        bool
		pending        bool
		certs, network []string
	}{
		"all is well":             {},
		"a root for each cluster": {ownRoot: true, certs: []string{"CERT002 error east,west", "CERT021 note east,west < CERT002"}},
		"a pending gateway":       {pending: true, network: []string{"GW001 error west < GW002", "GW002 error west"}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			gateway := func(ips ...string) []topology.Gateway { return []topology.Gateway{{IPs: ips}} }
			west := gateway("127.1.0.2")
			if c.pending {
				west = gateway()
			}
			// Clusters of its own: the other tests' have no controllers that meddle.
			fleet := startTopology(t, ctx, topology.Topology{
				Everywhere: topology.Contents{
					Namespaces: []topology.Namespace{{Name: "shop", Labels: map[string]string{"istio-injection": "enabled"}}},
					Workloads:  []topology.Workload{{Namespace: "shop", Name: "cart"}},
				},
				Clusters: []topology.Cluster{
					{Name: "east", Network: "n1", Contents: topology.Contents{Gateways: gateway("127.1.0.1")}},
					{Name: "west", Network: "n2", OwnRoot: c.ownRoot, Contents: topology.Contents{Gateways: west}},
				},
			})
			// The fleet is found through remote secrets with real tokens.
			for program, want := range map[string][]string{binary: c.certs, network: c.network} {
				doc := document(t, mesh(t, options{program: program, kubeconfig: fleet.Kubeconfig()}, "verify", "--context", "east", "-o", "json"))
				if diff := cmp.Diff(want, summary(doc)); diff != "" {
					t.Errorf("%s: findings (-want +got):\n%s", doc.Command, diff)
				}
				if len(doc.Clusters) != 2 || doc.Summary.Unchecked > 0 {
					t.Errorf("%s: clusters %v, not checked: %+v", doc.Command, doc.Clusters, doc.Unknowns)
				}
			}
			if !c.ownRoot && !c.pending {
				connectAll(t, ctx, fleet, fleet.Mesh(), "east", "west")
				out := mesh(t, options{program: endpointsBinary, kubeconfig: fleet.Kubeconfig()}, "verify", "--context", "east")
				if out.code != 0 || out.stdout != "" {
					t.Errorf("mesh-endpoints: exit code %d\n%s%s", out.code, out.stdout, out.stderr)
				}
			}
		})
	}
}
