package command

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/fleet"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// What the facts lead to is read of the clusters that they lead to, and of no other; with it the
// rules come to what they come to on all facts. A fleet without leads costs nothing more.
func TestLeadsAreFollowed(t *testing.T) {
	primary := slices.IndexFunc(istiotest.NetworkFaults, func(c istiotest.Case) bool {
		return c.Name == "remote cluster with an address that its primary no longer has"
	})
	for name, c := range map[string]struct {
		fleet *istiotest.Fleet
		asked map[string][]string
		want  []string
	}{
		"all is well": {istiotest.Networked("east", "west"), nil, nil},
		"a pending gateway": {
			istiotest.PendingWithEvents(), map[string][]string{"west": {"events"}},
			[]string{"GW001 error west < GW002", "GW002 error west"},
		},
		"a remote cluster": {
			istiotest.NetworkFaults[primary].Fleet(),
			map[string][]string{"east": {"virtualservices"}, "west": {"endpointslices", "subjectaccessreviews", "subjectaccessreviews", "subjectaccessreviews", "subjectaccessreviews"}},
			istiotest.NetworkFaults[primary].Want,
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := serve(t, "east", "west")
			urls := l.urls
			l.Fleet, l.sources = c.fleet, resources.NetworkRules
			var mu sync.Mutex
			asked := map[string][]string{}
			total := map[string]int{}
			for _, cluster := range c.fleet.Clusters {
				cluster.Server = urls[cluster.Name]
				l.servers[cluster.Name].Before = func(_ http.ResponseWriter, r *http.Request) bool {
					mu.Lock()
					defer mu.Unlock()
					total[cluster.Name]++
					for _, resource := range []string{"events", "virtualservices", "endpointslices", "subjectaccessreviews"} {
						if strings.HasSuffix(r.URL.Path, "/"+resource) {
							asked[cluster.Name] = append(asked[cluster.Name], resource)
						}
					}
					return false
				}
			}
			got, _, err := l.gather(t, "east", func(f *fleet.Flags) { f.Contexts = []string{"east", "west"} }, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, names := range asked {
				slices.Sort(names)
			}
			if diff := cmp.Diff(c.asked, asked); diff != "" && len(c.asked)+len(asked) > 0 {
				t.Errorf("requests for what facts lead to (-want +got):\n%s", diff)
			}
			// With every custom resource installed in its newest version.
			for _, cluster := range c.fleet.Clusters {
				if n := total[cluster.Name] - len(asked[cluster.Name]); n != firstRequests {
					t.Errorf("%d requests to %s at first, want %d", n, cluster.Name, firstRequests)
				}
			}
			got.At = istiotest.Now
			r := istiomesh.Judge(model.New(got, model.Options{}), rule.Options{}, mesh.Network)
			if diff := cmp.Diff(c.want, istiotest.Summarize(r)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if len(r.Unknowns) > 0 {
				t.Errorf("not checked: %+v", r.Unknowns)
			}
		})
	}
}

// firstRequests is what "mesh-network verify" asks of every cluster, all at the
// same time.
const firstRequests = 16
