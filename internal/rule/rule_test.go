package rule_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// model is a mesh of which only the names are known.
type model struct {
	fleet  *facts.Fleet
	scopes map[string]rule.Scope
}

func (m *model) Facts() *facts.Fleet               { return m.fleet }
func (m *model) Scope(c *facts.Cluster) rule.Scope { return m.scopes[c.Context] }

// need is known of all clusters but those that it names.
type need map[string]facts.State

func (need) String() string { return "things" }
func (n need) State(c *facts.Cluster) (facts.State, string) {
	if state, ok := n[c.Context]; ok {
		return state, ""
	}
	return facts.OK, ""
}

func fleet(contexts ...string) *facts.Fleet {
	f := &facts.Fleet{}
	for _, c := range contexts {
		f.Clusters = append(f.Clusters, facts.Cluster{Context: c})
	}
	return f
}

// finds is a rule that finds a code in each cluster that it is handed.
func finds(code finding.Code, after ...finding.Code) *rule.Rule[*model] {
	return &rule.Rule[*model]{
		Reports: []rule.Report{rule.May(code, finding.Error)}, After: after,
		Run: func(p *rule.Pass[*model]) {
			for _, c := range p.Model.fleet.Clusters {
				if p.Able(c.Context) {
					p.Report(finding.Finding{Code: code, Severity: finding.Error, Clusters: []string{c.Context}})
				}
			}
		},
	}
}

func ids(r finding.Result) []string {
	var out []string
	for _, f := range r.Findings {
		out = append(out, f.ID())
	}
	return out
}

func TestClustersThatCannotBeChecked(t *testing.T) {
	forbidden := finding.Reason{Kind: finding.Forbidden, Text: "things: forbidden"}
	doubt := finding.Because("nobody knows")
	m := &model{fleet: fleet("down", "fine", "forbidden", "out", "unclear"), scopes: map[string]rule.Scope{"out": {Out: true}, "unclear": {Doubt: doubt}}}
	m.fleet.Clusters[0].Unreached = &facts.Unreached{Kind: facts.TimedOut}
	r := finds("GW002")
	r.Needs = []rule.Need{need{"forbidden": facts.Forbidden}}
	got := rule.Run(m, []*rule.Rule[*model]{r}, rule.Options{})
	if diff := cmp.Diff([]string{"GW002/fine"}, ids(got)); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	want := []finding.Unknown{
		{Cluster: "down", Codes: []finding.Code{"GW002"}, Reason: finding.ClusterUnreached},
		{Cluster: "forbidden", Codes: []finding.Code{"GW002"}, Reason: forbidden},
		{Cluster: "unclear", Codes: []finding.Code{"GW002"}, Reason: doubt},
	}
	if diff := cmp.Diff(want, got.Unknowns); diff != "" {
		t.Errorf("unknown (-want +got):\n%s", diff)
	}
	r.Everywhere = true
	got = rule.Run(m, []*rule.Rule[*model]{r}, rule.Options{})
	if diff := cmp.Diff([]string{"GW002/fine", "GW002/out", "GW002/unclear"}, ids(got)); diff != "" {
		t.Errorf("everywhere (-want +got):\n%s", diff)
	}
}

func TestCausesRunFirst(t *testing.T) {
	last, middle, first := finds("GW001", "GW002"), finds("GW002", "NET001"), finds("NET001")
	sorted := rule.Sorted([]*rule.Rule[*model]{last, middle, first})
	var got []finding.Code
	for _, r := range sorted {
		got = append(got, r.Codes()...)
	}
	if diff := cmp.Diff([]finding.Code{"NET001", "GW002", "GW001"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTopics(t *testing.T) {
	r := finds("GW013")
	r.When = "probe"
	m := &model{fleet: fleet("a")}
	if got := rule.Run(m, []*rule.Rule[*model]{r}, rule.Options{}); len(got.Findings)+len(got.Unknowns) > 0 {
		t.Errorf("a rule of which nobody asked ran: %v", got)
	}
	if got := rule.Run(m, []*rule.Rule[*model]{r}, rule.Options{Topics: []rule.Topic{"probe"}}); len(got.Findings) != 1 {
		t.Errorf("a rule that was asked for did not run: %v", got)
	}
}

// A rule that panics takes nobody with it, and keeps what it found before.
func TestPanic(t *testing.T) {
	bad := finds("GW002")
	bad.Run = func(p *rule.Pass[*model]) {
		p.Report(finding.Finding{Code: "GW002", Severity: finding.Error, Clusters: []string{"a"}})
		var none map[string]*rule.Scope
		none["x"].Out = true
	}
	got := rule.Run(&model{fleet: fleet("a", "b")}, []*rule.Rule[*model]{bad, finds("GW003")}, rule.Options{})
	if diff := cmp.Diff([]string{"GW002/a", "GW003/a", "GW003/b"}, ids(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(got.Unknowns) != 2 || got.Unknowns[0].Reason.Kind != finding.Failed || !strings.Contains(got.Unknowns[0].Reason.Text, "please report it") {
		t.Errorf("unknown: %v", got.Unknowns)
	}
}

// What a rule does and does not declare is told.
func TestViolations(t *testing.T) {
	for name, c := range map[string]struct {
		run  func(*rule.Pass[*model])
		want string
	}{
		"another code": {func(p *rule.Pass[*model]) {
			p.Report(finding.Finding{Code: "GW003", Severity: finding.Error})
		}, "GW003 is found by a rule that declares"},
		"another severity": {func(p *rule.Pass[*model]) {
			p.Report(finding.Finding{Code: "GW002", Severity: finding.Note})
		}, "GW002 is found as note"},
		"a cause that is not there": {func(p *rule.Pass[*model]) {
			p.Report(finding.Finding{Code: "GW002", Severity: finding.Error, CausedBy: "NET001/a"})
		}, "which was not found"},
		"a cause that is not declared": {func(p *rule.Pass[*model]) {
			p.Report(finding.Finding{Code: "GW002", Severity: finding.Error, CausedBy: "GW001/a"})
		}, "looks for GW001"},
		"a look at what is not declared": {func(p *rule.Pass[*model]) { p.Found("NET002") }, "looks for NET002"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &rule.Rule[*model]{Reports: []rule.Report{rule.May("GW002", finding.Error)}, Run: c.run}
			var said []string
			rule.Run(&model{fleet: fleet("a")}, []*rule.Rule[*model]{finds("GW001"), r}, rule.Options{Violated: func(s string) { said = append(said, s) }})
			if len(said) != 1 || !strings.Contains(said[0], c.want) {
				t.Errorf("said %q, want %q", said, c.want)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	page := finds("GW002")
	page.Reports = []rule.Report{rule.May("GW002", finding.Error, finding.Warning)}
	if err := rule.Validate([]*rule.Rule[*model]{page}); err != nil {
		t.Errorf("a good rule: %v", err)
	}
	for want, rules := range map[string][]*rule.Rule[*model]{
		"ABC001 has no page":              {finds("ABC001")},
		"the page of GW002 says":          {finds("GW002")},
		"GW003 declares no severity":      {{Reports: []rule.Report{rule.May("GW003")}, Run: page.Run}},
		"has no function":                 {{Reports: page.Reports}},
		"causes run in a circle":          {finds("GW003", "GW008"), finds("GW008", "GW003")},
		"is declared to run after itself": {finds("GW003", "GW003")},
	} {
		if err := rule.Validate(rules); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
