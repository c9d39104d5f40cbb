package similar

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNames(t *testing.T) {
	names := []string{"default", "shop", "Shop-Prod", "workshop", "kube-system"}
	for name, want := range map[string][]string{
		"shp": {"shop"}, "SHOP": {"shop", "workshop", "Shop-Prod"}, "deafault": {"default"}, "billing": nil, "x": nil,
	} {
		if diff := cmp.Diff(want, Names(name, names, 3)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := Names("shop", names, 1); len(got) != 1 {
		t.Errorf("%d names, want one", len(got))
	}
}

func TestTypo(t *testing.T) {
	for name, want := range map[string]string{"network-1": "network1", "nework2": "network2", "vpc": ""} {
		if got := Typo(name, []string{"network1", "network2"}); got != want {
			t.Errorf("Typo(%s) = %q, want %q", name, got, want)
		}
	}
}
