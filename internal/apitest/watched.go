package apitest

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/kinds"
)

// Watched is the handler of an API server whose objects change while it serves, and that tells those who watch: the
// metadata of what changed, as API servers do where no more is asked for.
type Watched struct {
	// Before sees every request first, and returns true when it has answered it.
	Before func(http.ResponseWriter, *http.Request) bool

	mu      sync.Mutex
	objects []runtime.Object
	events  []change
	opened  int
	streams map[chan struct{}]bool // of those who watch; closed to end them
	news    *sync.Cond
}

// change is what happened at a version, which is its place among the changes.
type change struct {
	kind   string
	object runtime.Object
}

// NewWatched is a server with objects.
func NewWatched(objects ...runtime.Object) *Watched {
	w := &Watched{objects: objects, streams: map[chan struct{}]bool{}}
	w.news = sync.NewCond(&w.mu)
	return w
}

// Put puts an object in the place of the one of its name, or beside the others.
func (w *Watched) Put(o runtime.Object) { w.change(o, "MODIFIED") }

// Delete takes away an object of that name.
func (w *Watched) Delete(o runtime.Object) { w.change(o, "DELETED") }

func (w *Watched) change(o runtime.Object, kind string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := func(o runtime.Object) string {
		m, err := meta.Accessor(o)
		if err != nil {
			return ""
		}
		return m.GetNamespace() + "/" + m.GetName()
	}
	same := func(other runtime.Object) bool { return sameKind(o, other) && id(o) == id(other) }
	at := slices.IndexFunc(w.objects, same)
	w.objects = slices.Clone(w.objects) // those that a request has are its own
	switch {
	case kind == "DELETED":
		w.objects = slices.DeleteFunc(w.objects, same)
	case at >= 0:
		w.objects[at] = o
	default:
		w.objects, kind = append(w.objects, o), "ADDED"
	}
	w.events = append(w.events, change{kind, o})
	w.news.Broadcast()
}

func sameKind(a, b runtime.Object) bool {
	kindOf := func(o runtime.Object) string {
		gvks, _, err := kinds.Scheme().ObjectKinds(o)
		if err != nil {
			return ""
		}
		return gvks[0].String()
	}
	return kindOf(a) == kindOf(b)
}

// Break ends all watches.
func (w *Watched) Break() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for s := range w.streams {
		close(s)
	}
	clear(w.streams)
	w.news.Broadcast()
}

// Watches is how many there are now, and Opened how many there were.
func (w *Watched) Watches() (now, opened int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.streams), w.opened
}

// ServeHTTP answers one request.
func (w *Watched) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // before that a server does not see its client go
	if w.Before != nil && w.Before(out, r) {
		return
	}
	if r.URL.Query().Get("watch") == "true" {
		w.watch(out, r)
		return
	}
	w.mu.Lock()
	s := Server{Objects: w.objects, version: strconv.Itoa(len(w.events) + 1)}
	w.mu.Unlock()
	s.ServeHTTP(out, r)
}

func (w *Watched) watch(out http.ResponseWriter, r *http.Request) {
	q, ok := parse(r.URL.Path)
	labelled, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	named, err2 := fields.ParseSelector(r.URL.Query().Get("fieldSelector"))
	if !ok || err != nil || err2 != nil {
		Refuse(out, http.StatusNotFound, metav1.StatusReasonNotFound)
		return
	}
	end := make(chan struct{})
	w.mu.Lock()
	from := len(w.events)
	if given, err := strconv.Atoi(r.URL.Query().Get("resourceVersion")); err == nil {
		from = given - 1
	}
	w.streams[end] = true
	w.opened++
	w.mu.Unlock()
	stop := make(chan struct{})
	go func() {
		select {
		case <-r.Context().Done():
		case <-stop:
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.streams, end)
		w.news.Broadcast()
	}()
	defer close(stop)
	out.Header().Set("Content-Type", "application/json")
	flush := http.NewResponseController(out).Flush
	for out.WriteHeader(http.StatusOK); ; {
		if flush() != nil {
			return
		}
		w.mu.Lock()
		for from == len(w.events) && w.streams[end] {
			w.news.Wait()
		}
		over := !w.streams[end]
		news := w.events[min(from, len(w.events)):]
		first := from + 2 // the version after the first of the news
		from = len(w.events)
		w.mu.Unlock()
		if over {
			return
		}
		for i, c := range news {
			if len((&Server{Objects: []runtime.Object{c.object}}).find(q, labelled, named)) == 0 {
				continue
			}
			m, err := meta.Accessor(c.object)
			if err != nil {
				return
			}
			text, err := json.Marshal(map[string]any{"type": c.kind, "object": map[string]any{
				"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": map[string]any{
					"namespace": m.GetNamespace(), "name": m.GetName(), "resourceVersion": strconv.Itoa(first + i),
				},
			}})
			if err != nil {
				return
			}
			if _, err := out.Write(append(text, '\n')); err != nil {
				return
			}
		}
	}
}
