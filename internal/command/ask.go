package command

import (
	"context"
	"errors"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/fleet"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// ErrDump is why clusters of a dump cannot be asked anything more.
var ErrDump = errors.New("the clusters were read from a dump, and cannot be asked")

// Answer is what one cluster said: a value, or an error, which is ErrDump or
// a *fleet.MemberError. Value is what the function returned, also beside an error.
type Answer[T any] struct {
	Value T
	Err   error
}

// Ask asks clusters of the fleet that Gather returned something more, side by side
// and each within --timeout, and returns the answers by context. Contexts that are
// not of the fleet have none.
func Ask[T any](ctx context.Context, f *Frame, contexts []string, ask func(context.Context, survey.Cluster) (T, error)) map[string]Answer[T] {
	out := map[string]Answer[T]{}
	if f.From != "" {
		for _, c := range contexts {
			out[c] = Answer[T]{Err: ErrDump}
		}
		return out
	}
	var members []fleet.Member
	for _, m := range f.members {
		if slices.Contains(contexts, m.Context) {
			members = append(members, m)
		}
	}
	read := func(ctx context.Context, m fleet.Member) (T, error) {
		config, err := m.Config()
		if err != nil {
			var none T
			return none, err
		}
		return ask(ctx, survey.Cluster{Context: m.Context, Config: config, Namespace: f.Namespace})
	}
	for _, r := range fleet.Each(ctx, members, f.Fleet.Timeout, f.progress, read) {
		out[r.Context] = Answer[T]{Value: r.Value, Err: r.Err}
	}
	return out
}
