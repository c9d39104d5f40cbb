package certs

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

func TestHealthyFleets(t *testing.T) {
	for _, c := range istiotest.HealthyCases {
		t.Run(c.Name, func(t *testing.T) { check(t, c) })
	}
}

func TestFaults(t *testing.T) {
	for _, c := range istiotest.Faults {
		t.Run(c.Name, func(t *testing.T) { check(t, c) })
	}
}

func check(t *testing.T, c istiotest.Case) {
	t.Helper()
	result := run(t, c.Fleet().Facts(), Options{ExpiryWarn: DefaultExpiryWarn})
	got := istiotest.Summarize(result)
	want := slices.Sorted(slices.Values(c.Want))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s\n%+v", diff, result.Findings)
	}
	if len(result.Unknowns) > 0 {
		t.Errorf("everything was readable, and yet not checked: %+v", result.Unknowns)
	}
	for _, f := range result.Findings {
		complete(t, f)
	}
}

// complete: every finding says what a tired person needs.
func complete(t *testing.T, f finding.Finding) {
	t.Helper()
	if f.Title == "" || f.Effect == "" || len(f.Clusters) == 0 {
		t.Errorf("%s lacks a title, an effect or a cluster: %+v", f.Code, f)
	}
	if f.Severity != finding.Note && len(f.Evidence) == 0 {
		t.Errorf("%s has no evidence", f.ID())
	}
	if f.Severity == finding.Error && len(f.Fix) == 0 {
		t.Errorf("%s has no fix", f.ID())
	}
	warned := false
	for _, step := range f.Fix {
		warned = warned || strings.HasPrefix(step.Say, "Careful: ")
		end, deletes := ".", false
		if len(step.Run) > 0 {
			end = ":"
		}
		for _, command := range step.Run {
			for c := &command; c != nil; c = c.Pipe {
				if c.Args[0] == "kubectl" && c.Context() == "" {
					t.Errorf("%s: a command without --context: %s", f.ID(), command)
				}
				deletes = deletes || slices.Contains(c.Args, "delete") || slices.Contains(c.Args, "--force")
			}
		}
		if !strings.HasSuffix(step.Say, end) || !unicode.IsUpper([]rune(step.Say)[0]) {
			t.Errorf("%s: %q is no sentence before %d commands", f.ID(), step.Say, len(step.Run))
		}
		if deletes && !warned {
			t.Errorf("%s deletes, and no step before says \"Careful:\": %+v", f.ID(), f.Fix)
		}
	}
}

// What istiod has had no time to write is not missing.
func TestNewbornSystem(t *testing.T) {
	i := slices.IndexFunc(istiotest.Faults, func(c istiotest.Case) bool { return c.Name == "no root published at all" })
	for name, age := range map[string]func(c *facts.Cluster, at metav1.Time){
		"namespace": func(c *facts.Cluster, at metav1.Time) {
			for i := range resources.Namespaces.Of(c).Value {
				resources.Namespaces.Of(c).Value[i].CreationTimestamp = at
			}
		},
		"istiod": func(c *facts.Cluster, at metav1.Time) {
			for i := range resources.Istiods.Of(c).Value {
				resources.Istiods.Of(c).Value[i].CreationTimestamp = at
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			for ago, want := range map[time.Duration]int{time.Second: 0, 2 * time.Minute: 1} {
				fleet := istiotest.Faults[i].Fleet().Facts()
				for i := range fleet.Clusters {
					age(&fleet.Clusters[i], metav1.NewTime(fleet.At.Add(-ago)))
				}
				if result := run(t, fleet, Options{ExpiryWarn: DefaultExpiryWarn}); len(result.Findings) != want {
					t.Errorf("%s after: %+v", ago, result.Findings)
				}
			}
		})
	}
}
