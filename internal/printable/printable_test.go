package printable_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

func TestLineShowsWhatWouldActOnTheTerminal(t *testing.T) {
	for name, tc := range map[string]struct{ in, line, text string }{
		"plain text stays":            {"prod-a: Zürich 東京", "prod-a: Zürich 東京", "prod-a: Zürich 東京"},
		"empty":                       {"", "", ""},
		"escape sequence":             {"a\x1b[2Jb", `a\x1b[2Jb`, `a\x1b[2Jb`},
		"bell, backspace and delete":  {"\a\b\x7f", `\x07\x08\x7f`, `\x07\x08\x7f`},
		"C1 control":                  {"a\u009b31mb", `a\x9b31mb`, `a\x9b31mb`},
		"newline and tab":             {"a\nb\tc", "a b c", "a\nb c"},
		"windows newline":             {"a\r\nb", "a  b", "a\nb"},
		"carriage return alone":       {"safe\revil", "safe evil", "safe evil"},
		"right-to-left override":      {"a\u202egnp.exe", `a\u202egnp.exe`, `a\u202egnp.exe`},
		"isolate":                     {"\u2066x\u2069", `\u2066x\u2069`, `\u2066x\u2069`},
		"zero width and line breaks":  {"a\u200bb\u2028c", `a\u200bb\u2028c`, `a\u200bb\u2028c`},
		"tag character":               {"a\U000e0041", `a\U000e0041`, `a\U000e0041`},
		"invalid byte":                {"a\xffb", `a\xffb`, `a\xffb`},
		"replacement character stays": {"a\ufffdb", "a\ufffdb", "a\ufffdb"},
		"backslash stays":             {`C:\x1b`, `C:\x1b`, `C:\x1b`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := printable.Line(tc.in); got != tc.line {
				t.Errorf("Line(%q) = %q, want %q", tc.in, got, tc.line)
			}
			if got := printable.Text(tc.in); got != tc.text {
				t.Errorf("Text(%q) = %q, want %q", tc.in, got, tc.text)
			}
		})
	}
}

func FuzzOutputIsSafeAndStable(f *testing.F) {
	for _, s := range []string{"", "plain", "\x1b[31m", "\u202e", "a\xff\xfeb", "\r\n\t", "\r\r\n", "\u0085\u2029"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		line, text := printable.Line(s), printable.Text(s)
		for name, out := range map[string]string{"Line": line, "Text": strings.ReplaceAll(text, "\n", "")} {
			if !utf8.ValidString(out) {
				t.Errorf("%s(%q) = %q is not UTF-8", name, s, out)
			}
			if i := strings.IndexFunc(out, func(r rune) bool {
				return unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Cf, unicode.Zl, unicode.Zp)
			}); i >= 0 {
				t.Errorf("%s(%q) = %q has a control character at byte %d", name, s, out, i)
			}
		}
		if again := printable.Line(line); again != line {
			t.Errorf("Line is not idempotent: %q, then %q", line, again)
		}
		if again := printable.Text(text); again != text {
			t.Errorf("Text is not idempotent: %q, then %q", text, again)
		}
	})
}
