package resource

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/kinds"
)

// Row is a row of the table; V is what the facts hold of it: one object, or a list.
type Row[V any] struct {
	facts.Key[V]
	about   About
	object  func() runtime.Object
	list    func() runtime.Object
	belongs func(*facts.Cluster, runtime.Object) bool
	shows   func(runtime.Object) bool
	typed   func(runtime.Object) bool
	trim    func(runtime.Object) runtime.Object
	intake  func() taker[V]
	each    func(V, func(runtime.Object))
	// empty is the state of a read that found nothing.
	empty facts.State
}

// taker collects the value of a row.
type taker[V any] struct {
	take  func(runtime.Object) error
	value func() V
	order func()
	// list is the pointer to the list that grows; nil where there is none.
	list any
}

// Object is a type of objects by its pointer.
type Object[T any] interface {
	*T
	runtime.Object
}

// Belonging says which objects a row holds. Shows is whether an object in a folder shows
// that the row's are there: any object of the kind where it is nil.
type Belonging[P runtime.Object] struct {
	Belongs func(*facts.Cluster, P) bool
	Shows   func(P) bool
}

// One is a row of one object.
func One[L, T any, PL Object[L], P Object[T]](about About, b Belonging[P], trim func(P) P) *Row[P] {
	row := newRow[P, L, T, PL, P](about, b, facts.Absent)
	row.intake = func() taker[P] {
		var kept P
		return taker[P]{
			take:  taking(func(o P) { kept = trim(o) }),
			value: func() P { return kept },
			order: func() {},
		}
	}
	row.each = func(v P, use func(runtime.Object)) { use(v) }
	row.trim = func(o runtime.Object) runtime.Object { return trim(o.(P)) }
	return row
}

// List is a row of a list of objects.
func List[L, T any, PL Object[L], P Object[T]](about About, b Belonging[P], trim func(P) P) *Row[[]T] {
	return Made[L, T, T, PL, P](about, b, func() func(P) *T {
		return func(o P) *T { return trim(o) }
	}, func(t *T) P { return t })
}

// All is a row of all objects of a kind.
func All[L, T any, PL Object[L], P Object[T]](about About, trim func(P) P) *Row[[]T] {
	return List[L, T, PL, P](about, Belonging[P]{}, trim)
}

// Made is a row of what objects are made into. keep makes the function that keeps of an
// object what rules read, once for each read; object is what gives it again.
func Made[L, T, O any, PL Object[L], P Object[T]](about About, b Belonging[P], keep func() func(P) *O, object func(*O) P) *Row[[]O] {
	row := newRow[[]O, L, T, PL, P](about, b, facts.OK)
	row.intake = func() taker[[]O] {
		var out []O
		var seen sequence
		trim := keep()
		return taker[[]O]{
			take: taking(func(o P) {
				seen.next(o)
				out = append(out, *trim(o))
			}),
			value: func() []O { return out },
			order: func() {
				if seen.disordered {
					out = ordered(out, func(o *O) runtime.Object { return object(o) }, !about.Filtered)
				}
			},
			list: &out,
		}
	}
	row.each = func(values []O, use func(runtime.Object)) {
		for i := range values {
			use(object(&values[i]))
		}
	}
	row.trim = func(o runtime.Object) runtime.Object { return object(keep()(o.(P))) }
	return row
}

// Grouped is a row of which one object is several values: trim is what is kept of an object,
// values are those of a trimmed one, and objects what gives values again.
func Grouped[L, T, O any, PL Object[L], P Object[T]](
	about About, b Belonging[P], trim func(P) P, values func(P) []O, objects func([]O) []P,
) *Row[[]O] {
	row := newRow[[]O, L, T, PL, P](about, b, facts.OK)
	row.intake = func() taker[[]O] {
		var out []O
		return taker[[]O]{
			take:  taking(func(o P) { out = append(out, values(trim(o))...) }),
			value: func() []O { return out },
			order: func() {},
		}
	}
	row.each = func(values []O, use func(runtime.Object)) {
		for _, o := range objects(values) {
			use(o)
		}
	}
	row.trim = func(o runtime.Object) runtime.Object { return trim(o.(P)) }
	return row
}

func newRow[V, L, T any, PL Object[L], P Object[T]](about About, b Belonging[P], empty facts.State) *Row[V] {
	row := &Row[V]{Key: facts.NewKey[V](), about: about, empty: empty}
	row.object, row.list = func() runtime.Object { return P(new(T)) }, func() runtime.Object { return PL(new(L)) }
	row.belongs = func(c *facts.Cluster, o runtime.Object) bool {
		object, ok := o.(P)
		return ok && (b.Belongs == nil || b.Belongs(c, object))
	}
	row.shows = func(o runtime.Object) bool {
		object, ok := o.(P)
		return ok && (b.Shows == nil || b.Shows(object))
	}
	row.typed = func(o runtime.Object) bool {
		_, ok := o.(P)
		return ok
	}
	if about.Custom() {
		kinds.Register(about.Group, about.Versions, about.Kind, P(new(T)), PL(new(L)))
	}
	return row
}

// taking is use for objects of its type; others are an error.
func taking[P runtime.Object](use func(P)) func(runtime.Object) error {
	return func(o runtime.Object) error {
		object, ok := o.(P)
		if !ok {
			return fmt.Errorf("the list holds an object of type %T", o)
		}
		use(object)
		return nil
	}
}

// ordered puts values into the order of their objects' names, or leaves them in theirs; each once.
func ordered[O any](values []O, object func(*O) runtime.Object, sorted bool) []O {
	keys := make([]string, len(values))
	for i := range values {
		keys[i] = Key(object(&values[i]))
	}
	order := orderOf(keys, sorted)
	out := make([]O, len(order))
	for i, at := range order {
		out[i] = values[at]
	}
	return out
}

// orderOf is where the values with some keys go: the places from which they come, each key once. It is not
// generic, as sorting would be there once for each row.
func orderOf(keys []string, sorted bool) []int {
	order, seen := make([]int, 0, len(keys)), make(map[string]bool, len(keys))
	for i, key := range keys {
		if !seen[key] {
			seen[key] = true
			order = append(order, i)
		}
	}
	if sorted {
		slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(keys[a], keys[b]) })
	}
	return order
}

// sequence tells whether objects come in the order of Key, each once, as API servers list them.
type sequence struct {
	disordered bool
	any        bool
	last       place
}

func (s *sequence) next(o runtime.Object) {
	at := placeOf(o)
	s.disordered = s.disordered || s.any && !s.last.before(at)
	s.last, s.any = at, true
}

// place is where an object stands among those of its kind.
type place struct{ namespace, name string }

func placeOf(o runtime.Object) place {
	m, err := meta.Accessor(o)
	if err != nil {
		return place{}
	}
	return place{m.GetNamespace(), m.GetName()}
}

// before reports whether a place comes before another one, by Key.
func (p place) before(o place) bool {
	if p.namespace == o.namespace {
		return p.name < o.name
	}
	return p.namespace+"/" < o.namespace+"/"
}

// Key tells the objects of one kind apart: the namespace and the name.
func Key(o runtime.Object) string {
	at := placeOf(o)
	return at.namespace + "/" + at.name
}

// Rows is the row itself.
func (r *Row[V]) Rows() []Resource { return []Resource{r} }

// About says what the row is of.
func (r *Row[V]) About() *About { return &r.about }

// NewObject is an empty object of the kind.
func (r *Row[V]) NewObject() runtime.Object { return r.object() }

// NewList is an empty list of the kind.
func (r *Row[V]) NewList() runtime.Object { return r.list() }

// Belongs reports whether an object is one of those that the row holds of a cluster.
func (r *Row[V]) Belongs(c *facts.Cluster, o runtime.Object) bool { return r.belongs(c, o) }

// Shows reports whether an object in a folder shows that the row's are in it.
func (r *Row[V]) Shows(o runtime.Object) bool { return r.shows(o) }

// Trim is what is kept of an object; nil for one of another kind.
func (r *Row[V]) Trim(o runtime.Object) runtime.Object {
	if !r.typed(o) {
		return nil
	}
	return r.trim(o)
}

// Each hands over what a cluster's facts hold, as objects, one after another.
func (r *Row[V]) Each(c *facts.Cluster, use func(runtime.Object)) {
	if read := r.Of(c); read.State == facts.OK || r.empty != facts.Absent {
		r.each(read.Value, use)
	}
}

// Objects are those of Each.
func (r *Row[V]) Objects(c *facts.Cluster) []runtime.Object {
	var out []runtime.Object
	r.Each(c, func(o runtime.Object) { out = append(out, o) })
	return out
}

// Empty is the state of a read that found nothing: an object is absent, a list has no items.
func (r *Row[V]) Empty() facts.State { return r.empty }

// Read is the whole read.
func (r *Row[V]) Read(c *facts.Cluster) any { return r.Of(c) }

// State is what became of the read, and why.
func (r *Row[V]) State(c *facts.Cluster) (facts.State, string) {
	read := r.Of(c)
	return read.State, read.Reason
}

// SetState says what became of the read; only what was read keeps a value.
func (r *Row[V]) SetState(c *facts.Cluster, state facts.State, reason string) {
	read := facts.Read[V]{State: state, Reason: reason}
	if state == facts.OK {
		was := r.Of(c)
		read.Value, read.Served = was.Value, was.Served
	}
	r.Set(c, read)
}

// Served is the version of the API in which it was read, where that is not the first that is asked for.
func (r *Row[V]) Served(c *facts.Cluster) string { return r.Of(c).Served }

// SetServed says in which version of the API it was read.
func (r *Row[V]) SetServed(c *facts.Cluster, version string) { r.Edit(c).Served = version }

// SetFailed says that the read failed, and leaves what there is of it.
func (r *Row[V]) SetFailed(c *facts.Cluster, reason string) {
	read := r.Edit(c)
	read.State, read.Reason = facts.Failed, reason
}

// Copy puts what was read of one cluster into the facts of another.
func (r *Row[V]) Copy(to, from *facts.Cluster) { r.Set(to, r.Of(from)) }

// String is what people call it, in the plural.
func (r *Row[V]) String() string { return r.about.Name }

// Intake takes in the objects of one read of a cluster.
func (r *Row[V]) Intake(c *facts.Cluster) Intake {
	return &intake[V]{taker: r.intake(), row: r, cluster: c}
}

type intake[V any] struct {
	taker[V]
	row     *Row[V]
	cluster *facts.Cluster
	taken   bool
}

func (i *intake[V]) Take(o runtime.Object) error {
	if i.row.about.Filtered && !i.row.Belongs(i.cluster, o) {
		return nil
	}
	i.taken = true
	return i.take(o)
}

func (i *intake[V]) Expect(more int) {
	if i.list != nil && !i.row.about.Filtered {
		expect(i.list, more)
	}
}

// mostExpected bounds the room that is made, in objects for each that came: a server may say anything.
const mostExpected = 8

// expect makes room in a list for so many more. It is not generic, as that would be there once for each row.
func expect(list any, more int) {
	if l := reflect.ValueOf(list).Elem(); more > 0 {
		l.Grow(min(more, mostExpected*l.Len()))
	}
}

func (i *intake[V]) Taken() bool { return i.taken }

func (i *intake[V]) Order() { i.order() }

func (i *intake[V]) Store(c *facts.Cluster) {
	i.row.Set(c, facts.Read[V]{State: facts.OK, Value: i.value()})
}
