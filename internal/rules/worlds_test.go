package rules_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-mesh/kubectl-mesh/cases"
	"github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/kinds"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/linkerdtest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/reach"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rules"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// world is a fleet that is attacked: something in its documents is replaced or taken away.
type world struct {
	name     string
	at       time.Time
	clusters []worldCluster
	// seen is what was asked of Istio's control planes; nil where nothing was.
	seen *facts.Seen
}

// worldCluster is a cluster, with its objects as JSON has them.
type worldCluster struct {
	context, server, system string
	documents               []*document
}

// document is an object as JSON has it.
type document struct {
	value any
	// words are the strings in it, keys too.
	words  map[string]bool
	object runtime.Object // what value is decoded into; not to be changed
}

// table are the rows of all meshes.
func table() resource.Set {
	var out resource.Set
	for _, m := range rules.Meshes() {
		out = resource.Join(out, m.Table())
	}
	return out
}

// eachWorld attacks the fleets of all fixtures, one after the other; those of the corpus only where
// they are asked for.
func eachWorld(t *testing.T, corpus bool, attack func(*world)) {
	t.Helper()
	raw := func(name string, f *istiotest.Fleet) {
		w := &world{name: name, at: istiotest.Now}
		for _, c := range f.Clusters {
			objects := append(c.Objects(), &authorizationv1.SubjectAccessReview{Status: authorizationv1.SubjectAccessReviewStatus{Allowed: !c.ReaderDenied}})
			w.clusters = append(w.clusters, worldCluster{c.Name, c.Server, istiotest.System, documents(t, objects)})
		}
		attack(w)
	}
	read := func(name string, f *facts.Fleet, seen *facts.Seen) {
		w := &world{name: name, at: f.At, seen: seen}
		for i := range f.Clusters {
			c := &f.Clusters[i]
			var objects []runtime.Object
			written := map[string]bool{}
			for _, row := range table() {
				for _, o := range row.Objects(c) {
					if id := fmt.Sprintf("%T %s", o, resource.Key(o)); !written[id] {
						written[id] = true
						objects = append(objects, o)
					}
				}
			}
			w.clusters = append(w.clusters, worldCluster{c.Context, c.Server, c.SystemNamespace, documents(t, objects)})
		}
		attack(w)
	}
	for _, list := range [][]istiotest.Case{istiotest.Faults, istiotest.NetworkFaults, istiotest.CertFaults} {
		for _, c := range list {
			raw(c.Name, c.Fleet())
		}
	}
	for _, c := range istiotest.EndpointFaults {
		raw("endpoints: "+c.Name, c.Fleet())
	}
	for _, c := range istiotest.RemoteFaults {
		f, seen := c.Make()
		read("remote secrets: "+c.Name, f, &seen)
	}
	for _, c := range istiotest.ControlPlaneFaults {
		f, seen := c.Make()
		read("control plane: "+c.Name, f, &seen)
	}
	for _, f := range linkerdtest.AllRecorded(t) {
		read("Linkerd: "+f.Name, f.Facts(t), nil)
	}
	if corpus {
		dir := os.DirFS("../../cases")
		all, err := cases.All(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			f, err := c.Facts(dir, table())
			if err != nil {
				t.Fatal(err)
			}
			read("case "+c.Name, f, nil)
		}
	}
}

// documents are objects as JSON has them, with their kinds.
func documents(t *testing.T, objects []runtime.Object) []*document {
	t.Helper()
	var out []*document
	for _, o := range objects {
		o = o.DeepCopyObject()
		kind, _, err := kinds.Scheme().ObjectKinds(o)
		if err != nil {
			t.Fatal(err)
		}
		o.GetObjectKind().SetGroupVersionKind(kind[0])
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		d := &document{words: map[string]bool{}}
		if err := json.Unmarshal(text, &d.value); err != nil {
			t.Fatal(err)
		}
		gather(d.value, d.words)
		if d.object = object(d.value); d.object == nil {
			t.Fatalf("%T is not decoded again:\n%s", o, text)
		}
		out = append(out, d)
	}
	return out
}

// object is the object of a document; nil where it does not fit its kind any more.
func object(document any) runtime.Object {
	text, err := json.Marshal(document)
	if err != nil {
		return nil
	}
	o, _, err := kinds.Codecs().UniversalDeserializer().Decode(text, nil, nil)
	if err != nil {
		return nil
	}
	return o
}

// changed are the facts of the world of which documents are changed: change returns the
// object to take, which is nil for none.
func (w *world) changed(name func(string) string, change func(*document) runtime.Object) *facts.Fleet {
	fleet := &facts.Fleet{At: w.at}
	rows := table()
	for _, c := range w.clusters {
		cluster := facts.Cluster{Context: name(c.context), Server: c.server, SystemNamespace: name(c.system)}
		var objects []runtime.Object
		for _, d := range c.documents {
			if o := change(d); o != nil {
				objects = append(objects, o)
			}
		}
		dump.Fill(&cluster, objects, rows)
		fleet.Clusters = append(fleet.Clusters, cluster)
	}
	return fleet
}

// asDumped is who asks the clusters of a dump.
type asDumped struct{}

func (asDumped) Dumped() bool { return true }

func (asDumped) AskEach(_ context.Context, contexts []string, _ func(context.Context, survey.Cluster) (any, error)) map[string]survey.Answer[any] {
	out := map[string]survey.Answer[any]{}
	for _, c := range contexts {
		out[c] = survey.Answer[any]{Err: survey.ErrDump}
	}
	return out
}

// judge is what every mesh finds in a fleet, and what is well besides; with what Istio's control
// planes answered, if they did.
func judge(t *testing.T, f *facts.Fleet, seen *facts.Seen) finding.Result {
	t.Helper()
	all := reach.Check(f, rules.Meshes())
	for _, m := range rules.Meshes() {
		run := &mesh.Run{Fleet: f, By: asDumped{}, Areas: areas, Say: func(string, ...any) {}}
		result, _, err := m.CheckUp(t.Context(), run)
		if err != nil {
			t.Fatal(err)
		}
		all.Merge(result)
	}
	if seen != nil {
		all.Merge(istiomesh.Judge(model.New(f, model.Options{Seen: *seen}), rule.Options{}, areas...))
	}
	return all
}

// nested is a document within a string, such as a mesh config.
func nested(text string) (any, bool) {
	if !strings.Contains(text, "\n") && !strings.HasPrefix(text, "{") || strings.Contains(text, "-----BEGIN") {
		return nil, false
	}
	var out any
	if yaml.Unmarshal([]byte(text), &out) != nil {
		return nil, false
	}
	_, isMap := out.(map[string]any)
	return out, isMap
}

// nesting is a document as a string again, in the form that it had.
func nesting(value any, as string) (string, bool) {
	text, err := yaml.Marshal(value)
	if strings.HasPrefix(as, "{") {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		err, text = e.Encode(value), bytes.TrimSpace(b.Bytes())
	}
	return string(text), err == nil
}

// gather collects the strings of a document, keys and those within strings too.
func gather(value any, into map[string]bool) {
	switch v := value.(type) {
	case string:
		if inner, ok := nested(v); ok {
			gather(inner, into)
		} else if v != "" && len(v) < 200 {
			into[v] = true
			for _, separator := range separators {
				if parts := strings.Split(v, separator); len(parts) > 1 {
					for _, p := range parts {
						if len(p) >= shortestPart {
							into[p] = true
						}
					}
				}
			}
		}
	case []any:
		for _, e := range v {
			gather(e, into)
		}
	case map[string]any:
		for k, e := range v {
			into[k] = true
			gather(e, into)
		}
	}
}

// replaced is a document in which a string is another one.
func replaced(value any, word, payload string) any {
	switch v := value.(type) {
	case string:
		if inner, ok := nested(v); ok {
			if text, ok := nesting(replaced(inner, word, payload), v); ok {
				return text
			}
		}
		return swap(v, word, payload)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = replaced(e, word, payload)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			out[swap(k, word, payload)] = replaced(e, word, payload)
		}
		return out
	}
	return value
}

// separators are those of text that is several names: namespace/name,
// system:serviceaccount:…
var separators = []string{"/", ":", ","}

// shortestPart is how long a part of several is that is replaced.
const shortestPart = 3

// swap replaces a whole string, or a part of one of several parts.
func swap(text, word, payload string) string {
	if text == word {
		return payload
	}
	if len(word) < shortestPart {
		return text
	}
	for _, separator := range separators {
		if parts := strings.Split(text, separator); slices.Contains(parts, word) {
			for i := range parts {
				if parts[i] == word {
					parts[i] = payload
				}
			}
			return strings.Join(parts, separator)
		}
	}
	return text
}
