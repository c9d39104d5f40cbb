package linkerdmesh_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/linkerdmesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/linkerdtest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

var areas = []mesh.Area{mesh.ControlPlane, mesh.Certs, mesh.Network, mesh.Endpoints}

// judge is what all rules find; what a rule does and did not declare fails the test.
func judge(t *testing.T, m *model.Mesh) finding.Result {
	t.Helper()
	return linkerdmesh.Judge(m, rule.Options{Violated: func(s string) { t.Error(s) }}, areas...)
}

// alarms are the root causes of severity error and warning.
func alarms(r finding.Result) []finding.Finding {
	return slices.DeleteFunc(r.RootCauses(), func(f finding.Finding) bool { return f.Severity == finding.Note })
}

func line(f finding.Finding) string {
	return string(f.Severity) + " " + f.ID() + ": " + f.Title
}

// wanted are the codes that say faults for which the catalogue of checks has none.
var wanted = map[string][]finding.Code{
	"12-link-selector-mismatch":          {"EP124"},
	"22-policy-denies-gateway":           {"EP123"},
	"06-destination-credentials-missing": {"EP102"},
}

// What real controllers made of a fault is found, first, and nothing besides; of a healthy fleet
// nothing worse than a note. Everything is checked.
func TestRecordedFleets(t *testing.T) {
	for _, f := range linkerdtest.AllRecorded(t) {
		t.Run(f.Name, func(t *testing.T) {
			r := judge(t, model.New(f.Facts(t), model.Options{}))
			codes := slices.Concat(f.Codes(), wanted[f.Name])
			found := alarms(r)
			if f.Healthy {
				codes = nil
			} else if len(found) == 0 || !slices.Contains(codes, found[0].Code) {
				t.Errorf("first has to be said one of %v", codes)
			}
			for _, a := range found {
				if !slices.Contains(codes, a.Code) {
					t.Errorf("%s\n\t%+v", line(a), a.Evidence)
				}
			}
			if len(r.Unknowns) > 0 {
				t.Errorf("not checked: %+v", r.Unknowns)
			}
			for _, a := range r.Findings {
				t.Log(line(a))
			}
		})
	}
}

// What the destination controllers told new clients is what the model says that they do.
func TestDestinationAnswers(t *testing.T) {
	answers := 0
	for _, f := range linkerdtest.AllRecorded(t) {
		t.Run(f.Name, func(t *testing.T) {
			m := model.New(f.Facts(t), model.Options{})
			for context, all := range f.Answers {
				for _, a := range all {
					if f.Name == "16-two-links-one-target-name" && strings.HasPrefix(a.Authority, "web-west.") {
						continue // two controllers write it in turn: the answer is that of another moment
					}
					host, port, _ := strings.Cut(a.Authority, ":")
					parts := strings.SplitN(host, ".", 3)
					number, err := strconv.Atoi(port)
					if err != nil || len(parts) < 3 {
						t.Fatal(a.Authority)
					}
					want := model.Answer{}
					if _, name, ok := strings.Cut(a.Error, "Remote cluster not found: "); ok {
						want.Unknown = name
					}
					for _, address := range a.Addresses {
						want.Endpoints = append(want.Endpoints, model.Endpoint{Address: address.Address, Identity: address.TLSIdentity})
					}
					sorted := cmpopts.SortSlices(func(a, b model.Endpoint) bool { return a.Address < b.Address })
					got := m.Cluster(context).Destination(parts[1], parts[0], int32(number))
					if diff := cmp.Diff(want, got, sorted, cmpopts.EquateEmpty()); diff != "" {
						t.Errorf("%s: %s (-controller +model):\n%s", context, a.Authority, diff)
					}
					answers++
				}
			}
		})
	}
	t.Logf("%d answers", answers)
	if answers < 300 {
		t.Error("they are too few")
	}
}
