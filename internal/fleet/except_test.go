package fleet

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A name or pattern after "!" leaves contexts out: of those named, or of all.
func TestExpandExcept(t *testing.T) {
	names := []string{"dev", "prod-canary", "prod-east", "prod-west"}
	for wanted, want := range map[string]string{
		"prod-*,!prod-canary": "prod-east,prod-west", "!prod-canary,prod-*": "prod-east,prod-west", "!prod-*": "dev", "!dev,!prod-c*": "prod-east,prod-west",
	} {
		got, err := Expand(strings.Split(wanted, ","), names, "the kubeconfig")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, strings.Join(got, ",")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", wanted, diff)
		}
	}
	for wanted, want := range map[string]string{
		"dev,!*": "leaves out every context", "!": "empty name", "!dve": `did you mean "dev"?`, "!stage-*": `no context matches "stage-*"`,
	} {
		if _, err := Expand(strings.Split(wanted, ","), names, "the kubeconfig"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", wanted, err, want)
		}
	}
}
