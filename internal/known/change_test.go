package known_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/known"
)

// What control planes answer now tells neither that something is fixed nor that it appears.
func TestCompare(t *testing.T) {
	one := func(code finding.Code, severity finding.Severity) finding.Finding {
		return found(code, severity, "east", finding.Object{}, "")
	}
	of := func(findings ...finding.Finding) finding.Result { return finding.Result{Findings: findings} }
	unchecked := func(r finding.Result, codes ...finding.Code) finding.Result {
		r.NotChecked("east", finding.Because("why"), codes...)
		return r
	}
	for name, c := range map[string]struct {
		now, before, after finding.Result
		want               string // what becomes of the code
		lost               bool
	}{
		"fixed":                {of(one("GW002", finding.Error)), of(one("GW002", finding.Error)), of(), "fixed", false},
		"stays":                {of(one("GW002", finding.Error)), of(one("GW002", finding.Error)), of(one("GW002", finding.Error)), "stays", false},
		"appears":              {of(), of(), of(one("GW002", finding.Error)), "appears", false},
		"gets worse":           {of(one("GW002", finding.Note)), of(one("GW002", finding.Note)), of(one("GW002", finding.Error)), "appears", false},
		"gets better":          {of(one("GW002", finding.Error)), of(one("GW002", finding.Error)), of(one("GW002", finding.Note)), "stays", false},
		"rests on an answer":   {of(one("GW002", finding.Error)), of(), of(), "open", false},
		"an answer denies it":  {of(), of(one("GW002", finding.Error)), of(one("GW002", finding.Error)), "", false},
		"an answer made worse": {of(one("GW002", finding.Error)), of(one("GW002", finding.Note)), of(one("GW002", finding.Note)), "stays", false},
		"not checked any more": {
			of(one("GW002", finding.Error)), of(one("GW002", finding.Error)), unchecked(of(), "GW002"), "open", true,
		},
		"never checked in all": {
			unchecked(of(one("GW002", finding.Error)), "GW002"), unchecked(of(one("GW002", finding.Error)), "GW002"),
			unchecked(of(), "GW002"), "fixed", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			change := known.Compare(c.now, c.before, c.after)
			got := ""
			for word, findings := range map[string][]finding.Finding{
				"fixed": change.Fixed, "appears": change.Appears, "open": change.Open, "stays": change.Stays,
			} {
				for range findings {
					got += word
				}
			}
			if got != c.want || (len(change.Lost) > 0) != c.lost {
				t.Errorf("it is %q, lost %v; want %q", got, change.Lost, c.want)
			}
			then := 0
			if got != "" && got != "fixed" {
				then = 1
			}
			if n := len(change.Then(c.after).Findings); n != then {
				t.Errorf("%d findings are there then, want %d", n, then)
			}
		})
	}
}

func TestLostNamesWhatWasChecked(t *testing.T) {
	var now, after finding.Result
	now.NotChecked("east", finding.Because("other"), "CP001")
	after.NotChecked("east", finding.Because("why"), "CP001", "CP002")
	want := []finding.Unknown{{Cluster: "east", Codes: []finding.Code{"CP002"}, Reason: finding.Because("why")}}
	if diff := cmp.Diff(want, known.Compare(now, finding.Result{}, after).Lost); diff != "" {
		t.Error(diff)
	}
}
