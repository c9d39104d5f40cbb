// Package survey reads what rules need of one cluster's API, all at once: the rows of the
// resource table that it is asked for. What a row does not keep is dropped on arrival.
package survey

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/serverurl"
)

// Cluster is the cluster to read.
type Cluster struct {
	// Context is the user's name for it.
	Context string
	// Config says how to reach it.
	Config *rest.Config
	// Namespace is the system namespace.
	Namespace string
	// Answers are those of its pods, where the cluster was read from files and cannot be asked; nil
	// for one that can.
	Answers podaccess.Answers
}

// Pod is an HTTP client all of whose requests go to one port of a pod, by a port-forward; or are answered by
// what the pod said earlier.
func (c Cluster) Pod(ctx context.Context, pod podaccess.Pod, port int) *http.Client {
	if c.Answers != nil {
		return podaccess.Replay(c.Answers, pod)
	}
	return podaccess.Client(ctx, c.Config, pod, port)
}

// ErrNoRights is returned by Read when the API server forbade everything.
var ErrNoRights = errors.New("the user may read none of what was asked for")

// Read asks a cluster for the rows, all at the same time: one round trip on an open
// connection, one more for each further page of a list, and for each older version in
// which a custom resource has to be asked for. Rows that are read later are passed over. What could
// not be read is noted in the facts. An error means that nothing was: the
// cluster was not reached, or ErrNoRights.
func Read(ctx context.Context, cluster Cluster, rows ...resource.Rows) (facts.Cluster, error) {
	out := facts.Cluster{Context: cluster.Context, Server: serverurl.Shown(cluster.Config.Host), SystemNamespace: cluster.Namespace}
	a, err := Connect(cluster.Config)
	if err != nil {
		return out, err
	}
	defer a.Close()
	r := NewReader(ctx)
	var reads []*RowRead
	asked := map[resource.Resource]*RowRead{}
	for _, row := range withConditions(resource.Join(rows...)) {
		if !row.About().Later {
			asked[row] = r.rowWhere(a, row, cluster.Namespace, row.About().Object, asked[row.About().Where])
			reads = append(reads, asked[row])
		}
	}
	err = r.Finish()
	for _, read := range reads {
		read.Store(&out)
	}
	return out, err
}

// withConditions are rows with those that tell whether they are read, which come first.
func withConditions(rows resource.Set) resource.Set {
	var first resource.Set
	for _, row := range rows {
		if where := row.About().Where; where != nil {
			first = append(first, where)
		}
	}
	return resource.Join(first, rows)
}

// RowRead is the read of a row, or of one object of it.
type RowRead struct {
	row resource.Resource
	facts.Read[resource.Intake]
	// done is closed when it ended; found then says whether there was something.
	done  chan struct{}
	found bool
	// served is the version in which it was read, where that is not the first.
	served string
}

// Row reads a row beside the others. system is the system namespace, and name that of the
// one object to read; "" for a list.
func (r *Reader) Row(a *API, row resource.Resource, system, name string) *RowRead {
	return r.rowWhere(a, row, system, name, nil)
}

// rowWhere is Row for a row that is read only where another read finds something; nil for
// one that is read in any case.
func (r *Reader) rowWhere(a *API, row resource.Resource, system, name string, where *RowRead) *RowRead {
	out := &RowRead{row: row, done: make(chan struct{})}
	beside(r, &out.Read, row.About().Path == "", func() (resource.Intake, error) {
		defer close(out.done)
		if where != nil {
			if <-where.done; !where.found {
				return nil, errIdle
			}
		}
		in, served, err := a.row(r.ctx, row, system, name)
		out.found, out.served = err == nil && in.Taken(), served
		return in, err
	})
	return out
}

// errIdle is the end of a read that was not needed.
var errIdle = errors.New("there is nothing to read")

// Store puts what became of the read into the facts.
func (r *RowRead) Store(c *facts.Cluster) {
	if r.State == facts.OK {
		r.Value.Store(c)
		if r.served != "" {
			r.row.SetServed(c, r.served)
		}
		return
	}
	r.row.SetState(c, r.State, r.Reason)
}

// Reader runs reads side by side.
type Reader struct {
	ctx context.Context
	sync.WaitGroup
	mu       sync.Mutex
	answered bool  // the API server granted a request, or said that there is no such thing
	refused  bool  // it forbade one
	failure  error // anything else
}

// NewReader makes a reader whose reads end with ctx.
func NewReader(ctx context.Context) *Reader { return &Reader{ctx: ctx} }

// Beside runs one read beside the others and notes its outcome.
func Beside[T any](r *Reader, into *facts.Read[T], ask func() (T, error)) { beside(r, into, true, ask) }

// beside is Beside. counts: an answer shows that the user has rights in the cluster. What is no
// resource, such as the version and the list of groups, is for everybody who may log in, and a
// server that is none of Kubernetes may answer there as well.
func beside[T any](r *Reader, into *facts.Read[T], counts bool, ask func() (T, error)) {
	r.Go(func() {
		value, err := guarded(ask)
		if errors.Is(err, errIdle) {
			return
		}
		*into = Outcome(value, err)
		r.mu.Lock()
		defer r.mu.Unlock()
		switch into.State {
		case facts.OK, facts.Absent:
			r.answered = r.answered || counts
		case facts.Forbidden:
			r.refused = true
		default:
			if r.failure == nil {
				r.failure = err
			}
		}
	})
}

// panicError is a panic in a read: a fault of ours, which costs that read alone.
type panicError struct{ value any }

func (e *panicError) Error() string {
	return printable.Line(fmt.Sprintf("internal error: %v; please report this", e.value))
}

// guarded is what ask returns, and an error where it panics.
func guarded[T any](ask func() (T, error)) (value T, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{v}
		}
	}()
	return ask()
}

// Outcome is what a read comes to that ended with a value or an error.
func Outcome[T any](value T, err error) facts.Read[T] {
	switch {
	case err == nil:
		return facts.Read[T]{State: facts.OK, Value: value}
	case !fromAPIServer(err):
		return facts.Read[T]{State: facts.Failed, Reason: ReasonOf(err)}
	case apierrors.IsNotFound(err):
		return facts.Read[T]{State: facts.Absent}
	case apierrors.IsForbidden(err):
		return facts.Read[T]{State: facts.Forbidden, Reason: "forbidden"}
	case errors.Is(err, context.DeadlineExceeded):
		return facts.Read[T]{State: facts.Failed, Reason: "no answer in time"}
	default:
		return facts.Read[T]{State: facts.Failed, Reason: ReasonOf(err)}
	}
}

// fromAPIServer reports whether an error is not the page of some other server,
// which may well answer 404 or 403 too.
func fromAPIServer(err error) bool {
	return !apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}

// ReasonOf keeps of an error what the API server said, without the address that
// client-go puts before it.
func ReasonOf(err error) string {
	var redirect *RedirectError
	var crash *panicError
	var wrong *wrongAnswer
	switch {
	case errors.As(err, &wrong):
		return wrong.Error()
	case errors.As(err, &crash):
		return crash.Error()
	case errors.As(err, &redirect):
		return redirect.Error()
	case errors.Is(err, errTooLarge):
		return errTooLarge.Error()
	case errors.Is(err, errEndless):
		return errEndless.Error()
	}
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		return fmt.Sprintf("the API server answered %d %s", status.Status().Code, status.Status().Reason)
	}
	return "the request failed"
}

// Finish waits for all, and returns an error when none of the reads was answered.
func (r *Reader) Finish() error {
	r.Wait()
	switch {
	case r.answered:
		return nil
	case r.failure != nil:
		return r.failure
	case r.refused:
		return ErrNoRights
	default:
		return nil
	}
}
