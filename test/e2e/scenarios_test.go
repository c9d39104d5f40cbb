package e2e

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

// The scenarios of the bed and their recordings in examples/ give the findings
// that their READMEs tell of.
func TestScenarios(t *testing.T) {
	want := map[string][]string{
		"healthy":  nil,
		"broken":   {"CERT002 error east,north,west", "CERT010 error north", "CERT021 note east,north,west < CERT002"},
		"networks": {"GW001 error west < GW002", "GW002 error west", "NET001 warning north"},
	}
	programs := map[string]string{"healthy": binary, "broken": binary, "networks": network}
	scenarios, err := bed.Scenarios(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Topologies bring control planes of their own.
	scenarios = slices.DeleteFunc(scenarios, func(s bed.Scenario) bool { return s.Topology })
	var names []string
	for _, s := range scenarios {
		names = append(names, s.Name)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), names); diff != "" {
		t.Fatalf("scenarios (-want +got):\n%s", diff)
	}
	for _, s := range scenarios {
		t.Run(s.Name, func(t *testing.T) {
			manifests, err := bed.LoadManifests(s.Dir)
			if err != nil {
				t.Fatal(err)
			}
			clusters := strings.Join(slices.Sorted(maps.Keys(manifests)), ",")
			empty(t)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := fleet.Load(ctx, manifests); err != nil {
				t.Fatal(err)
			}
			examples, err := filepath.Abs(filepath.Join("../../examples", s.Name))
			if err != nil {
				t.Fatal(err)
			}
			for what, flags := range map[string][]string{"live": {"--contexts", clusters}, "recorded": {"--from", examples}} {
				doc := document(t, mesh(t, options{program: programs[s.Name]}, append([]string{"verify", "-o", "json"}, flags...)...))
				if diff := cmp.Diff(want[s.Name], summary(doc)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", what, diff)
				}
				if doc.Summary.Unchecked > 0 {
					t.Errorf("%s, not checked: %+v", what, doc.Unknowns)
				}
			}
		})
	}
}
