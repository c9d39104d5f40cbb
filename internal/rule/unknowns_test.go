package rule

import (
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// A rule learns what others before it could not check, and only of what it declares.
func TestUnknowns(t *testing.T) {
	var violations []string
	why := finding.Because("x")
	fleet := &facts.Fleet{Clusters: []facts.Cluster{{Context: "east"}}}
	Run(plain{fleet}, []*Rule[plain]{
		{Reports: []Report{May("CERT002", finding.Note)}, After: []finding.Code{"CERT001"}, Run: func(p *Pass[plain]) {
			if u := p.Unknowns("CERT001"); len(u) != 1 || u[0].Cluster != "east" || u[0].Reason != why {
				t.Errorf("%+v", u)
			}
			if u := p.Unknowns("CERT003"); len(u) > 0 {
				t.Errorf("%+v", u)
			}
		}},
		{Reports: []Report{May("CERT001", finding.Note)}, Run: func(p *Pass[plain]) { p.NotChecked("east", why) }},
	}, Options{Violated: func(v string) { violations = append(violations, v) }})
	if len(violations) != 1 {
		t.Errorf("%q", violations)
	}
}

// plain is a model of clusters that all belong to the mesh.
type plain struct{ fleet *facts.Fleet }

func (p plain) Facts() *facts.Fleet        { return p.fleet }
func (p plain) Scope(*facts.Cluster) Scope { return Scope{} }
