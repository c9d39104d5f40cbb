package mesh

import (
	"flag"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/topology"
)

var (
	count = flag.Int("count-fleets", 25, "how many random fleets are drawn")
	seed  = flag.Uint64("seed", 1, "seed of the first fleet; the next ones have the next seeds")
)

// tally is how much was compared.
type tally struct {
	fleets, views, pods, gateways, clusters, questions, endpoints, through, dropped int
}

// What is predicted of random fleets is what istiod's code makes of them.
func TestRandomFleets(t *testing.T) {
	var n tally
	for i := range *count {
		s := *seed + uint64(i)
		t.Run(fmt.Sprintf("seed=%d", s), func(t *testing.T) { hold(t, topology.Draw(s), &n) })
	}
	t.Logf("from seed %d: %d fleets seen by %d control planes: %d networks of pods, %d gateways, %d remote clusters, and for %d questions of a proxy for a service %d endpoints (%d of them gateways; %d dropped)",
		*seed, n.fleets, n.views, n.pods, n.gateways, n.clusters, n.questions, n.endpoints, n.through, n.dropped)
}

// hold compares everything that is predicted of a fleet.
func hold(t *testing.T, fleet *topology.Fleet, n *tally) {
	n.fleets++
	resolve(fleet.Hosts)
	for _, v := range istio.Views(fleet.Facts()) {
		n.views++
		v.Hosts = fleet.Hosts
		own := byContext(fleet, v.Context)
		n.clusters += holdClusters(t, v, own)
		watched, _ := v.Clusters()
		live := start(t, fleet, own, watched)
		n.pods += holdNetworks(t, v, live)
		n.gateways += holdGateways(t, v, live)
		holdEndpoints(t, v, live, n)
	}
}

func holdNetworks(t *testing.T, v *istio.View, live *istiod) int {
	pods := v.PodNetworks()
	for _, p := range pods {
		got := string(live.network(p))
		if got != p.Network.Name {
			t.Errorf("%s: network of pod %s/%s of %s: predicted %q by its %s (%s), istiod says %q",
				v.Context, p.Namespace, p.Pod, p.Cluster, p.Network.Name, p.Network.From, p.Network.Detail, got)
		}
	}
	return len(pods)
}

func holdGateways(t *testing.T, v *istio.View, live *istiod) int {
	predicted, got := v.Gateways(), live.gateways()
	ignore := cmpopts.IgnoreFields(istio.Gateway{}, "Host", "Candidates")
	if diff := cmp.Diff(predicted, got, ignore, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s: gateways (-predicted +istiod):\n%s", v.Context, diff)
	}
	return len(got)
}
