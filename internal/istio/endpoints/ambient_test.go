package endpoints

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/network"
)

// What is known to keep ambient clients from a cluster is named; else nothing is.
func TestAmbientClients(t *testing.T) {
	for name, want := range map[string][]string{
		"ambient services that are global":                    {"east > west: unknown", "west > east: unknown"},
		"ztunnel without a network":                           {"east > west: unknown AMB005", "west > east: unknown AMB005"},
		"ambient clusters with different trust domains":       {"east > west: unknown AMB006", "west > east: unknown AMB006"},
		"istiod that does not know ztunnel":                   {"east > west: unknown", "west > east: unknown AMB011"},
		"global services without a config that makes them so": {"east > west: unknown AMB002", "west > east: unknown AMB002"},
		"service that is global in one cluster alone":         {"east > west: unknown", "west > east: unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			cases := slices.Concat(istiotest.NetworkFaults, istiotest.NetworkHealthy)
			at := slices.IndexFunc(cases, func(c istiotest.Case) bool { return c.Name == name })
			if at < 0 {
				t.Fatal("no such fleet")
			}
			f := cases[at].Fleet().Facts()
			d, result, err := Diagnose(f, "sample", "helloworld", Options{Known: network.Verify(f, network.Options{})})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, paths(d)); diff != "" {
				t.Errorf("paths (-want +got):\n%s", diff)
			}
			found := istiotest.Summarize(result)
			if named := strings.Contains(strings.Join(want, " "), "AMB"); named != (len(found) == 1) {
				t.Errorf("found %v", found)
			}
			complete(t, result)
			if r := Verify(f, Options{Known: network.Verify(f, network.Options{})}); len(r.Findings) > 0 {
				t.Errorf("verify: %+v", r.Findings)
			}
		})
	}
}
