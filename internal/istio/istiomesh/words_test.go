package istiomesh_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/endpoints"
	"github.com/kubectl-mesh/kubectl-mesh/internal/styletest"
)

// sentences are what a finding says to people, what it quotes of clusters left out.
func sentences(f finding.Finding) []string {
	out := []string{f.Title, f.Effect}
	for _, e := range f.Evidence {
		out = append(out, e.Field)
	}
	for _, step := range f.Fix {
		out = append(out, step.Say)
	}
	return out
}

// What is said of every fixture and case has the words of the project. Titles fit a line.
func TestWordsOfFindings(t *testing.T) {
	if raceDetector {
		t.Skip("it is one goroutine; make unit runs it without the race detector")
	}
	const titleWidth = 115
	refused, texts := map[string]string{}, map[string]bool{}
	wide := map[finding.Code]string{}
	hear := func(where string, said ...string) {
		for _, text := range said {
			if text == "" || texts[text] {
				continue
			}
			texts[text] = true
			for _, r := range styletest.Refused(styletest.Prose(text)) {
				refused[r] = where
			}
		}
	}
	random := 0
	for _, f := range fleets(t) {
		if f.random {
			if random++; random > 20 {
				continue
			}
		}
		s := say(f)
		for _, x := range s.result.Findings {
			hear(f.name+": "+string(x.Code), sentences(x)...)
			if len([]rune(x.Title)) > titleWidth {
				wide[x.Code] = x.Title
			}
		}
		for _, u := range s.result.Unknowns {
			hear(f.name+": not checked", u.Reason.Text)
		}
		for _, r := range s.picture.Routes {
			hear(f.name+": map", r.Reason)
		}
		for _, p := range s.secrets.Pairs {
			hear(f.name+": secrets", p.Reason)
		}
		for _, key := range s.shared() {
			namespace, name, _ := strings.Cut(key, "/")
			d, _, err := endpoints.Diagnose(s.mesh, s.result, namespace, name, endpoints.Options{})
			if err != nil {
				continue
			}
			for _, p := range d.Paths {
				hear(f.name+": diagnose "+key, p.Summary)
			}
		}
	}
	for _, r := range slices.Sorted(maps.Keys(refused)) {
		t.Errorf("%s: %s", refused[r], r)
	}
	for _, code := range slices.Sorted(maps.Keys(wide)) {
		t.Errorf("%s: a title of %d letters: %s", code, len([]rune(wide[code])), wide[code])
	}
	if len(texts) < 1000 {
		t.Errorf("only %d texts were read", len(texts))
	}
	t.Logf("%d texts", len(texts))
}
