package remotesecrets

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ruletest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// area is the rules under test.
func area() ruletest.Area { return ruletest.Area{Rules: Rules()} }

// run checks a fleet by all rules; what they do and did not declare fails the test.
func run(t *testing.T, fleet *facts.Fleet, seen facts.Seen) finding.Result {
	t.Helper()
	return area().Run(t, fleet, model.Options{Seen: seen})
}

func mesh(fleet *facts.Fleet, seen facts.Seen) *model.Mesh {
	return model.New(fleet, model.Options{Seen: seen})
}

func codes() []finding.Code { return area().Codes() }

// list makes the matrix, and holds it against what is found: a cell that fails has an
// error's code, or that of a missing secret, and one that does not has none.
func list(t *testing.T, fleet *facts.Fleet, seen facts.Seen) Listing {
	t.Helper()
	result := run(t, fleet, seen)
	l := List(mesh(fleet, seen), result)
	for _, p := range l.Pairs {
		isError := func(code finding.Code) bool {
			return slices.ContainsFunc(result.Findings, func(f finding.Finding) bool {
				return f.Code == code && f.Severity == finding.Error && f.Clusters[0] == p.Primary
			})
		}
		if fails := slices.ContainsFunc(p.Codes, isError); fails != (p.State == Broken) {
			t.Errorf("the cell of %s and %s does not fit its codes: %+v", p.Primary, p.Cluster, p)
		}
		if p.State == Broken && p.Reason == "" || p.State == NotKnown && p.Reason == "" {
			t.Errorf("the cell of %s and %s says no reason: %+v", p.Primary, p.Cluster, p)
		}
	}
	return l
}

func TestDeclarations(t *testing.T) {
	if err := rule.Validate(Rules()); err != nil {
		t.Error(err)
	}
}

// There, and in the same fleets when nothing but the API objects is known, nothing is found.
func TestHealthyFleets(t *testing.T) {
	for _, c := range istiotest.RemoteHealthy {
		t.Run(c.Name, func(t *testing.T) {
			fleet, seen := c.Make()
			r := check(t, fleet, seen, c.Want)
			if len(r.Unknowns) > 0 {
				t.Errorf("everything was readable, and yet not checked: %+v", r.Unknowns)
			}
			if c.Name != "a loopback address that istiod reaches" {
				check(t, fleet, facts.Seen{NotAsked: "a dump"}, c.Want)
			}
			for _, p := range list(t, fleet, seen).Pairs {
				if p.State != Watches && p.State != NotNeeded {
					t.Errorf("the matrix says %+v", p)
				}
			}
		})
	}
	for _, c := range slices.Concat(istiotest.HealthyCases, istiotest.NetworkHealthy) {
		t.Run(c.Name, func(t *testing.T) {
			fleet, seen := istiotest.Seen(c.Fleet())
			got := istiotest.Summarize(run(t, fleet, seen))
			// Some of these are fleets whose clusters have not been given the IDs of their secrets.
			got = slices.DeleteFunc(got, func(s string) bool { return strings.HasPrefix(s, "SEC004 warning") })
			if len(got) > 0 {
				t.Errorf("found %v", got)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	found := map[finding.Code]bool{}
	for _, c := range istiotest.RemoteFaults {
		t.Run(c.Name, func(t *testing.T) {
			fleet, seen := c.Make()
			check(t, fleet, seen, c.Want)
			list(t, fleet, seen)
			list(t, fleet, facts.Seen{NotAsked: "a dump"})
			for _, want := range c.Want {
				code, _, _ := strings.Cut(want, " ")
				found[finding.Code(code)] = true
			}
		})
	}
	for _, code := range codes() {
		if !found[code] {
			t.Errorf("no fleet has %s", code)
		}
	}
}

func check(t *testing.T, fleet *facts.Fleet, seen facts.Seen, want []string) finding.Result {
	t.Helper()
	r := run(t, fleet, seen)
	want = slices.Sorted(slices.Values(want))
	if diff := cmp.Diff(want, istiotest.Summarize(r)); diff != "" {
		t.Errorf("findings (-want +got):\n%s\n%+v", diff, r.Findings)
	}
	ids := map[string]bool{}
	for _, f := range r.Findings {
		complete(t, f)
		if ids[f.ID()] {
			t.Errorf("two findings are %s", f.ID())
		}
		ids[f.ID()] = true
	}
	return r
}

// complete: every finding says what a tired person needs.
func complete(t *testing.T, f finding.Finding) {
	t.Helper()
	if f.Title == "" || f.Effect == "" || len(f.Clusters) == 0 || len(f.Evidence) == 0 || len(f.Fix) == 0 {
		t.Errorf("%s lacks something: %+v", f.ID(), f)
	}
	for _, e := range f.Evidence {
		if e.Field == "" || strings.Trim(e.Value, " ,;") != e.Value || e.Value == "" {
			t.Errorf("%s: evidence %q: %q", f.ID(), e.Field, e.Value)
		}
	}
	for _, step := range f.Fix {
		end := "."
		if len(step.Run) > 0 {
			end = ":"
		}
		if !strings.HasSuffix(step.Say, end) || strings.TrimSpace(step.Say) != step.Say || strings.HasPrefix(step.Say, "#") {
			t.Errorf("%s: a sentence that does not end by %q, or has blanks around it: %q", f.ID(), end, step.Say)
		}
	}
	for _, c := range finding.Commands(f.Fix) {
		line := c.String()
		if strings.Contains(line, "kubectl") && !strings.Contains(line, "--context=") {
			t.Errorf("%s: a command without --context: %s", f.ID(), line)
		}
		for next := &c; next != nil; next = next.Pipe {
			if p := next.Args[0]; p != "kubectl" && p != "istioctl" && p != "grep" && p != "rm" {
				t.Errorf("%s: a command of %s: %s", f.ID(), p, line)
			}
		}
	}
}
