package finding_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/certs"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/endpoints"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/network"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remotesecrets"
	"github.com/kubectl-mesh/kubectl-mesh/internal/reach"
)

func catalogue(t *testing.T) []finding.Entry {
	t.Helper()
	entries, err := finding.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func TestEveryCodeIsExplained(t *testing.T) {
	var explained []finding.Code
	for _, e := range catalogue(t) {
		explained = append(explained, e.Code)
		at := 0
		for _, section := range []string{"Symptom", "Cause", "Evidence", "Fix", "Source"} {
			i := strings.Index(e.Text[at:], "\n## "+section+"\n")
			if i < 0 {
				t.Errorf("%s: section %s is missing, or not in its place", e.Code, section)
				continue
			}
			at += i
			body, _, _ := strings.Cut(e.Text[at+len("\n## "+section+"\n"):], "\n## ")
			if len(strings.TrimSpace(body)) < 20 {
				t.Errorf("%s: section %s says nothing", e.Code, section)
			}
		}
	}
	found := slices.Sorted(slices.Values(slices.Concat(certs.Codes(), reach.Codes(), network.Codes(), endpoints.Codes(), remotesecrets.Codes())))
	if diff := cmp.Diff(found, explained); diff != "" {
		t.Errorf("codes that rules find (-) and codes that are explained (+):\n%s", diff)
	}
}

func TestTheIndexOfCodesIsComplete(t *testing.T) {
	index, err := os.ReadFile(filepath.Join("..", "..", "docs", "findings", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range catalogue(t) {
		if !strings.Contains(string(index), "("+string(e.Code)+".md)") || !strings.Contains(string(index), e.Meaning) {
			t.Errorf("docs/findings/README.md does not list %s: %s", e.Code, e.Meaning)
		}
	}
}

func TestPagesFitATerminal(t *testing.T) {
	link := regexp.MustCompile(`https?://|\|`)
	for _, e := range catalogue(t) {
		for n, line := range strings.Split(e.Text, "\n") {
			if len([]rune(line)) > 80 && !link.MatchString(line) {
				t.Errorf("%s line %d is %d columns wide", e.Code, n+1, len([]rune(line)))
			}
		}
	}
}

func TestLookup(t *testing.T) {
	for _, name := range []string{"CERT004", "cert004", "CERT-04", "cert4", "CERT-4", "Cert_004"} {
		if e, err := finding.Lookup(name); err != nil || e.Code != "CERT004" {
			t.Errorf("%s: %v, %v", name, e.Code, err)
		}
	}
	for name, want := range map[string]string{
		"CERT999": "of this area there are CERT001, ",
		"XYZ1":    "lists all of them",
		"":        "lists all of them",
		"4":       "lists all of them",
	} {
		if _, err := finding.Lookup(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"east": "east", "arn:aws:eks:eu-1:123:cluster/x": "arn:aws:eks:eu-1:123:cluster/x",
		"": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$(reboot)": "'$(reboot)'", "a;b": "'a;b'", "prod-*": "'prod-*'", "=ls": "'=ls'", "a\nb'": `$'a\012b\''`, "\u202e": `$'\342\200\256'`,
	} {
		if got := finding.Quote(in); got != want {
			t.Errorf("Quote(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestUnknownsAreGathered(t *testing.T) {
	var r finding.Result
	r.NotChecked("west", finding.Because("forbidden"), "CERT005", "CERT004")
	r.NotChecked("west", finding.Because("forbidden"), "CERT004", "CERT006")
	r.NotChecked("west", finding.Because("timeout"), "CERT004")
	r.NotChecked("east", finding.Because("forbidden"), "CERT004")
	r.Sort()
	want := []finding.Unknown{
		{Cluster: "east", Reason: finding.Because("forbidden"), Codes: []finding.Code{"CERT004"}},
		{Cluster: "west", Reason: finding.Because("forbidden"), Codes: []finding.Code{"CERT004", "CERT005", "CERT006"}},
		{Cluster: "west", Reason: finding.Because("timeout"), Codes: []finding.Code{"CERT004"}},
	}
	if diff := cmp.Diff(want, r.Unknowns); diff != "" {
		t.Error(diff)
	}
	if got := r.Unchecked(); got != 4 {
		t.Errorf("%d rules not checked, want 4: a rule counts once in a cluster", got)
	}
}
