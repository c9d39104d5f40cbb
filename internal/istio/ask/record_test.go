package ask

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// said are answers that were written down.
type said []podaccess.Answer

func (s said) Answer(pod podaccess.Pod, path string) ([]byte, error) {
	for _, a := range s {
		if a.Namespace == pod.Namespace && a.Pod == pod.Name && a.Path == path {
			return a.Text, nil
		}
	}
	return nil, podaccess.ErrUnanswered
}

// What is written down of a replica is what it said, and what it did not say is not known.
func TestPagesGiveAgainWhatWasSaid(t *testing.T) {
	views := []facts.IstiodView{
		{Pod: "istiod-1", Clusters: facts.Read[[]facts.ClusterState]{State: facts.OK}},
		{
			Pod:      "istiod-2",
			Clusters: facts.Read[[]facts.ClusterState]{State: facts.OK, Value: []facts.ClusterState{{ID: "east", Status: "synced"}, {ID: "west", Secret: "istio-system/s", Status: "timeout"}}},
			Shards: facts.Read[map[string]facts.Addresses]{State: facts.OK, Value: map[string]facts.Addresses{
				"east": {"shop/cart": {"10.0.0.1": true, "10.0.0.2": false}, "shop/web": {"10.0.0.3": true}}, "west": {},
			}},
			Proxies: facts.Read[[]facts.ConnectedProxy]{State: facts.OK, Value: []facts.ConnectedProxy{
				{Cluster: "east", Namespace: "shop", Pod: "cart.0", Version: "1.29.1", Rejected: []facts.Rejection{{Type: "Listener", Error: "bad \"x\""}}},
			}},
			Gateways: facts.Read[[]facts.NetworkAddress]{State: facts.OK, Value: []facts.NetworkAddress{{Network: "net/1", Address: "gw.example"}}},
			Networks: facts.Read[[]facts.NetworkGateway]{State: facts.OK, Value: []facts.NetworkGateway{
				{Network: "net/1", Cluster: "west", Address: "192.0.2.1", Port: 15443}, {Network: "net/2", Address: "fd00::1", HBONEPort: 15008},
			}},
		},
	}
	for _, c := range istiotest.RemoteFaults {
		_, seen := c.Make()
		for _, asked := range seen.Istiods {
			views = append(views, asked.Value...)
		}
	}
	for _, want := range views {
		cluster := survey.Cluster{Context: "east", Namespace: "istio-system", Answers: said(Pages("istio-system", want))}
		got := readIstiods(t.Context(), cluster, []string{want.Pod}, further{true, true}, newAddressSets())[0]
		for _, read := range []struct{ want, got facts.State }{
			{want.Clusters.State, got.Clusters.State}, {want.Shards.State, got.Shards.State}, {want.Proxies.State, got.Proxies.State},
			{want.Networks.State, got.Networks.State},
		} {
			if want.Clusters.State == facts.OK && (read.want == facts.OK) != (read.got == facts.OK) {
				t.Errorf("%s: %q instead of %q", want.Pod, read.got, read.want)
			}
		}
		opts := cmp.Options{cmpopts.EquateEmpty(), cmpopts.IgnoreFields(facts.Read[[]facts.ClusterState]{}, "State", "Reason"),
			cmpopts.IgnoreFields(facts.Read[map[string]facts.Addresses]{}, "State", "Reason"),
			cmpopts.IgnoreFields(facts.Read[[]facts.ConnectedProxy]{}, "State", "Reason"),
			cmpopts.IgnoreFields(facts.Read[[]facts.NetworkAddress]{}, "State", "Reason"),
			cmpopts.IgnoreFields(facts.Read[[]facts.NetworkGateway]{}, "State", "Reason")}
		if diff := cmp.Diff(want, got, opts); diff != "" && want.Clusters.State == facts.OK {
			t.Errorf("%s (-said +read):\n%s", want.Pod, diff)
		}
	}
}

// Of the certificates of a proxy there is what it presents and trusts, and no key.
func TestSecretsPageHasNoKey(t *testing.T) {
	const key = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----\n"
	page := pageOf("shop", "cart", "/x", secretsPage(facts.Material{Chain: []byte(key), Roots: []byte(key)}))
	if strings.Contains(string(page.Text), "UFJJVkFURSBLRVk") || strings.Contains(string(page.Text), "MIGHAgEAMBMGByqGSM49") {
		t.Errorf("%s", page.Text)
	}
}
