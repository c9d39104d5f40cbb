package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

// On a healthy fleet nothing is printed, and the exit code is 0.
func TestHealthyFleets(t *testing.T) {
	for _, c := range istiotest.HealthyCases {
		t.Run(c.Name, func(t *testing.T) {
			f := c.Fleet()
			plant(t, f)
			out := mesh(t, options{}, "verify", "--contexts", contextsOf(f))
			if out.code != 0 || out.stdout != "" || !strings.Contains(out.stderr, "nothing found, every rule checked") {
				t.Errorf("exit code %d, output %q, %s", out.code, out.stdout, out.stderr)
			}
			later(t, binary, f, nil)
		})
	}
}

// Each fault alone gives its findings, and no other.
func TestFaults(t *testing.T) {
	for _, c := range istiotest.Faults {
		t.Run(c.Name, func(t *testing.T) {
			f := c.Fleet()
			plant(t, f)
			later(t, binary, f, slices.Sorted(slices.Values(c.Want)))
			// At once, what needs time to show is not checked: nothing is
			// found that is not there.
			out := mesh(t, options{}, "verify", "--contexts", contextsOf(f), "-o", "json")
			for _, s := range summary(document(t, out)) {
				found, _, _ := strings.Cut(s, " < ")
				if !slices.ContainsFunc(c.Want, func(w string) bool { return strings.HasPrefix(w, found) }) {
					t.Errorf("found too soon: %s", s)
				}
			}
		})
	}
}

// later judges the fleet as it will be in an hour if nothing changes: objects
// that were made just now are given time to take effect before they are judged.
func later(t *testing.T, program string, f *istiotest.Fleet, want []string) {
	t.Helper()
	doc, code := inTime(t, program, f)
	if diff := cmp.Diff(want, summary(doc)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if doc.Summary.Unchecked > 0 {
		t.Errorf("not checked: %+v", doc.Unknowns)
	}
	failing := slices.ContainsFunc(doc.Findings, func(f report.IdentifiedFinding) bool { return f.Severity == "error" })
	if (code == 1) != failing || code > 1 {
		t.Errorf("exit code %d with %v", code, summary(doc))
	}
}

// inTime is the report of a plugin on a fleet, and the exit code, an hour from now.
func inTime(t *testing.T, program string, f *istiotest.Fleet) (doc report.Report, code int) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "fleet")
	if out := mesh(t, options{program: program}, "dump", "--contexts", contextsOf(f), dir); out.code != 0 {
		t.Fatalf("dump: exit code %d\n%s", out.code, out.stderr)
	}
	inAnHour(t, dir)
	out := mesh(t, options{program: program}, "verify", "--from", dir, "-o", "json")
	return document(t, out), out.code
}

func inAnHour(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, "fleet.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var index map[string]any
	if err := yaml.Unmarshal(text, &index); err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339, index["at"].(string))
	if err != nil {
		t.Fatal(err)
	}
	index["at"] = at.Add(time.Hour).Format(time.RFC3339)
	if text, err = yaml.Marshal(index); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
