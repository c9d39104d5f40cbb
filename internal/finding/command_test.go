package finding_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// argvs are the argument vectors of the commands of a line, as a shell makes them.
func argvs(t *testing.T, line string) [][]string {
	t.Helper()
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(line), "")
	if err != nil {
		t.Fatalf("a shell does not take %q: %v", line, err)
	}
	var out [][]string
	syntax.Walk(file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CallExpr:
			// Without variables or programs to call, what is not literal would fail or come out differently.
			fields, err := expand.Fields(&expand.Config{Env: expand.ListEnviron()}, n.Args...)
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			out = append(out, fields)
		case *syntax.CmdSubst, *syntax.ParamExp, *syntax.ProcSubst, *syntax.Comment:
			t.Fatalf("%q holds a %T", line, n)
		}
		return true
	})
	return out
}

func TestCommands(t *testing.T) {
	get := finding.Kubectl("east", "-n", "istio-system", "get", "secret", "x y", "-o", "yaml")
	for want, c := range map[string]finding.Command{
		"kubectl --context=east -n istio-system get secret 'x y' -o yaml": get,
		"kubectl --context='a;b' get pods":                                finding.Kubectl("a;b", "get", "pods"),
		"istioctl x | kubectl --context=west apply -f -":                  finding.Shell("istioctl", "x").To(finding.Kubectl("west", "apply", "-f", "-")),
		"a | b | c":      finding.Shell("a").To(finding.Shell("b")).To(finding.Shell("c")),
		"a > 'my file'":  {Args: []string{"a"}, Into: "my file"},
		"a >> roots.pem": {Args: []string{"a"}, Into: "roots.pem", Append: true},
	} {
		if got := c.String(); strings.ReplaceAll(got, "'--context=a;b'", "--context='a;b'") != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := get.Context(); got != "east" {
		t.Errorf("context %q", got)
	}
}

// Whatever stands in a word, a shell hands it over as that word, and what a terminal
// is shown can be seen.
func FuzzQuote(f *testing.F) {
	for _, seed := range []string{"", "east", "a b", "it's", "$(touch x)", "`x`", "a;b", "a\nb", "\x1b[31m", "\u202e", "=ls", "~", "*", "{a,b}", "\\", "'", "!!", "#", "a\\'b\n", "\x80", "-x", "\ufeff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, word string) {
		if strings.ContainsRune(word, 0) {
			t.Skip("no argument of a program holds a NUL")
		}
		c := finding.Shell("x", word, "y").To(finding.Shell("z", word))
		line := c.String()
		if want := [][]string{{"x", word, "y"}, {"z", word}}; !slices.EqualFunc(argvs(t, line), want, slices.Equal) {
			t.Errorf("%q comes out as %q", line, argvs(t, line))
		}
		for _, r := range line {
			if r < ' ' || r == 0x7f || r == '\u202e' || r == '\ufeff' {
				t.Errorf("%q holds %q", line, r)
			}
		}
	})
}

// Names in sentences cannot become commands, whoever pastes them.
func TestSay(t *testing.T) {
	got := finding.Say("Label namespace %s of %d clusters (not %s):", "x;touch${IFS}y`z`\n$(a)", 2, "shop/cart-v1.example.com:80").By(finding.Shell("true"))
	want := finding.Step{Say: "Label namespace x?touch??IFS?y?z????a? of 2 clusters (not shop/cart-v1.example.com:80):", Run: []finding.Command{finding.Shell("true")}}
	if diff := cmp.Diff(want.Say, got.Say); diff != "" || len(got.Run) != 1 {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
