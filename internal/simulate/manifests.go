package simulate

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/kinds"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// What becomes of manifests, besides what becomes of commands.
const (
	// InPart: it is in the facts, and something that follows from it is not known.
	InPart Kind = "in part"
	// Unused: no rule reads it, nor what comes of it.
	Unused Kind = "not used"
)

// Manifest is an object as a person writes it for kubectl apply.
type Manifest map[string]any

// Manifests reads YAML or JSON documents, and takes lists apart. Its errors quote nothing of the text.
func Manifests(text []byte) ([]Manifest, error) {
	var out []Manifest
	err := kinds.Documents(text, func(document []byte) (err error) {
		var m Manifest
		if json.Unmarshal(document, &m) != nil {
			return kinds.ErrNoObject
		}
		out, err = m.takeApart(out)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// takeApart adds a manifest to others, or what is in it where it is a list.
func (m Manifest) takeApart(out []Manifest) ([]Manifest, error) {
	apiVersion, _ := m["apiVersion"].(string)
	kind, _ := m["kind"].(string)
	if apiVersion == "" || kind == "" {
		return nil, kinds.ErrNoObject
	}
	items, isList := m["items"].([]any)
	if !isList || !strings.HasSuffix(kind, "List") {
		return append(out, m), nil
	}
	for _, item := range items {
		one, ok := item.(map[string]any)
		if !ok {
			return nil, kinds.ErrNoObject
		}
		var err error
		if out, err = Manifest(one).takeApart(out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Object is what the manifest is of.
func (m Manifest) Object() finding.Object {
	kind, _ := m["kind"].(string)
	metadata, _ := m["metadata"].(map[string]any)
	namespace, _ := metadata["namespace"].(string)
	name, _ := metadata["name"].(string)
	return finding.Object{Kind: strings.ToLower(kind), Namespace: namespace, Name: name}
}

// written is the manifest as kubectl sends it: without what an API server writes, and with the strings of
// a Secret among its data.
func (m Manifest) written() map[string]any {
	out := mergePatch(nil, m)
	if metadata, ok := out["metadata"].(map[string]any); ok {
		for _, key := range []string{
			"creationTimestamp", "deletionTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid",
		} {
			delete(metadata, key)
		}
	}
	strs, ok := out["stringData"].(map[string]any)
	if kind, _ := out["kind"].(string); !ok || kind != "Secret" {
		return out
	}
	delete(out, "stringData")
	data, _ := out["data"].(map[string]any)
	if data == nil {
		data = map[string]any{}
		out["data"] = data
	}
	for key, value := range strs {
		if text, ok := value.(string); ok {
			data[key] = base64.StdEncoding.EncodeToString([]byte(text))
		}
	}
	return out
}

// podMakers are the kinds whose controllers make pods: what these are, nobody knows before they run.
var podMakers = []string{"CronJob", "DaemonSet", "Deployment", "Job", "Pod", "ReplicaSet", "ReplicationController", "StatefulSet"}

// Settler is a Mesh whose controllers go on after a change, until all is as they want it.
type Settler interface {
	// Settle has them do it. before is the fleet as it was before the change.
	Settle(w *World, before *facts.Fleet)
}

// Applying is a world in which manifests are taken in one after the other.
func Applying(fleet *facts.Fleet, rows resource.Set, mesh Mesh) *World {
	w := New(fleet, rows, mesh)
	w.fresh = true
	return w
}

// Settle has the controllers of the meshes go on after all that was taken in.
func (w *World) Settle(before *facts.Fleet) {
	if s, ok := w.mesh.(Settler); ok {
		s.Settle(w, before)
	}
}

// Take has an object as kubectl apply leaves it, and says of it what is not known. Services get no address
// that a cluster gives them later, unless the status in the manifest says it.
func (w *World) Take(context string, m Manifest) Outcome {
	of := m.written()
	apiVersion, _ := of["apiVersion"].(string)
	kind := m.Object()
	called, _ := of["kind"].(string)
	rows := w.rowsOf(apiVersion, called)
	c := w.Cluster(context)
	switch {
	case c == nil:
		return outcome(NotRead, "the cluster was not reached")
	case kind.Name == "":
		return outcome(Refused, "it has no name")
	case len(rows) == 0:
		return w.unread(apiVersion, called)
	case namespaced(rows[0]) && kind.Namespace == "":
		return outcome(Refused, "it names no namespace: write metadata.namespace into it")
	case called == "Pod":
		return outcome(Uncertain, "what a pod is given is not known before it runs")
	}
	if result := fits(rows, apiVersion, of); result.Kind != Done {
		return result
	}
	before := w.form(c, rows, kind)
	result := w.apply(context, "", of)
	after := w.form(w.Cluster(context), rows, kind)
	switch {
	case result.Kind == NotRead && after == nil && !w.mayHold(c, rows, of):
		return w.unread(apiVersion, called)
	case after == nil, result.Kind == Refused, result.Kind == NotRead, result.Kind != Done && reflect.DeepEqual(before, after):
		return result
	case result.Kind != Done:
		return outcome(InPart, "%s", result.Why)
	}
	if next := w.rollOut(context, called, kind, before, after); next.Kind != Done {
		return outcome(InPart, "%s", next.Why)
	}
	return waits(before, after)
}

// ours is in the names of annotations that hold, in Secrets of the facts, what was read out of the data of
// a key, which follows.
const ours = ".kubectl-mesh.dev/"

// forget takes out of a Secret what is known of data that a manifest has others of.
func forget(there, m map[string]any) {
	metadata, _ := there["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	data, _ := m["data"].(map[string]any)
	if kind, _ := m["kind"].(string); kind != "Secret" {
		return
	}
	for name := range annotations {
		if _, key, ok := strings.Cut(name, ours); ok && data[key] != nil {
			delete(annotations, name)
		}
	}
}

// unread is the outcome of an object that no rule reads. What makes pods, and custom kinds, of which some
// controller makes what it makes, matter all the same.
func (w *World) unread(apiVersion, kind string) Outcome {
	group, _, ok := strings.Cut(apiVersion, "/")
	if !ok {
		group = ""
	}
	switch {
	case slices.Contains(podMakers, kind):
		return outcome(NotRead, "the pods that come of it are not known before they run")
	case !kinds.BuiltIn(group):
		return outcome(NotRead, "no rule here reads it, and what its controller makes of it is not known")
	}
	return outcome(Unused, "no rule here reads it")
}

// mayHold reports whether an object would belong to a row that was not read.
func (w *World) mayHold(c *facts.Cluster, rows resource.Set, m map[string]any) bool {
	return slices.ContainsFunc(rows, func(row resource.Resource) bool {
		o := row.NewObject()
		state, _ := row.State(c)
		return fromMap(m, o) == nil && row.Belongs(c, o) && state != facts.OK && state != facts.Absent
	})
}

// form is what rows hold of an object; nil for nothing.
func (w *World) form(c *facts.Cluster, rows resource.Set, of finding.Object) runtime.Object {
	if c == nil {
		return nil
	}
	namespace := of.Namespace
	if !namespaced(rows[0]) {
		namespace = ""
	}
	found, _, _ := w.find(c, rows, namespace, of.Name)
	return found.fullest(rows)
}

// fits is what the API server says of the fields of a manifest. kubectl has it refuse those that it does not
// know, which are mistyped.
func fits(rows resource.Set, apiVersion string, m map[string]any) Outcome {
	whole := slices.IndexFunc(rows, func(row resource.Resource) bool { return !row.About().Metadata })
	if whole < 0 || !kinds.BuiltIn(rows[whole].About().Group) {
		return done
	}
	about := rows[whole].About()
	version := apiVersion[strings.LastIndexByte(apiVersion, '/')+1:]
	served := slices.ContainsFunc(rows, func(row resource.Resource) bool { return slices.Contains(row.About().Versions, version) })
	if !served {
		return outcome(Refused, "there is no %s of %s", about.Kind, apiVersion)
	}
	text, err := json.Marshal(m)
	if err != nil {
		return outcome(Refused, "it does not fit a %s", about.Kind)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	into := rows[whole].NewObject()
	if err := decoder.Decode(into); err != nil {
		if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok { // others quote values
			return outcome(Refused, "%s has no field %s", about.Kind, field)
		}
		return outcome(Refused, "a field of it is not of the type that a %s has there", about.Kind)
	}
	return done
}

// rollOut has the controllers of a workload recreate its pods, where its template is another one.
func (w *World) rollOut(context, kind string, of finding.Object, before, after runtime.Object) Outcome {
	if !slices.Contains(podMakers, kind) {
		return done
	}
	if before != nil && reflect.DeepEqual(templateOf(before), templateOf(after)) {
		return done
	}
	if before == nil || w.mesh == nil {
		return outcome(NotRead, "the pods that come of it are not known before they run")
	}
	return w.mesh.Restarted(w, context, Workload{strings.ToLower(kind), of.Namespace, of.Name}, nil)
}

// templateOf is the template of the pods of a workload.
func templateOf(o runtime.Object) any {
	m, err := toMap(o)
	if err != nil {
		return nil
	}
	spec, _ := m["spec"].(map[string]any)
	return spec["template"]
}

// waits is the outcome of a Service whose address the cluster gives it later.
func waits(before, after runtime.Object) Outcome {
	s, ok := after.(*corev1.Service)
	if !ok || s.Spec.Type != corev1.ServiceTypeLoadBalancer || len(s.Status.LoadBalancer.Ingress) > 0 {
		return done
	}
	if b, ok := before.(*corev1.Service); ok && b.Spec.Type == s.Spec.Type {
		return done // it waited before
	}
	return outcome(InPart, "checked without the address that the cluster gives it later; status.loadBalancer in the file can say it")
}

// Several are meshes that are in one fleet: each does what it does.
type Several []Mesh

// Program is what the first program prints that one of them knows.
func (s Several) Program(w *World, args []string) ([]byte, Outcome, bool) {
	for _, m := range s {
		if printed, result, known := m.Program(w, args); known {
			return printed, result, true
		}
	}
	return nil, Outcome{}, false
}

// Restarted has the pods recreated by each. Where one of them knows what comes of it, all is known.
func (s Several) Restarted(w *World, context string, of Workload, settings []Setting) Outcome {
	var out Outcome
	for _, m := range s {
		if result := m.Restarted(w, context, of, settings); out.Kind == "" || result.Kind == Done {
			out = result
		}
	}
	if out.Kind == "" {
		return outcome(NotRead, "the pods that come of it are not known before they run")
	}
	return out
}

// Removed is what the first of them says that is not Done.
func (s Several) Removed(w *World, context string, o runtime.Object) Outcome {
	out := done
	for _, m := range s {
		if result := m.Removed(w, context, o); out.Kind == Done {
			out = result
		}
	}
	return out
}

// Created has each do what it does.
func (s Several) Created(w *World, context string, o runtime.Object) {
	for _, m := range s {
		m.Created(w, context, o)
	}
}

// Settle has each go on that does.
func (s Several) Settle(w *World, before *facts.Fleet) {
	for _, m := range s {
		if one, ok := m.(Settler); ok {
			one.Settle(w, before)
		}
	}
}
