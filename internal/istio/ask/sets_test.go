package ask

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
)

// What istiods have in common is kept once, and what differs stays as it is.
func TestAddressSets(t *testing.T) {
	shards := func(west string) string {
		return `{
			"cart.shop.svc.cluster.local": {"shop": {"Shards": {
				"Kubernetes/east": [{"Addresses": ["10.0.0.1"], "NodeName": "n"}, {"Addresses": ["10.0.0.2"]}],
				"Kubernetes/west": [{"Addresses": ["10.0.0.1"], "NodeName": "n"}, {"Addresses": ["` + west + `"], "NodeName": "n"}]}}},
			"cart.shop.another.domain": {"shop": {"Shards": {"Kubernetes/east": [{"Addresses": ["10.0.0.3"]}], "Kubernetes/none": []}}}
		}`
	}
	sets := newAddressSets()
	parse := func(text string) map[string]facts.Addresses {
		got, err := sets.parseShards(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first, second := parse(shards("10.0.0.2")), parse(shards("10.0.0.4"))
	want := map[string]facts.Addresses{
		"east": {"shop/cart": {"10.0.0.1": true, "10.0.0.2": false, "10.0.0.3": false}},
		"west": {"shop/cart": {"10.0.0.1": true, "10.0.0.4": true}},
		"none": {},
	}
	if diff := cmp.Diff(want, second); diff != "" {
		t.Errorf("shards (-want +got):\n%s", diff)
	}
	first["east"]["shop/cart"]["10.0.0.9"] = true // shows which are one
	want["east"]["shop/cart"]["10.0.0.9"] = true
	if diff := cmp.Diff(want, second); diff != "" {
		t.Errorf("what the second shares with the first (-want +got):\n%s", diff)
	}
}
