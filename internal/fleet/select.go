package fleet

import (
	"cmp"
	"errors"
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
		if names, err = k.known().expand(k.flags.Contexts); err != nil {
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
		return Member{}, k.known().unknown(name)
	}
	return k.member(name, true), nil
}

func (k *Kubeconfig) currentName() string {
	return cmp.Or(k.flags.Context, k.raw.CurrentContext)
}
