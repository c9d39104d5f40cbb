package rules_test

import (
	"bytes"
	"flag"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode"

	"k8s.io/apimachinery/pkg/runtime"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

// oneIn is how large a part of all strings, and of all fields, is attacked: 1 is all, which
// takes most of an hour.
var oneIn = flag.Uint("one-in", 1000, "attack one in so many strings and fields of the fixtures")

// payloads are what a name can be in a dump that somebody else made, or that an API
// server takes for a label, an annotation, a key or a free text.
var payloads = []string{
	"x;touch PWNED", "$(touch PWNED)", "`touch PWNED`", "a'b\"c", "-rf", "a\ntouch PWNED", "\x1b[31mred", "\u202egnp", "x${IFS}y|z&",
	"{{.}}", "~/x/y", "=ls", "a b", "%s%n", "'\\''", "!!", "a!b'c!d", "';touch PWNED;'", "#x", "*", "\\",
}

// chosen reports whether something is in the sample, and gives a number to choose by.
func chosen(parts ...string) (uint, bool) {
	hash := fnv.New64a()
	for _, p := range parts {
		_, _ = hash.Write([]byte(p + "\x00"))
	}
	n := uint(hash.Sum64() >> 1)
	return n / *oneIn, n%*oneIn == 0
}

// Whatever stands where a fleet has a name, a label, a key, a host or a subject: every
// command of a fix is the words that it was made of, in bash and in zsh too, no sentence holds what
// a shell would run, and a terminal is shown nothing that it would obey.
func TestHostileNames(t *testing.T) {
	if raceDetector {
		t.Skip("it is one goroutine; make unit runs it without the race detector")
	}
	tries, findings := 0, 0
	printed := commands{}
	eachWorld(t, *oneIn == 1, func(w *world) {
		printed.add(judge(t, w.changed(unchanged, whole), w.seen))
		words := map[string]bool{}
		for _, c := range w.clusters {
			words[c.context] = true
			for _, d := range c.documents {
				maps.Copy(words, d.words)
			}
		}
		for _, word := range slices.Sorted(maps.Keys(words)) {
			if n, ok := chosen(w.name, word); ok {
				payload := payloads[n%uint(len(payloads))]
				tries++
				findings += hostile(t, w, word, payload, printed)
			}
		}
	})
	if tries < int(60_000 / *oneIn) || findings < 100 {
		t.Errorf("only %d tries with %d findings", tries, findings)
	}
	t.Logf("%d tries, %d findings, %d commands", tries, findings, len(printed))
	printed.inShells(t)
}

func unchanged(name string) string { return name }

// whole is the object of a document as it is.
func whole(d *document) runtime.Object { return d.object.DeepCopyObject() }

// hostile judges a fleet in which a word is replaced, and returns how many findings there were.
func hostile(t *testing.T, w *world, word, payload string, printed commands) int {
	t.Helper()
	name := fmt.Sprintf("%s: %q for %q", w.name, payload, word)
	defer func() {
		if v := recover(); v != nil {
			t.Errorf("%s: panic: %v", name, v)
		}
	}()
	fleet := w.changed(func(name string) string { return swap(name, word, payload) }, func(d *document) runtime.Object {
		if !d.words[word] {
			return whole(d)
		}
		return object(replaced(d.value, word, payload))
	})
	result := judge(t, fleet, w.seen)
	noFailures(t, name, result)
	for _, found := range result.Findings {
		for _, step := range found.Fix {
			if strings.ContainsAny(payload, "$`;|&<>'\n\x1b") && strings.Contains(step.Say, payload) {
				t.Errorf("%s: %s says %q", name, found.Code, step.Say)
			}
			for _, c := range step.Run {
				parsed(t, name, found.Code, c)
			}
		}
	}
	printed.add(result)
	var screen bytes.Buffer
	report.NewPage(&screen, false, 80, true).Findings(result, nil, true)
	if i := bytes.IndexFunc(screen.Bytes(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
		t.Errorf("%s: the screen holds %q", name, screen.Bytes()[max(0, i-20):min(screen.Len(), i+20)])
	}
	return len(result.Findings)
}

// noFailures holds that no rule failed: what a cluster has is no reason to.
func noFailures(t *testing.T, name string, result finding.Result) {
	t.Helper()
	for _, u := range result.Unknowns {
		if strings.Contains(u.Reason.Text, "the rule itself failed") {
			t.Errorf("%s: %v of %s: %s", name, u.Codes, u.Cluster, u.Reason.Text)
		}
	}
}

// parsed holds that a shell makes of a printed command the words that it was made of.
func parsed(t *testing.T, name string, code finding.Code, c finding.Command) {
	t.Helper()
	line := c.String()
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(line), "")
	if err != nil {
		t.Errorf("%s: %s: a shell does not take %q: %v", name, code, line, err)
		return
	}
	var got [][]string
	syntax.Walk(file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CallExpr:
			fields, err := expand.Fields(&expand.Config{Env: expand.ListEnviron()}, n.Args...)
			if err != nil {
				t.Errorf("%s: %s: %q: %v", name, code, line, err)
			}
			got = append(got, fields)
		case *syntax.CmdSubst, *syntax.ParamExp, *syntax.ProcSubst, *syntax.Comment:
			t.Errorf("%s: %s: %q holds a %T", name, code, line, n)
		}
		return true
	})
	if !slices.EqualFunc(got, wordsOf(c), slices.Equal) {
		t.Errorf("%s: %s: %q comes out as %q", name, code, line, got)
	}
}

// wordsOf are the words of a command, and of those that it is piped into.
func wordsOf(c finding.Command) [][]string {
	var out [][]string
	for part := &c; part != nil; part = part.Pipe {
		out = append(out, part.Args)
	}
	return out
}
