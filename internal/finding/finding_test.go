package finding_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/golden"
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
	for _, e := range catalogue(t) {
		at := 0
		for _, section := range []string{"Fix", "Symptom", "Cause", "Evidence", "Source"} {
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
}

// The index of codes is made from the pages: go test -update rewrites it.
func TestTheIndexOfCodesIsComplete(t *testing.T) {
	const path, begin = "../../docs/findings/README.md", "| code | severity | meaning |\n| --- | --- | --- |\n"
	index, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(index), begin)
	if !ok {
		t.Fatalf("%s has no table of codes", path)
	}
	rows := 0
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		rows += len(line)
	}
	var table strings.Builder
	for _, e := range catalogue(t) {
		severities := make([]string, len(e.Severities))
		for i, s := range e.Severities {
			severities[i] = string(s)
		}
		fmt.Fprintf(&table, "| [%s](%s.md) | %s | %s |\n", e.Code, e.Code, strings.Join(severities, ", "), e.Meaning)
	}
	if *golden.Update {
		if err := os.WriteFile(path, []byte(before+begin+table.String()+rest[rows:]), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(rest[:rows], table.String()); diff != "" {
		t.Errorf("%s; go test -update writes it (-want +got):\n%s", path, diff)
	}
}

// What is pasted from a page into zsh holds no comments, and nothing that runs
// other programs on the way.
func TestPagesAreFitForPasting(t *testing.T) {
	bad := regexp.MustCompile("(?m)^\\s*#|\\$\\(|`")
	for _, e := range catalogue(t) {
		_, fix, _ := strings.Cut(e.Text, "\n## Fix\n")
		fix, _, _ = strings.Cut(fix, "\n## ")
		for i, block := range strings.Split(fix, "```") {
			if i%2 == 1 && bad.MatchString(block) {
				t.Errorf("%s: a command of its fix holds %q", e.Code, bad.FindString(block))
			}
		}
	}
}

// A fix is a command, or it says why there is none; a source is a link to a state that does not change.
func TestPagesSayWhatToRunAndWhereItIsFrom(t *testing.T) {
	none := regexp.MustCompile(`(?i)\bno (single )?command\b`)
	moving := regexp.MustCompile(`github\.com/[^/]+/[^/]+/(blob|tree)/(main|master|HEAD|release-[^/]+)/`)
	fixed := regexp.MustCompile(`^- https://github\.com/[\w.-]+/[\w.-]+/(blob|tree|issues|pull|commit|releases/tag)/`)
	for _, e := range catalogue(t) {
		_, fix, _ := strings.Cut(e.Text, "\n## Fix\n")
		fix, _, _ = strings.Cut(fix, "\n## ")
		if !strings.Contains(fix, "\n```\n") && !none.MatchString(strings.Join(strings.Fields(fix), " ")) {
			t.Errorf("%s: its fix has no command, and does not say why", e.Code)
		}
		_, sources, _ := strings.Cut(e.Text, "\n## Source\n")
		for source := range strings.Lines(strings.TrimSpace(sources)) {
			source = strings.TrimSpace(source)
			if !strings.HasPrefix(source, "- https://") || moving.MatchString(source) ||
				strings.HasPrefix(source, "- https://github.com/") && !fixed.MatchString(source) {
				t.Errorf("%s: source %q is not a full link to a tag, a commit or an issue", e.Code, source)
			}
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
		"CERT999": `"explain CERT" lists`,
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
