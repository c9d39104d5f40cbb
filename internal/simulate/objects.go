package simulate

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/kinds"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// kindOf are the rows of a kind, by any of the names that kubectl takes for it.
func (w *World) kindOf(word string) resource.Set {
	name, group, _ := strings.Cut(strings.ToLower(word), ".")
	var out resource.Set
	for _, row := range w.rows {
		a := row.About()
		if a.Answers || group != "" && group != a.Group {
			continue
		}
		if kind := strings.ToLower(a.Kind); name == kind || name == kind+"s" || name == a.Resource {
			out = append(out, row)
		}
	}
	return out
}

// rowsOf are the rows of the kind that a manifest is of.
func (w *World) rowsOf(apiVersion, kind string) resource.Set {
	group, _, ok := strings.Cut(apiVersion, "/")
	if !ok {
		group = ""
	}
	var out resource.Set
	for _, row := range w.rows {
		if a := row.About(); !a.Answers && a.Kind == kind && a.Group == group {
			out = append(out, row)
		}
	}
	return out
}

// holdsAll reports whether a row has every object of its kind.
func holdsAll(row resource.Resource) bool {
	a := row.About()
	return a.Scope == resource.Cluster && a.Namespace == "" && a.Object == "" && a.Labels == "" && a.Fields == "" && !a.Filtered &&
		a.Sample == 0 &&
		!a.Later
}

// held is what rows have of one object; of each row its own form of it.
type held map[resource.Resource]runtime.Object

// find is what rows have of an object. gone: it is known that it does not exist. why is
// the outcome where neither is known.
func (w *World) find(c *facts.Cluster, rows resource.Set, namespace, name string) (found held, gone bool, why Outcome) {
	found = held{}
	why = outcome(NotRead, "no rule reads such objects")
	for _, row := range rows {
		state, reason := row.State(c)
		switch {
		case state == facts.NotAsked && row.About().Later:
			continue
		case state == facts.Absent && row.About().Custom():
			return nil, false, outcome(Refused, "the cluster has no %s", row.About().Called())
		case state != facts.OK && state != facts.Absent:
			why = outcome(NotRead, "%s: %s", row, orWord(reason, "not read"))
			continue
		}
		for _, o := range row.Objects(c) {
			if resource.Key(o) == namespace+"/"+name {
				found[row] = o
			}
		}
		if holdsAll(row) || row.About().Object == name && row.Empty() == facts.Absent && namespace == c.SystemNamespace {
			gone = true
		}
	}
	if len(found) > 0 {
		return found, false, done
	}
	if gone {
		return nil, true, done
	}
	if why.Kind == NotRead && len(rows) > 0 && why.Why == "no rule reads such objects" {
		why.Why = "it is not among what was read"
	}
	return nil, false, why
}

func orWord(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// namespaced reports whether objects of a kind are in namespaces.
func namespaced(row resource.Resource) bool {
	switch row.About().Kind {
	case "Namespace", "Node", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "APIService", "CustomResourceDefinition":
		return false
	}
	return true
}

// existing is an object of a cluster, by the rows that hold it; or why a command for it does nothing,
// or cannot be simulated.
func (w *World) existing(context string, rows resource.Set, namespace, name string) (*facts.Cluster, held, Outcome) {
	c := w.Cluster(context)
	if c == nil {
		return nil, nil, outcome(NotRead, "cluster %s was not read", context)
	}
	if len(rows) > 0 && !namespaced(rows[0]) {
		namespace = ""
	}
	found, gone, why := w.find(c, rows, namespace, name)
	if gone {
		return c, nil, outcome(Refused, "there is no %s %s", rows[0].About().Kind, name)
	}
	return c, found, why
}

// edit changes an object that exists by a function of its JSON.
func (w *World) edit(
	context string,
	rows resource.Set,
	namespace, name string,
	do func(row resource.Resource, m map[string]any) (map[string]any, error),
) Outcome {
	c, found, why := w.existing(context, rows, namespace, name)
	if len(found) == 0 {
		return why
	}
	before, after := found.fullest(rows), runtime.Object(nil)
	changed := held{}
	for row, o := range found {
		m, err := toMap(o)
		if err != nil {
			return outcome(Refused, "%v", err)
		}
		if m, err = do(row, m); err != nil {
			return refusal(err)
		}
		into := row.NewObject()
		if err := fromMap(m, into); err != nil {
			return outcome(Refused, "%v", err)
		}
		if w.fresh {
			w.complete(c, into)
		}
		changed[row] = into
	}
	after = changed.fullest(rows)
	if result := w.allowed(before, after); result.Kind != Done {
		return result
	}
	if result := w.store(c, rows, changed, after); result.Kind != Done {
		return result
	}
	return w.follow(context, before, after)
}

// refusal is the outcome of an error of a change.
func refusal(err error) Outcome {
	if errors.Is(err, errDirective) || errors.Is(err, errNoOp) {
		return outcome(Uncertain, "%v", err)
	}
	return outcome(Refused, "%v", err)
}

// fullest is the form of an object that has most of it.
func (h held) fullest(rows resource.Set) runtime.Object {
	var out runtime.Object
	for _, row := range rows {
		if o := h[row]; o != nil && (out == nil || !row.About().Metadata) {
			if out = o; !row.About().Metadata {
				return out
			}
		}
	}
	return out
}

// store puts an object into the rows that it belongs to now, and takes it out of others.
func (w *World) store(c *facts.Cluster, rows resource.Set, forms held, fullest runtime.Object) Outcome {
	whole := slices.ContainsFunc(rows, func(row resource.Resource) bool { return forms[row] != nil && !row.About().Metadata })
	for _, row := range rows {
		if state, _ := row.State(c); state != facts.OK && state != facts.Absent {
			continue
		}
		o := forms[row]
		if o == nil {
			o = fullest
		}
		belongs := row.Belongs(c, o)
		if belongs && forms[row] == nil && !row.About().Metadata && !whole {
			return outcome(NotRead, "of the %s nothing but its metadata was read", row.About().Kind)
		}
		w.put(c, row, o, belongs)
	}
	return done
}

// put has a row hold an object in the place of the one of its name, or not hold it.
func (w *World) put(c *facts.Cluster, row resource.Resource, o runtime.Object, belongs bool) {
	key := resource.Key(o)
	objects := slices.Clone(row.Objects(c))
	i := slices.IndexFunc(objects, func(other runtime.Object) bool { return resource.Key(other) == key })
	switch {
	case i >= 0 && belongs:
		objects[i] = o
	case i >= 0:
		objects = slices.Delete(objects, i, i+1)
	case belongs:
		objects = append(objects, o)
	default:
		return
	}
	if len(objects) == 0 {
		row.SetState(c, row.Empty(), "")
		if row.Empty() == facts.Absent {
			return
		}
	}
	intake := row.Intake(c)
	for _, o := range objects {
		if intake.Take(o) != nil {
			return // it is of the row's type: it came from there
		}
	}
	intake.Order()
	intake.Store(c)
}

// remove deletes an object.
func (w *World) remove(context string, rows resource.Set, namespace, name string) Outcome {
	c, found, why := w.existing(context, rows, namespace, name)
	if len(found) == 0 {
		return why
	}
	for row, o := range found {
		w.put(c, row, o, false)
	}
	if s, ok := found.fullest(rows).(*corev1.Service); ok {
		w.dropSlices(c, s)
	}
	if w.mesh != nil {
		return w.mesh.Removed(w, context, found.fullest(rows))
	}
	return done
}

// apply has an object as kubectl apply leaves it.
func (w *World) apply(context, namespace string, m map[string]any) Outcome {
	return w.write(context, namespace, m, func(found held, rows resource.Set) Outcome {
		if found == nil {
			return w.create(context, namespace, m)
		}
		ns, name := placeOf(m, namespace)
		return w.edit(context, rows, ns, name, func(row resource.Resource, there map[string]any) (map[string]any, error) {
			forget(there, m)
			if kinds.BuiltIn(row.About().Group) {
				return strategic(reflect.TypeOf(row.NewObject()).Elem(), there, m)
			}
			return mergePatch(there, m), nil
		})
	})
}

// write looks for the object of a manifest, and does what is to be done with or without it.
func (w *World) write(context, namespace string, m map[string]any, do func(held, resource.Set) Outcome) Outcome {
	apiVersion, _ := m["apiVersion"].(string)
	kind, _ := m["kind"].(string)
	rows := w.rowsOf(apiVersion, kind)
	c := w.Cluster(context)
	switch {
	case len(rows) == 0:
		return outcome(NotRead, "no rule reads objects of kind %s", kind)
	case c == nil:
		return outcome(NotRead, "cluster %s was not read", context)
	}
	ns, name := placeOf(m, namespace)
	if !namespaced(rows[0]) {
		ns = ""
	}
	found, gone, why := w.find(c, rows, ns, name)
	if len(found) == 0 && !gone && why.Kind != Done && !w.canCreate(c, rows, m) {
		return why
	}
	if len(found) == 0 {
		found = nil
	}
	return do(found, rows)
}

// canCreate reports whether an object would belong to a row that was read and has none of
// its name: it is then not there, or somebody keeps it apart.
func (w *World) canCreate(c *facts.Cluster, rows resource.Set, m map[string]any) bool {
	for _, row := range rows {
		o := row.NewObject()
		if state, _ := row.State(
			c,
		); fromMap(m, o) == nil && row.Belongs(c, o) &&
			(state == facts.OK || state == facts.Absent && !row.About().Custom()) {
			return true
		}
	}
	return false
}

// placeOf is the namespace and name of a manifest.
func placeOf(m map[string]any, otherwise string) (namespace, name string) {
	metadata, _ := m["metadata"].(map[string]any)
	namespace, _ = metadata["namespace"].(string)
	name, _ = metadata["name"].(string)
	if namespace == "" {
		namespace = otherwise
	}
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	return namespace, name
}

// create creates an object that does not exist, with what an API server adds to it.
func (w *World) create(context, namespace string, m map[string]any) Outcome {
	return w.write(context, namespace, m, func(found held, rows resource.Set) Outcome {
		ns, name := placeOf(m, namespace)
		if found != nil {
			return outcome(Refused, "%s %s exists", rows[0].About().Kind, name)
		}
		c := w.Cluster(context)
		if namespaced(rows[0]) && !w.hasNamespace(c, ns) {
			return outcome(Refused, "there is no namespace %s", ns)
		}
		o := rows[0].NewObject()
		if err := fromMap(m, o); err != nil {
			return outcome(Refused, "%v", err)
		}
		made, err := meta.Accessor(o)
		if err != nil {
			return outcome(Refused, "%v", err)
		}
		if !namespaced(rows[0]) {
			ns = ""
		}
		made.SetNamespace(ns)
		made.SetCreationTimestamp(metav1.NewTime(w.fleet.At.Truncate(time.Second)))
		w.complete(c, o)
		if result := w.allowed(nil, o); result.Kind != Done {
			return result
		}
		forms := held{}
		for _, row := range rows {
			forms[row] = o
		}
		if result := w.store(c, rows, forms, o); result.Kind != Done {
			return result
		}
		return w.follow(context, nil, o)
	})
}

// hasNamespace reports whether a namespace is there; what was not read is taken to be.
func (w *World) hasNamespace(c *facts.Cluster, name string) bool {
	rows := w.rowsOf("v1", "Namespace")
	_, gone, _ := w.find(c, rows, "", name)
	return !gone
}

// replace puts an object in the place of the one that exists.
func (w *World) replace(context, namespace string, m map[string]any) Outcome {
	return w.write(context, namespace, m, func(found held, rows resource.Set) Outcome {
		ns, name := placeOf(m, namespace)
		if found == nil {
			return outcome(Refused, "there is no %s %s", rows[0].About().Kind, name)
		}
		return w.edit(context, rows, ns, name, func(_ resource.Resource, there map[string]any) (map[string]any, error) {
			out := mergePatch(nil, m)
			kept, _ := there["metadata"].(map[string]any)
			metadata, _ := out["metadata"].(map[string]any)
			out["metadata"] = mergePatch(map[string]any{
				"creationTimestamp": kept["creationTimestamp"], "uid": kept["uid"], "namespace": kept["namespace"],
			}, metadata)
			return out, nil
		})
	})
}

// complete adds what an API server adds to new objects.
func (w *World) complete(c *facts.Cluster, o runtime.Object) {
	switch o := o.(type) {
	case *corev1.Namespace:
		metav1.SetMetaDataLabel(&o.ObjectMeta, corev1.LabelMetadataName, o.Name)
		o.Status.Phase = corev1.NamespaceActive
	case *corev1.Service:
		w.completeService(c, o)
	}
}

// allowed is whether the effect of a change of an object is certain.
func (w *World) allowed(before, after runtime.Object) Outcome {
	s, ok := after.(*corev1.Service)
	if !ok || w.fresh {
		return done
	}
	was := corev1.ServiceTypeClusterIP
	if b, ok := before.(*corev1.Service); ok && b.Spec.Type != "" {
		was = b.Spec.Type
	}
	if s.Spec.Type != was && s.Spec.Type != corev1.ServiceTypeExternalName && s.Spec.Type != "" {
		return outcome(Uncertain, "the cluster gives the Service of type %s an address or port", s.Spec.Type)
	}
	return done
}

// follow has controllers do what follows from a change.
func (w *World) follow(context string, before, after runtime.Object) Outcome {
	result := done
	if s, ok := after.(*corev1.Service); ok {
		b, _ := before.(*corev1.Service)
		result = w.serve(w.Cluster(context), b, s)
	}
	if before == nil && w.mesh != nil {
		w.mesh.Created(w, context, after)
	}
	return result
}
