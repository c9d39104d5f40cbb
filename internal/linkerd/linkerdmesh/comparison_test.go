package linkerdmesh_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/linkerdmesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/linkerdtest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
)

// compared are the rows of a table of docs/comparison.md, below a heading.
func compared(t *testing.T, heading string) [][]string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/comparison.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("there is no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	section, _, _ = strings.Cut(section, "\n# ")
	var out [][]string
	for line := range strings.Lines(section) {
		if cells, ok := strings.CutPrefix(strings.TrimSpace(line), "| "); ok && !strings.HasPrefix(cells, "---") {
			row := strings.Split(strings.TrimSuffix(cells, " |"), " | ")
			out = append(out, row)
		}
	}
	if len(out) < 2 {
		t.Fatalf("section %q has no table", heading)
	}
	return out[1:]
}

// recordedAs is a fleet that real controllers made.
func recordedAs(name string) func(*testing.T) *facts.Fleet {
	return func(t *testing.T) *facts.Fleet {
		t.Helper()
		all := linkerdtest.AllRecorded(t)
		i := slices.IndexFunc(all, func(r *linkerdtest.Recorded) bool { return r.Name == name })
		if i < 0 {
			t.Fatalf("there is no fleet %s", name)
		}
		return all[i].Facts(t)
	}
}

// asFault is a change of the healthy fleet that the faults have.
func asFault(name string) func(*testing.T) *facts.Fleet {
	return func(t *testing.T) *facts.Fleet {
		t.Helper()
		for _, c := range faults {
			if c.name == name {
				f := linkerdtest.Healthy(t)
				c.do(t, f)
				return f
			}
		}
		t.Fatalf("there is no fault %q", name)
		return nil
	}
}

// withExternalCA is a fleet whose installations do not say which roots there are: trust-manager brings them.
func withExternalCA(of func(*testing.T) *facts.Fleet) func(*testing.T) *facts.Fleet {
	return func(t *testing.T) *facts.Fleet {
		t.Helper()
		f := of(t)
		for at := range f.Clusters {
			change(f, at, resources.Config, func(*corev1.ConfigMap) bool { return true }, func(m *corev1.ConfigMap) {
				v, ok := resources.ValuesOf(m)
				if !ok {
					t.Fatal("there are no values")
				}
				v.IdentityTrustAnchorsPEM, v.Identity.ExternalCA = "", true
				text, err := yaml.Marshal(v)
				if err != nil {
					t.Fatal(err)
				}
				m.Data = map[string]string{resources.KeyValues: string(text)}
			})
		}
		return f
	}
}

// falseVerdicts are what linkerd check says of fleets of which something else holds, and what is found in them: codes, and
// those that are a note. A fleet of nil is one of another test, which the page names.
var falseVerdicts = []struct {
	verdict string
	fleets  []func(*testing.T) *facts.Fleet
	codes   []finding.Code
	notes   []finding.Code
}{
	{
		"√ clusters share trust anchors", []func(*testing.T) *facts.Fleet{withExternalCA(recordedAs("02-anchors-differ")), recordedAs("02-anchors-differ")},
		[]finding.Code{"CERT101"}, nil,
	},
	{
		"× clusters share trust anchors", []func(*testing.T) *facts.Fleet{recordedAs("03-anchors-rotating")},
		nil, []finding.Code{"CERT102"},
	},
	{"× cannot parse trust anchors", []func(*testing.T) *facts.Fleet{asFault("text after the roots")}, []finding.Code{"CERT103"}, nil},
	{
		"√ all mirror services have endpoints", []func(*testing.T) *facts.Fleet{recordedAs("05-link-gateway-address-stale"), recordedAs("26-gateway-pods-not-ready")},
		[]finding.Code{"NET108"}, nil,
	},
	{"√ for services that are exported and not mirrored", []func(*testing.T) *facts.Fleet{recordedAs("15-namespace-missing")}, []finding.Code{"EP109"}, nil},
	{"√ remote cluster access credentials are valid", []func(*testing.T) *facts.Fleet{recordedAs("25-remote-rbac-incomplete")}, []finding.Code{"EP105"}, nil},
	{
		"√ where the credentials of the destination controller are missing",
		[]func(*testing.T) *facts.Fleet{recordedAs("06-destination-credentials-missing"), recordedAs("23-destination-credentials-unlabelled")},
		[]finding.Code{"EP102"}, nil,
	},
	{"× for all clusters after one that hangs", []func(*testing.T) *facts.Fleet{func(t *testing.T) *facts.Fleet {
		f := linkerdtest.Healthy(t)
		f.Clusters[west] = facts.Cluster{Context: "west", Unreached: &facts.Unreached{Kind: facts.TimedOut, Reason: "no answer"}}
		return f
	}}, nil, nil},
	{"√ after minutes", nil, nil, nil},
	{
		"√ issuer cert is issued by the trust anchor",
		[]func(*testing.T) *facts.Fleet{asFault("an issuer that is no CA"), asFault("an issuer of nobody")},
		[]finding.Code{"CERT105"}, nil,
	},
	{"√ where credentials were rotated", []func(*testing.T) *facts.Fleet{recordedAs("30-repaired-credentials-not-read")}, []finding.Code{"EP106"}, nil},
	{"panic: nil pointer dereference", []func(*testing.T) *facts.Fleet{func(t *testing.T) *facts.Fleet {
		f := linkerdtest.Healthy(t)
		change(f, east, resources.Leases, func(l *lease) bool { return l.Name == "service-mirror-write-west" }, func(l *lease) {
			l.Spec.HolderIdentity, l.Spec.RenewTime = nil, &metav1.MicroTime{Time: f.At.Add(-time.Hour)}
		})
		return f
	}}, []finding.Code{"EP108"}, nil},
}

// Where linkerd check has a false verdict, what is so is found, and nothing is where it complains without a
// reason. The page has the same verdicts.
func TestFalseVerdicts(t *testing.T) {
	rows := compared(t, "False verdicts of linkerd check")
	if len(rows) != len(falseVerdicts) {
		t.Errorf("the page has %d verdicts, and %d are tried", len(rows), len(falseVerdicts))
	}
	for i, v := range falseVerdicts {
		t.Run(v.verdict, func(t *testing.T) {
			if i >= len(rows) || rows[i][0] != v.verdict {
				t.Fatalf("the page does not have it at this place: %v", rows[min(i, len(rows)-1)])
			}
			for _, code := range slices.Concat(v.codes, v.notes) {
				if !strings.Contains(rows[i][2], string(code)) {
					t.Errorf("the page does not name %s: %s", code, rows[i][2])
				}
			}
			if v.fleets == nil && !strings.Contains(rows[i][2], "(Test") {
				t.Errorf("it is not tried, and the page names no test: %s", rows[i][2])
			}
			for _, fleet := range v.fleets {
				r := judge(t, model.New(fleet(t), model.Options{}))
				found := map[finding.Code]bool{}
				for _, f := range r.Findings {
					found[f.Code] = true
				}
				for _, code := range slices.Concat(v.codes, v.notes) {
					if !found[code] {
						t.Errorf("%s is not found: %v", code, summarize(r))
					}
				}
				if len(v.codes) == 0 && len(alarms(r)) > 0 {
					t.Errorf("nothing is wrong, and it finds %v", summarize(r))
				}
			}
		})
	}
}

// A root that is there twice is no finding, which is a mismatch of roots for linkerd multicluster check.
func TestRootsTwiceAreNoFinding(t *testing.T) {
	if r := judge(t, model.New(asFault("the roots twice")(t), model.Options{})); len(r.Findings) > 0 {
		t.Errorf("it finds %v", summarize(r))
	}
}

// The page compares every check of linkerd check, and names codes that there are. testdata/linkerd-checks.txt has the
// categories and descriptions of edge-26.8.3 (pkg/healthcheck/healthcheck.go, multicluster/cmd/check.go).
func TestEveryCheckIsCompared(t *testing.T) {
	text, err := os.ReadFile("testdata/linkerd-checks.txt")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for line := range strings.Lines(string(text)) {
		want = append(want, strings.TrimSpace(line))
	}
	codes := linkerdmesh.Mesh{}.Codes(areas...)
	code := regexp.MustCompile(`\b[A-Z]{2,4}\d{3}\b`)
	for _, row := range compared(t, "Check by check") {
		if len(row) != 3 {
			t.Fatalf("a row of %d columns: %v", len(row), row)
		}
		got = append(got, row[0]+": "+row[1])
		named := code.FindAllString(row[2], -1)
		for _, c := range named {
			if !slices.Contains(codes, finding.Code(c)) && !strings.HasPrefix(c, "FLT") {
				t.Errorf("%s: no rule about Linkerd finds %s", row[1], c)
			}
			if _, err := finding.Lookup(c); err != nil {
				t.Errorf("%s: %v", row[1], err)
			}
		}
		says := slices.ContainsFunc([]string{"left to it: ", "not checked: ", "`mesh-", "exit code "}, func(s string) bool { return strings.Contains(row[2], s) })
		if len(named) == 0 && !says {
			t.Errorf("%s: it says neither what covers it nor why nothing does: %s", row[1], row[2])
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("checks (-source +page):\n%s", diff)
	}
}
