package fleet

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// Select returns the clusters that --contexts or --all-contexts name, those of
// --contexts in the order given and without repetition, a pattern's matches
// sorted. chosen is false, and there are no members, when neither flag was
// given. An unknown name, and a pattern that matches no context, is an error.
func (k *Kubeconfig) Select() (members []Member, chosen bool, err error) {
	var names []string
	switch {
	case k.flags.AllContexts:
		names = k.ContextNames()
	case len(k.flags.Contexts) > 0:
		if names, err = k.expand(k.flags.Contexts); err != nil {
			return nil, true, err
		}
	default:
		return nil, false, nil
	}
	for _, name := range names {
		members = append(members, k.member(name, len(names) == 1))
	}
	return members, true, nil
}

// Current returns the cluster of --context, else of the kubeconfig's current
// context. It is an error when there is none or it does not exist.
func (k *Kubeconfig) Current() (Member, error) {
	name := k.currentName()
	if name == "" {
		return Member{}, errors.New("the kubeconfig has no current context: give --contexts, or choose one with kubectl config use-context")
	}
	if _, ok := k.raw.Contexts[name]; !ok {
		return Member{}, k.unknown(name)
	}
	return k.member(name, true), nil
}

func (k *Kubeconfig) currentName() string {
	return cmp.Or(value(k.flags.Context), k.raw.CurrentContext)
}

// expand turns names and patterns into names of contexts that exist.
func (k *Kubeconfig) expand(wanted []string) ([]string, error) {
	var names []string
	seen := map[string]bool{}
	for _, want := range wanted {
		want = strings.TrimSpace(want)
		if want == "" {
			return nil, errors.New("--contexts has an empty name: give names separated by one comma each")
		}
		matches, err := k.matching(want)
		if err != nil {
			return nil, err
		}
		for _, name := range matches {
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// matching returns the context called want, else those that it matches as a pattern.
func (k *Kubeconfig) matching(want string) ([]string, error) {
	if _, ok := k.raw.Contexts[want]; ok {
		return []string{want}, nil
	}
	if !strings.ContainsAny(want, `*?[\`) {
		return nil, k.unknown(want)
	}
	// Context names are not paths: "/" is as good as any other character.
	flat := strings.NewReplacer("/", "\x00")
	pattern := flat.Replace(want)
	var matches []string
	for _, name := range k.ContextNames() {
		ok, err := path.Match(pattern, flat.Replace(name))
		if err != nil {
			return nil, fmt.Errorf("--contexts %s is not a valid pattern: it knows *, ?, [a-z] and \\ to quote", quote(want))
		}
		if ok {
			matches = append(matches, name)
		}
	}
	if len(matches) == 0 {
		return nil, fmt.Errorf("no context matches %s: %s", quote(want), k.howToList())
	}
	return matches, nil
}

func (k *Kubeconfig) unknown(name string) error {
	near := nearest(name, k.ContextNames(), 5)
	if len(near) == 0 {
		return fmt.Errorf("context %s does not exist: %s", quote(name), k.howToList())
	}
	for i := range near {
		near[i] = quote(near[i])
	}
	return fmt.Errorf("context %s does not exist: did you mean %s?", quote(name), strings.Join(near, ", "))
}

func (k *Kubeconfig) howToList() string {
	if n := len(k.raw.Contexts); n != 1 {
		return fmt.Sprintf("the kubeconfig has %d others, list them with kubectl config get-contexts", n)
	}
	return fmt.Sprintf("the kubeconfig has only %s", quote(k.ContextNames()[0]))
}

// quote puts a name in quotes without changing it more than is needed to show it.
func quote(name string) string { return `"` + printable.Line(name) + `"` }

// nearest returns at most limit of the names that look like what was meant:
// those that contain it or are contained in it, and those few edits away.
func nearest(want string, names []string, limit int) []string {
	type candidate struct {
		name     string
		distance int
	}
	var near []candidate
	low := strings.ToLower(want)
	for _, name := range names {
		other := strings.ToLower(name)
		distance := edits([]rune(low), []rune(other))
		contained := len(low) > 1 && strings.Contains(other, low) || len(other) > 1 && strings.Contains(low, other)
		if contained || distance <= max(2, len(low)/4) {
			near = append(near, candidate{name, distance})
		}
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	var out []string
	for _, c := range near[:min(limit, len(near))] {
		out = append(out, c.name)
	}
	return out
}

// edits is the Levenshtein distance: the insertions, deletions and
// substitutions that make b of a.
func edits(a, b []rune) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j, y := range b {
			cost := diagonal
			if x != y {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
