package fleet

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/similar"
)

// Expand turns names and patterns, as --contexts takes them, into those of the
// names that they mean, in the order wanted and without repetition, a pattern's
// matches sorted. One that begins with "!" leaves out what it means; if all do, it is left out
// of all names. A name that is not among them, and a pattern that matches none, is an error; where
// says in it what the names are those of.
func Expand(wanted, names []string, where string) ([]string, error) {
	return known{names: names, where: where, list: strings.Join(names, ", ")}.expand(wanted)
}

// known are the names that exist.
type known struct {
	names []string
	where string // what has these names
	list  string // what they are, or how to list them
}

// known are the contexts of the kubeconfig.
func (k *Kubeconfig) known() known {
	return known{names: k.ContextNames(), where: "the kubeconfig", list: "list them with kubectl config get-contexts"}
}

func (k known) expand(wanted []string) ([]string, error) {
	var names, without []string
	chosen := false
	for _, want := range wanted {
		want, not := strings.CutPrefix(strings.TrimSpace(want), "!")
		if want == "" {
			return nil, errors.New("--contexts has an empty name: give names separated by one comma each")
		}
		matches, err := k.matching(want)
		if err != nil {
			return nil, err
		}
		if not {
			without = append(without, matches...)
			continue
		}
		chosen = true
		for _, name := range matches {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if !chosen {
		names = slices.Clone(k.names)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(without, name) })
	if len(names) == 0 {
		return nil, errors.New("--contexts leaves out every context that it names: name one that is to be looked at")
	}
	return names, nil
}

// matching returns the context called want, else those that it matches as a pattern.
func (k known) matching(want string) ([]string, error) {
	if slices.Contains(k.names, want) {
		return []string{want}, nil
	}
	if !strings.ContainsAny(want, `*?[\`) {
		return nil, k.unknown(want)
	}
	// Context names are not paths: "/" is as good as any other character.
	flat := strings.NewReplacer("/", "\x00")
	pattern := flat.Replace(want)
	var matches []string
	for _, name := range k.names {
		ok, err := path.Match(pattern, flat.Replace(name))
		if err != nil {
			return nil, fmt.Errorf("--contexts %s is not a valid pattern: it knows *, ?, [a-z] and \\ to quote", quote(want))
		}
		if ok {
			matches = append(matches, name)
		}
	}
	if len(matches) == 0 {
		return nil, fmt.Errorf("no context matches %s: %s", quote(want), k.others())
	}
	slices.Sort(matches)
	return matches, nil
}

func (k known) unknown(name string) error {
	near := similar.Names(name, k.names, 5)
	if len(near) == 0 {
		return fmt.Errorf("context %s does not exist: %s", quote(name), k.others())
	}
	for i := range near {
		near[i] = quote(near[i])
	}
	return fmt.Errorf("context %s does not exist: did you mean %s?", quote(name), strings.Join(near, ", "))
}

func (k known) others() string {
	if len(k.names) == 1 {
		return fmt.Sprintf("%s has only %s", k.where, quote(k.names[0]))
	}
	return fmt.Sprintf("%s has %d others, %s", k.where, len(k.names), k.list)
}

// quote puts a name in quotes without changing it more than is needed to show it.
func quote(name string) string { return `"` + printable.Line(name) + `"` }
