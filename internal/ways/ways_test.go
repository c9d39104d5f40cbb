package ways

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// said are groups of what is said of each ordered pair of names.
func said(names []string, of func(from, to string) string) []string {
	type pair struct{ from, to, text string }
	var all []pair
	for _, from := range names {
		for _, to := range names {
			if text := of(from, to); from != to && text != "" {
				all = append(all, pair{from, to, text})
			}
		}
	}
	var out []string
	for _, g := range Gather(len(all),
		func(i int) (string, string) { return all[i].from, all[i].to },
		func(i, j int) bool { return all[i].text == all[j].text },
	) {
		from, to := g.Ends(func(s []string) string { return strings.Join(s, ",") })
		out = append(out, fmt.Sprintf("%s > %s: %s (%d)", from, to, all[g.At[0]].text, len(g.At)))
	}
	return out
}

func TestGather(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e"}
	for name, c := range map[string]struct {
		of   func(from, to string) string
		want []string
	}{
		"all the same": {func(string, string) string { return "ok" }, []string{"all others > every cluster: ok (20)"}},
		"one target": {func(_, to string) string {
			if to == "b" {
				return "broken"
			}
			return "ok"
		}, []string{"all others > a,c,d,e: ok (16)", "all others > b: broken (4)"}},
		"one source": {func(from, _ string) string {
			if from == "c" {
				return "broken"
			}
			return ""
		}, []string{"c > all others: broken (4)"}},
		"one pair": {func(from, to string) string {
			if from == "a" && to == "e" {
				return "broken"
			}
			return "to " + to
		}, []string{
			"all others > a: to a (4)", "all others > b: to b (4)", "all others > c: to c (4)", "all others > d: to d (4)",
			"a > e: broken (1)", "all others but a > e: to e (3)",
		}},
		"nothing": {func(string, string) string { return "" }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, said(names, c.of)); diff != "" {
				t.Error(diff)
			}
		})
	}
	// Of two clusters none is "all others".
	if diff := cmp.Diff([]string{"b > a: ok (1)", "a > b: ok (1)"}, said(names[:2], func(string, string) string { return "ok" })); diff != "" {
		t.Error(diff)
	}
}
