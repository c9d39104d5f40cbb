package known_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/known"
)

func found(code finding.Code, severity finding.Severity, cluster string, o finding.Object, causedBy string) finding.Finding {
	return finding.Finding{Code: code, Severity: severity, Clusters: []string{cluster}, Object: o, Title: "t", CausedBy: causedBy}
}

var cart = finding.In("service", "shop", "cart")

// ids are the findings that count, and those that do not, with why.
func ids(r finding.Result) (out []string) {
	for _, f := range r.Findings {
		out = append(out, f.ID())
	}
	for _, a := range r.Apart {
		out = append(out, "apart "+a.ID()+" "+a.Reason)
	}
	return out
}

func TestSplit(t *testing.T) {
	result := finding.Result{
		Findings: []finding.Finding{
			found("NET013", finding.Error, "east", finding.Object{}, ""),
			found("GW001", finding.Error, "east", finding.Object{}, "NET013/east"),
			found("EP003", finding.Warning, "west", cart, ""),
			found("GW002", finding.Error, "west", finding.Object{}, ""),
		},
		Unknowns: []finding.Unknown{{Cluster: "east", Codes: []finding.Code{"CP001"}}},
	}
	baseline := known.Baseline{"EP003/west/service/shop/cart": finding.Warning, "GW002/west": finding.Warning}
	now := time.Date(2026, 11, 30, 23, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		baseline     known.Baseline
		suppressions string
		want         []string
		expired      int
		idle         int
	}{
		"nothing is known": {nil, "", []string{"NET013/east", "GW001/east", "EP003/west/service/shop/cart", "GW002/west"}, 0, 0},
		"what got worse is new": {
			baseline, "", []string{"NET013/east", "GW001/east", "GW002/west", "apart EP003/west/service/shop/cart "}, 0, 0,
		},
		"with what it causes": {
			nil, "{code: NET013, cluster: e*, reason: by design}",
			[]string{"EP003/west/service/shop/cart", "GW002/west", "apart NET013/east by design", "apart GW001/east by design"}, 0, 0,
		},
		"an object": {
			nil, "{code: EP003, object: service/shop/*, reason: by design, expires: '2026-11-30'}",
			[]string{"NET013/east", "GW001/east", "GW002/west", "apart EP003/west/service/shop/cart by design"}, 0, 0,
		},
		"another cluster": {
			nil, "{code: NET013, cluster: west, reason: by design}",
			[]string{"NET013/east", "GW001/east", "EP003/west/service/shop/cart", "GW002/west"}, 0, 1,
		},
		"its last day is over": {
			nil, "{code: NET013, reason: until the move, expires: '2026-11-29'}",
			[]string{"NET013/east", "GW001/east", "EP003/west/service/shop/cart", "GW002/west"}, 1, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var suppressions []known.Suppression
			if c.suppressions != "" {
				var err error
				if suppressions, err = known.ReadSuppressions([]byte("apiVersion: kubectl-mesh.dev/v1\nkind: Suppressions\nsuppress: [" + c.suppressions + "]\n")); err != nil {
					t.Fatal(err)
				}
			}
			got, left := known.Split(result, c.baseline, suppressions, now)
			if diff := cmp.Diff(c.want, ids(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(left.Expired) != c.expired || len(left.Idle) != c.idle || len(got.Unknowns) != 1 {
				t.Errorf("expired %v, idle %v, unknown %v", left.Expired, left.Idle, got.Unknowns)
			}
		})
	}
}

func TestReadSuppressions(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no list":        {"- a", "it is not a list of suppressions"},
		"another kind":   {"kind: Report", "it has to begin with apiVersion kubectl-mesh.dev/v1 and kind Suppressions"},
		"another field":  {"suppress: [{code: NET013, why: x}]", "it is not a list of suppressions"},
		"no such code":   {"suppress: [{code: NET9999, reason: x}]", "entry 1: "},
		"no reason":      {"suppress: [{code: NET013, cluster: east}]", "entry 1 (NET013 in east) has no reason"},
		"no day":         {"suppress: [{code: NET013, reason: x, expires: soon}]", `entry 1 (NET013): "soon" is not a day like 2027-01-31`},
		"not a pattern":  {"suppress: [{code: NET013, reason: x, cluster: '['}]", `"[" is not a pattern`},
		"one that is ok": {"suppress: [{code: NET013, reason: x, expires: 2027-01-31}]", ""},
	} {
		t.Run(name, func(t *testing.T) {
			text := c.text
			if strings.HasPrefix(text, "suppress") {
				text = "apiVersion: kubectl-mesh.dev/v1\nkind: Suppressions\n" + text
			}
			_, err := known.ReadSuppressions([]byte(text))
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestReadBaseline(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want known.Baseline
	}{
		"a report": {
			`{"apiVersion":"kubectl-mesh.dev/v1","kind":"Report","findings":[{"id":"a","severity":"warning"},{"id":"a","severity":"error"}],"known":[{"id":"b","severity":"note"}]}`,
			known.Baseline{"a": finding.Error, "b": finding.Note},
		},
		"a check in YAML":  {"apiVersion: kubectl-mesh.dev/v1\nkind: CheckUp\nfindings: []\n", known.Baseline{}},
		"another document": {`{"apiVersion":"kubectl-mesh.dev/v1","kind":"NetworkMap"}`, nil},
		"no findings":      {`{"apiVersion":"kubectl-mesh.dev/v1","kind":"Report"}`, nil},
		"nothing":          {"", nil},
		"no document":      {"secret: [", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := known.ReadBaseline([]byte(c.text))
			if (err != nil) != (c.want == nil) || err != nil && strings.Contains(err.Error(), "secret") {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
