package survey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// times are those of watches.
type times struct {
	// opening is how long a server may take to begin its answer.
	opening time.Duration
	// A watch that ended is opened again after a pause, which doubles where it did not last.
	shortest, longest, lasting time.Duration
	// steady is how long one has to be open that was in trouble, until it is taken to be well.
	steady time.Duration
	// refused is how long a watch that is forbidden is not tried again.
	refused time.Duration
}

var usualTimes = times{
	opening: 10 * time.Second, shortest: time.Second, longest: 30 * time.Second, lasting: 10 * time.Second, steady: 2 * time.Second,
	refused: time.Minute,
}

// mostShort is how often a watch may end at once before that is trouble: an API server that stops does it, and one behind
// a proxy that holds answers back until they end does it always.
const mostShort = 3

// mostEvent bounds one event of a watch, in bytes: etcd stores no object that is larger than 1.5 MB.
const mostEvent = 8 << 20

// Watcher hears when something changes in one cluster of what rows read of it. A watch is a signal, and nothing
// else: of each object that changes the API server sends its metadata, of which only the version is looked at.
// What the objects are then is read as ever, by Read.
type Watcher struct {
	context context.Context
	cluster Cluster
	api     *API
	changed func()
	times   times
	running sync.WaitGroup

	mu      sync.Mutex
	stops   map[target]context.CancelFunc
	trouble map[target]error
}

// target is what one watch is about.
type target struct {
	group, version, resource string
	namespace                string
	labels, fields           string
	// single: there is at most one object, so that nobody needs to list what there is before.
	single bool
	// system is the namespace that is watched where the user may not watch all; "" for none.
	system string
}

// Watch prepares the watches of a cluster, which end with ctx. changed is called whenever something may have changed,
// and returns at once.
func Watch(ctx context.Context, cluster Cluster, changed func()) (*Watcher, error) {
	api, err := Connect(cluster.Config)
	if err != nil {
		return nil, err
	}
	api.wire.unlimited()
	return &Watcher{
		context: ctx, cluster: cluster, api: api, changed: changed, times: usualTimes,
		stops: map[target]context.CancelFunc{}, trouble: map[target]error{},
	}, nil
}

// Follow watches what rows read of the cluster, as its facts have them: what is not there, or may not be read, is
// not watched. Each new watch says once that something changed: what did between the reading and its begin is
// not known.
func (w *Watcher) Follow(c *facts.Cluster, rows resource.Set) {
	wanted := targetsOf(c, rows)
	w.mu.Lock()
	defer w.mu.Unlock()
	for t, stop := range w.stops {
		if !slices.Contains(wanted, t) {
			stop()
			delete(w.stops, t)
			delete(w.trouble, t)
		}
	}
	for _, t := range wanted {
		if w.stops[t] != nil {
			continue
		}
		ctx, stop := context.WithCancel(w.context)
		w.stops[t] = stop
		w.running.Go(func() { w.run(ctx, t) })
	}
}

// Stop ends all watches.
func (w *Watcher) Stop() {
	w.mu.Lock()
	for _, stop := range w.stops {
		stop()
	}
	w.mu.Unlock()
	w.running.Wait()
	w.api.Close()
}

// targetsOf are the watches for rows, none of which is a part of another one.
func targetsOf(c *facts.Cluster, rows resource.Set) []target {
	all := map[target]bool{}
	for _, row := range rows {
		about := row.About()
		state, _ := row.State(c)
		if !about.Watched() || state != facts.OK && (state != facts.Absent || about.Custom()) {
			continue
		}
		t := target{
			group: about.Group, version: about.Versions[0], resource: about.Resource, namespace: about.Namespace,
			labels: about.Labels, fields: about.Fields,
		}
		if served := row.Served(c); served != "" {
			t.version = served
		}
		switch {
		case about.Namespace != "":
		case about.Scope == resource.System:
			t.namespace = c.SystemNamespace
		case about.Scope == resource.ClusterElseSystem:
			t.system = c.SystemNamespace
		}
		if about.Object != "" {
			t.fields, t.single = "metadata.name="+about.Object, true
		}
		all[t] = true
	}
	var out []target
	for t := range all {
		whole := target{group: t.group, version: t.version, resource: t.resource}
		if t == whole || !all[whole] {
			out = append(out, t)
		}
	}
	return out
}

// run watches until ctx ends.
func (w *Watcher) run(ctx context.Context, t target) {
	from := "" // the version of the objects from which to go on
	short, gone := 0, false
	for pause := w.times.shortest; ; {
		began := time.Now()
		opened, err := w.once(ctx, t, &from)
		if ctx.Err() != nil {
			return
		}
		lasted := time.Since(began)
		if lasted >= w.times.lasting && opened {
			pause = w.times.shortest
		}
		wait := pause
		pause = min(2*pause, w.times.longest)
		if opened {
			short++
			if lasted >= w.times.steady {
				short = 0
			}
			if err = nil; short > mostShort {
				err = errShort
			}
		}
		switch {
		case err == nil: // it ended, as all do
			gone = false
		case refused(err):
			wait = w.times.refused
			w.fail(t, err)
		case apierrors.IsNotFound(err) && fromAPIServer(err): // the kind was removed, which the next reading sees
			if !gone {
				gone = true
				w.changed()
			}
			wait = w.times.longest
		default:
			w.fail(t, err)
		}
		if !sleep(ctx, wait+rand.N(wait/4)) { // #nosec G404 -- clusters are not asked in step
			return
		}
	}
}

// errShort is a watch that is opened, and ends at once, again and again.
var errShort = errors.New("it ends at once")

// refused reports whether a server does not let somebody watch.
func refused(err error) bool {
	return fromAPIServer(err) && (apierrors.IsForbidden(err) || apierrors.IsMethodNotSupported(err))
}

// fail notes that a watch cannot be opened. That is heard once: somebody has to read the cluster from time to time, which
// may be gone.
func (w *Watcher) fail(t target, err error) {
	w.mu.Lock()
	known := w.stops[t] == nil || w.trouble[t] != nil
	if w.stops[t] != nil {
		w.trouble[t] = err
	}
	w.mu.Unlock()
	if !known {
		w.changed()
	}
}

// well notes that a watch is open.
func (w *Watcher) well(t target) {
	w.mu.Lock()
	was := w.trouble[t] != nil
	delete(w.trouble, t)
	w.mu.Unlock()
	if was {
		w.changed()
	}
}

// once opens a watch and hears its events until it ends. from is where it begins, "" for now, and then where the next
// one does.
func (w *Watcher) once(ctx context.Context, t target, from *string) (opened bool, err error) {
	c, err := w.api.client(t.group, t.version)
	if err != nil {
		return false, err
	}
	fresh := *from == ""
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	late := time.AfterFunc(w.times.opening, cancel)
	stream, err := w.open(ctx, c, &t, from)
	if !late.Stop() && err != nil {
		return false, errSlow
	}
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) { // it ends before it begins
		*from = ""
		return true, err
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = stream.Close() }()
	if fresh {
		w.changed()
	}
	steady := time.AfterFunc(w.times.steady, func() { w.well(t) })
	defer steady.Stop()
	return true, w.hear(stream, from)
}

// errSlow is a watch that did not begin in time.
var errSlow = errors.New("no answer in time")

// open asks for the events that follow what there is.
func (w *Watcher) open(ctx context.Context, c rest.Interface, t *target, from *string) (io.ReadCloser, error) {
	stream, err := watch(ctx, c, *t, from)
	if t.system != "" && apierrors.IsForbidden(err) && fromAPIServer(err) {
		part := *t
		part.namespace = t.system
		return watch(ctx, c, part, from)
	}
	return stream, err
}

func watch(ctx context.Context, c rest.Interface, t target, from *string) (io.ReadCloser, error) {
	if *from == "" && !t.single {
		version, err := newest(ctx, c, t)
		if err != nil {
			return nil, err
		}
		*from = version
	}
	options := t.options()
	options.Watch, options.AllowWatchBookmarks, options.ResourceVersion = true, true, *from
	return with(t.request(c), options).SetHeader("Accept", metadataOfOne).MaxRetries(0).Stream(ctx)
}

func (t target) request(c rest.Interface) *rest.Request {
	return c.Get().NamespaceIfScoped(t.namespace, t.namespace != "").Resource(t.resource)
}

func (t target) options() metav1.ListOptions {
	return metav1.ListOptions{LabelSelector: t.labels, FieldSelector: t.fields}
}

// newest is the version of the objects that there are now.
func newest(ctx context.Context, c rest.Interface, t target) (string, error) {
	options := t.options()
	options.Limit = 1
	text, err := Raw(Do(ctx, with(t.request(c), options).SetHeader("Accept", onlyMetadata)))
	if err != nil {
		return "", err
	}
	var page metav1.PartialObjectMetadataList
	if json.Unmarshal(text, &page) != nil || page.ResourceVersion == "" {
		return "", fmt.Errorf("the list of %s has no version", t.resource)
	}
	return page.ResourceVersion, nil
}

// event is what is looked at of an event: the version of the object, and what an error says.
type event struct {
	Type   string `json:"type"`
	Object struct {
		Metadata struct {
			ResourceVersion string `json:"resourceVersion"`
		} `json:"metadata"`
	} `json:"object"`
}

// hear reads events until the stream ends.
func (w *Watcher) hear(stream io.Reader, from *string) error {
	part := &io.LimitedReader{R: stream}
	decoder := json.NewDecoder(part)
	for {
		part.N = mostEvent
		var e event
		if err := decoder.Decode(&e); err != nil {
			return err
		}
		switch e.Type {
		case "BOOKMARK":
		case "ADDED", "MODIFIED", "DELETED":
			w.changed()
		default: // mostly that the version is too old: what changed meanwhile is not known
			*from = ""
			return errEvent
		}
		*from = e.Object.Metadata.ResourceVersion
	}
}

// errEvent is an event that says that there is something wrong with the watch.
var errEvent = errors.New("the watch ended with an error")

// Trouble is what of a cluster is not watched.
type Trouble struct {
	// Refused are the resources that the user may not watch, or the server lets nobody watch.
	Refused []string
	// Broken are those whose watch could not be opened, and Err why not.
	Broken []string
	Err    error
}

// None reports whether all is watched.
func (t Trouble) None() bool { return len(t.Refused)+len(t.Broken) == 0 }

// Trouble is what is not watched now.
func (w *Watcher) Trouble() Trouble {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out Trouble
	names := func(of map[target]error, refusals bool) []string {
		seen := map[string]bool{}
		for t, err := range of {
			if refused(err) == refusals {
				seen[resource.Right{Group: t.group, Resource: t.resource}.Called()] = true
				if !refusals && (out.Err == nil || err.Error() < out.Err.Error()) {
					out.Err = err
				}
			}
		}
		return slices.Sorted(maps.Keys(seen))
	}
	out.Refused, out.Broken = names(w.trouble, true), names(w.trouble, false)
	return out
}
