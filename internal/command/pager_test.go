package command

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPagerOf(t *testing.T) {
	for name, c := range map[string]struct {
		pager, term string
		isSet       bool
		system      string
		want        []string
	}{
		"less without a choice":    {"", "xterm", false, "linux", []string{"sh", "-c", "less"}},
		"the user's":               {"more -s", "xterm", true, "darwin", []string{"sh", "-c", "more -s"}},
		"none is wanted":           {"", "xterm", true, "linux", nil},
		"cat is none":              {"cat", "xterm", true, "linux", nil},
		"a terminal without moves": {"less", "dumb", true, "linux", nil},
		"a system without a shell": {"more /c", "", true, "windows", []string{"more", "/c"}},
	} {
		env := map[string]string{"PAGER": c.pager, "TERM": c.term}
		if diff := cmp.Diff(c.want, pagerOf(func(key string) string { return env[key] }, c.isSet, c.system)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A pager shows the whole text; where it does not start, the caller does.
func TestShow(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no sh")
	}
	for pager, shown := range map[string]bool{"cat": true, "head -c 0": true, "no-such-pager-here": false} {
		var out, errOut bytes.Buffer
		if got := show([]string{"sh", "-c", pager}, []byte("text\n"), &out, &errOut); got != shown {
			t.Errorf("%s: shown %t", pager, got)
		}
		if pager == "cat" && out.String() != "text\n" {
			t.Errorf("%s: %q", pager, out.String())
		}
	}
	if show([]string{"/no/such/program"}, nil, &bytes.Buffer{}, &bytes.Buffer{}) {
		t.Error("a program that is not there has shown something")
	}
}
