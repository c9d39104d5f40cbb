// Package ways gathers what is said of many ordered pairs: "from all others to west" instead of a
// line for each pair.
package ways

import (
	"fmt"
	"slices"
	"strings"
)

// Group is pairs of which the same is said: from each of From to each of To.
type Group struct {
	From, To []string
	// At are the pairs, by their place among all.
	At []int
	// AllFrom and AllTo: these are all but those at the other end. Except are those that From lacks
	// to be all, where they are few.
	AllFrom, AllTo bool
	Except         []string
}

// Gather groups n pairs, of which pair names the ends, and alike says whether the same is said of
// two. Groups come in the order of their first target among all names. It asks alike once for
// each pair and kind of things said.
func Gather(n int, pair func(i int) (from, to string), alike func(i, j int) bool) []Group {
	var names []string
	place := map[string]int{}
	sources, targets := map[string]bool{}, map[string]bool{}
	for i := range n {
		from, to := pair(i)
		sources[from], targets[to] = true, true
		if _, ok := place[from]; !ok {
			place[from] = len(names)
			names = append(names, from)
		}
	}
	for i := range n {
		if _, to := pair(i); !slices.Contains(names, to) {
			place[to] = len(names)
			names = append(names, to)
		}
	}
	type key struct {
		to   string
		kind int
	}
	var kinds []int // a pair of each kind of things said
	at := map[key]int{}
	var byTarget []Group
	kindOf := map[int]int{}
	for i := range n {
		from, to := pair(i)
		kind := slices.IndexFunc(kinds, func(j int) bool { return alike(j, i) })
		if kind < 0 {
			kind = len(kinds)
			kinds = append(kinds, i)
		}
		k := key{to, kind}
		g, ok := at[k]
		if !ok {
			g = len(byTarget)
			at[k] = g
			kindOf[i] = kind
			byTarget = append(byTarget, Group{To: []string{to}})
		}
		byTarget[g].From, byTarget[g].At = append(byTarget[g].From, from), append(byTarget[g].At, i)
	}
	slices.SortStableFunc(byTarget, func(a, b Group) int { return place[a.To[0]] - place[b.To[0]] })
	type merged struct {
		kind int
		from string
	}
	into := map[merged]int{}
	var out []Group
	for _, g := range byTarget {
		g.AllFrom = len(sources) > 2 && len(g.From) == len(sources)-boolInt(sources[g.To[0]])
		who := strings.Join(g.From, "\x00")
		if g.AllFrom {
			who = "\x00all"
		}
		k := merged{kindOf[g.At[0]], who}
		if i, ok := into[k]; ok {
			out[i].To, out[i].At = append(out[i].To, g.To...), append(out[i].At, g.At...)
			continue
		}
		into[k] = len(out)
		out = append(out, g)
	}
	for i := range out {
		out[i].round(names, sources, targets)
	}
	return out
}

// few are the names that are told as missing from all.
const few = 2

// round says of a group that it is all, or all but a few.
func (g *Group) round(names []string, sources, targets map[string]bool) {
	if len(g.From) == 1 {
		g.AllTo = len(targets) > 2 && len(g.To) == len(targets)-boolInt(targets[g.From[0]])
	}
	if g.AllFrom || len(g.To) != 1 || len(g.From) <= few {
		return
	}
	for _, name := range names {
		if sources[name] && name != g.To[0] && !slices.Contains(g.From, name) {
			g.Except = append(g.Except, name)
		}
	}
	if len(g.Except) > few {
		g.Except = nil
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Ends names both ends of a group; list writes several names.
func (g Group) Ends(list func([]string) string) (from, to string) {
	from, to = list(g.From), list(g.To)
	switch {
	case g.AllFrom && len(g.To) > 1:
		from = "all others"
		if len(g.To) == len(g.From)+1 {
			to = "every cluster"
		}
	case g.AllFrom:
		from = "all others"
	case len(g.Except) > 0:
		from = fmt.Sprintf("all others but %s", strings.Join(g.Except, " and "))
	}
	if g.AllTo {
		to = "all others"
	}
	return from, to
}
