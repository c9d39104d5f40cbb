package ask

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
)

// What istiods have in common is kept once, and what differs stays as it is.
func TestAddressSets(t *testing.T) {
	shards := func() map[string]facts.Addresses {
		return map[string]facts.Addresses{
			"east": {"shop/cart": {"10.0.0.1": true, "10.0.0.2": false}, "shop/web": {"10.0.0.3": true}},
			"west": {"shop/cart": {"10.0.0.1": true, "10.0.0.2": true}, "shop/none": {}},
		}
	}
	first, second := shards(), shards()
	sets := newAddressSets()
	sets.share(first)
	sets.share(second)
	if diff := cmp.Diff(shards(), second); diff != "" {
		t.Errorf("shards (-before +after):\n%s", diff)
	}
	first["east"]["shop/cart"]["10.0.0.9"] = true // shows which are one
	want := shards()
	want["east"]["shop/cart"]["10.0.0.9"] = true
	if diff := cmp.Diff(want, second); diff != "" {
		t.Errorf("what the second shares with the first (-want +got):\n%s", diff)
	}
}
