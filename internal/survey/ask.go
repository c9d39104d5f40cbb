package survey

import (
	"context"
	"errors"
)

// ErrDump is why clusters of a dump cannot be asked anything more.
var ErrDump = errors.New("the clusters were read from a dump, and cannot be asked")

// Answer is what one cluster said: a value, or an error, which is ErrDump or
// a *fleet.MemberError. Value is what the function returned, also beside an error.
type Answer[T any] struct {
	Value T
	Err   error
}

// Asker asks clusters of a fleet something more than was read of them, side by side and
// each within the time that the user allows. It returns the answers by context; contexts
// that are not of the fleet have none.
type Asker interface {
	AskEach(ctx context.Context, contexts []string, ask func(context.Context, Cluster) (any, error)) map[string]Answer[any]
	// Dumped reports whether the fleet was read from files, so that its API servers cannot be
	// asked: the answers are ErrDump, but for what pods said when the files were written.
	Dumped() bool
}

// Recorded reports whether questions of pods can be asked of a fleet that was read from files: of a
// cluster some of them said something.
func Recorded(by Asker) bool {
	r, ok := by.(interface{ Recorded() bool })
	return ok && by.Dumped() && r.Recorded()
}

// Mute reports whether no cluster can be asked anything.
func Mute(by Asker) bool { return by.Dumped() && !Recorded(by) }

// Ask is AskEach with answers of one type.
func Ask[T any](ctx context.Context, by Asker, contexts []string, ask func(context.Context, Cluster) (T, error)) map[string]Answer[T] {
	out := map[string]Answer[T]{}
	for name, a := range by.AskEach(ctx, contexts, func(ctx context.Context, c Cluster) (any, error) { return ask(ctx, c) }) {
		value, _ := a.Value.(T) // nil of one that was not asked
		out[name] = Answer[T]{Value: value, Err: a.Err}
	}
	return out
}
