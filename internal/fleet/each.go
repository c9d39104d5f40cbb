package fleet

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
)

// atOnce is how many clusters are asked at the same time: all of any fleet that
// one kubeconfig is likely to hold, and few enough for its open connections.
const atOnce = 64

// What of the files that a process may have open is for other things than clusters, and how many a
// cluster takes: a connection, and another one while that is closed or a port is forwarded.
const (
	otherFiles     = 16
	filesOfCluster = 2
)

// slotsFor is how many clusters are asked at the same time where so many files may be open; 0 is not
// known.
func slotsFor(files uint64) int {
	if files == 0 {
		return atOnce
	}
	return int(max(1, min(atOnce, (max(files, otherFiles)-otherFiles)/filesOfCluster))) // #nosec G115 -- it is at most atOnce
}

// Progress hears how far Each has come. Its methods are called from one
// goroutine.
type Progress interface {
	// Started says which clusters are about to be asked.
	Started(contexts []string)
	// Done says that one of them has its outcome.
	Done(context string)
}

// Result is the outcome of one cluster: a value, or an error, which is always a
// *MemberError. Value is what the function returned, also beside an error.
type Result[T any] struct {
	Member
	Value T
	Err   error
}

// Unreached says in plain words why there is no value; nil when there is one.
func (r Result[T]) Unreached() *facts.Unreached { return Classify(r.Err, r.Server) }

// MemberError is why one cluster has no value. It reads as a sentence for the
// user; what it wraps is the error itself.
type MemberError struct {
	Context string
	Server  string
	Err     error

	timeout   time.Duration // what the cluster was allowed
	abandoned bool          // the function was still running
	plugin    string        // command of its credential plugin
	said      string        // the last line which that wrote to stderr
	kuberc    string        // file with the plugin policy
}

func (e *MemberError) Error() string {
	return fmt.Sprintf("context %s: %s", quote(e.Context), Classify(e, e.Server).Reason)
}

func (e *MemberError) Unwrap() error { return e.Err }

// PanicError is a panic in the function that Each was given.
type PanicError struct {
	Value any
	Stack []byte // for a bug report; not part of Error
}

func (e *PanicError) Error() string { return "internal error: " + printable.Line(fmt.Sprint(e.Value)) }

// Each calls f for all members at once and returns their results in the
// members' order.
//
// Each member has timeout for itself, counted from when its f starts; 0 is no
// limit. It is for all calls together: what a member has taken in earlier ones it has
// not in this one, but for a fifth of timeout, in which it can still answer further
// questions after one that hung. The context that f is given ends a little before that,
// so that an f which heeds it can still return what it has. An f that does not heed it, such
// as one waiting for a hung credential plugin, is abandoned at the timeout with
// an error that wraps context.DeadlineExceeded; what it returns later is lost.
// When ctx ends, the members without result get its error at once. A panic in f
// is that member's *PanicError.
func Each[T any](
	ctx context.Context,
	members []Member,
	timeout time.Duration,
	progress Progress,
	f func(context.Context, Member) (T, error),
) []Result[T] {
	results := make([]Result[T], len(members))
	if len(members) == 0 {
		return results
	}
	if progress != nil {
		names := make([]string, len(members))
		for i, m := range members {
			names[i] = m.Context
		}
		progress.Started(names)
	}
	type numbered struct {
		i int
		Result[T]
	}
	done := make(chan numbered)
	slots := make(chan struct{}, slotsFor(mostFiles()))
	for i, m := range members {
		go func() {
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
			case <-ctx.Done():
			}
			done <- numbered{i, one(ctx, m, timeout, f)}
		}()
	}
	for range members {
		r := <-done
		results[r.i] = r.Result
		if progress != nil {
			progress.Done(r.Context)
		}
	}
	return results
}

// one runs f for one member, for no longer than timeout.
func one[T any](ctx context.Context, m Member, timeout time.Duration, f func(context.Context, Member) (T, error)) Result[T] {
	failure := &MemberError{Context: m.Context, Server: m.Server, timeout: timeout}
	left, err := m.left(timeout), ctx.Err()
	if err == nil && timeout > 0 && left <= 0 {
		err = context.DeadlineExceeded
	}
	if err != nil {
		failure.Err = err
		return Result[T]{Member: m, Err: failure}
	}
	defer m.spend(time.Now())
	var said *pluginStderr
	if m.access != nil {
		failure.plugin, failure.kuberc, said = m.access.plugin, m.access.kuberc, m.access.said
	}
	said.begin()

	outer, inner := ctx, ctx
	if timeout > 0 {
		var cancel context.CancelFunc
		outer, cancel = context.WithTimeout(ctx, left)
		defer cancel()
		inner, cancel = context.WithTimeout(outer, left-min(left/20, 250*time.Millisecond))
		defer cancel()
	}
	type returned struct {
		value T
		err   error
	}
	// Room for one, so that an f that comes back after it was abandoned ends.
	back := make(chan returned, 1)
	go func() {
		r := returned{err: errors.New("internal error: the function did not return")}
		defer func() {
			if v := recover(); v != nil {
				r = returned{err: &PanicError{Value: v, Stack: debug.Stack()}}
			}
			back <- r
		}()
		value, err := f(inner, m)
		r = returned{value, err}
	}()

	var r returned
	select {
	case r = <-back:
	case <-outer.Done():
		select {
		case r = <-back: // both at the same moment
		default:
			r.err, failure.abandoned = outer.Err(), true
		}
	}
	failure.said = said.end(r.err != nil)
	result := Result[T]{Member: m, Value: r.value}
	if failure.Err = r.err; r.err != nil {
		result.Err = failure
	}
	return result
}
