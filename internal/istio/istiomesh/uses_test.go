package istiomesh_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/questions"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// without are options without the answers to a question.
func without(q *questions.Question, options model.Options) model.Options {
	switch q {
	case questions.Hostnames:
		options.Hosts, options.HostFailures = nil, nil
	case questions.RemoteSides:
		options.Seen.Sides = nil
	case questions.Istiods:
		options.Seen.Istiods, options.Seen.Again = nil, nil
	case questions.TokenReviews:
		options.Seen.Reviews = nil
	}
	return options
}

// A question is asked where a rule in force uses the answer, and addresses are tried and
// proxies asked only where the user wishes it.
func TestAsked(t *testing.T) {
	live := questions.Set{questions.Hostnames, questions.RemoteSides, questions.Istiods, questions.TokenReviews}
	for name, c := range map[string]struct {
		area   mesh.Area
		wishes []any
		want   questions.Set
	}{
		"certs":                    {mesh.Certs, nil, nil},
		"certs with proxies":       {mesh.Certs, []any{mesh.AskProxies{}}, questions.Set{questions.ProxyCertificates}},
		"network":                  {mesh.Network, nil, questions.Set{questions.Hostnames}},
		"network with tries":       {mesh.Network, []any{mesh.Probing{}}, questions.Set{questions.Hostnames, questions.Trials}},
		"control plane":            {mesh.ControlPlane, nil, questions.Set{questions.Istiods, questions.Rejections, questions.Refusals}},
		"endpoints":                {mesh.Endpoints, nil, live},
		"endpoints of one service": {mesh.Endpoints, []any{mesh.Services{Namespace: "shop"}}, live},
	} {
		got := istiomesh.Asked(c.wishes, c.area)
		for _, q := range questions.All {
			if got.Has(q) != c.want.Has(q) {
				t.Errorf("%s: asked for %s: %v", name, q, got.Has(q))
			}
		}
	}
}

// verdicts are what a result says of each code.
func verdicts(r finding.Result) map[finding.Code]string {
	lines := map[finding.Code][]string{}
	for _, f := range r.Findings {
		lines[f.Code] = append(lines[f.Code], fmt.Sprint(f.Severity, f.ID(), f.Title, f.Evidence))
	}
	for _, u := range r.Unknowns {
		for _, code := range u.Codes {
			lines[code] = append(lines[code], fmt.Sprint("unknown", u.Cluster, u.Reason))
		}
	}
	out := map[finding.Code]string{}
	for code, of := range lines {
		slices.Sort(of)
		out[code] = fmt.Sprint(of)
	}
	return out
}

// A rule whose verdict depends on the answer to a question says so. Where a remote
// secret leads is a fact of the model, which the other ends make surer: of them only the
// areas have to say it that are about remote secrets.
func TestUsesOfQuestions(t *testing.T) {
	all := fleets(t)
	judged := func(f fleet, o model.Options) map[finding.Code]string {
		return verdicts(istiomesh.Judge(model.New(f.facts, o), rule.Options{}, mesh.Network, mesh.Endpoints))
	}
	answered := make([]map[finding.Code]string, len(all)) // the same for each question
	for n, f := range all {
		answered[n] = judged(f, model.Options{Seen: f.seen, Hosts: f.hosts})
	}
	for q, areas := range map[*questions.Question][]mesh.Area{
		questions.Hostnames: {mesh.Network, mesh.Endpoints}, questions.RemoteSides: {mesh.Endpoints},
		questions.Istiods: {mesh.Endpoints}, questions.TokenReviews: {mesh.Endpoints},
	} {
		uses, asked := map[finding.Code]bool{}, 0
		var codes []finding.Code
		for _, area := range areas {
			for _, r := range rule.Sorted(istiomesh.Rules(area)) {
				codes = append(codes, r.Codes()...)
				// What it takes for a cause may come and go with the answer.
				indirect := slices.ContainsFunc(r.After, func(code finding.Code) bool { return uses[code] })
				for _, code := range r.Codes() {
					uses[code] = uses[code] || indirect || slices.Contains(r.Uses, rule.Need(q))
				}
			}
		}
		changed := map[finding.Code]string{}
		for n, f := range all {
			none := judged(f, without(q, model.Options{Seen: f.seen, Hosts: f.hosts}))
			for _, code := range codes {
				if answered[n][code] != none[code] {
					asked++
					if !uses[code] {
						changed[code] = f.name
					}
				}
			}
		}
		for _, code := range slices.Sorted(maps.Keys(changed)) {
			t.Errorf("%s depends on %s in %s, and its rule does not declare it", code, q, changed[code])
		}
		if asked == 0 {
			t.Errorf("no verdict of a fleet depends on %s", q)
		}
	}
}
