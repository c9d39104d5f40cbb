// Package apitest answers as a Kubernetes API server does, for tests that have
// none: from objects in memory, in JSON, and only to questions.
package apitest

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-mesh/kubectl-mesh/internal/kinds"
)

// Server is the handler of an API server. Its fields are not to be changed once
// it serves.
type Server struct {
	// Objects are what it holds; those of kinds that package kinds does not know
	// are not there for it.
	Objects []runtime.Object
	// Before sees every request first, and returns true when it has answered it.
	Before func(http.ResponseWriter, *http.Request) bool

	version string // of lists; "" for one that does not change
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // before that a server does not see its client go
	if s.Before != nil && s.Before(w, r) {
		return
	}
	q, ok := parse(r.URL.Path)
	switch {
	case r.URL.Path == "/apis":
		Answer(w, http.StatusOK, s.groups())
	case !ok:
		http.NotFound(w, r) // as for a group that is not installed
	case q.resource == "subjectaccessreviews" && r.Method == http.MethodPost:
		Answer(w, http.StatusCreated, map[string]any{
			"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "status": map[string]any{"allowed": true},
		})
	case r.Method != http.MethodGet:
		Refuse(w, http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed)
	case q.name != "":
		for _, o := range s.find(q, labels.Everything(), fields.Everything()) {
			if o.name == q.name {
				Answer(w, http.StatusOK, o.Object)
				return
			}
		}
		Refuse(w, http.StatusNotFound, metav1.StatusReasonNotFound)
	default:
		s.list(w, r, q)
	}
}

// groups are those of the custom objects that it holds.
func (s *Server) groups() any {
	names := map[string][]any{}
	for _, o := range s.Objects {
		known, _, err := kinds.Scheme().ObjectKinds(o)
		if err != nil || kinds.BuiltIn(known[0].Group) || names[known[0].Group] != nil {
			continue
		}
		for _, of := range known {
			names[of.Group] = append(names[of.Group], map[string]any{"version": of.Version})
		}
	}
	groups := []any{}
	for name, versions := range names {
		groups = append(groups, map[string]any{"name": name, "versions": versions})
	}
	return map[string]any{"apiVersion": "v1", "kind": "APIGroupList", "groups": groups}
}

func (s *Server) list(w http.ResponseWriter, r *http.Request, q question) {
	labelled, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		Refuse(w, http.StatusBadRequest, metav1.StatusReasonBadRequest)
		return
	}
	named, err := fields.ParseSelector(r.URL.Query().Get("fieldSelector"))
	if err != nil {
		Refuse(w, http.StatusBadRequest, metav1.StatusReasonBadRequest)
		return
	}
	items := []runtime.Object{}
	for _, o := range s.find(q, labelled, named) {
		items = append(items, o.Object)
	}
	page := List(q.version, q.listKind(), "", items...)
	if s.version != "" {
		page["metadata"].(map[string]any)["resourceVersion"] = s.version
	}
	Answer(w, http.StatusOK, page)
}

// List is one page of a list, and where the next one begins.
func List(version schema.GroupVersion, kind, next string, items ...runtime.Object) map[string]any {
	return map[string]any{
		"apiVersion": version.String(), "kind": kind,
		"metadata": map[string]any{"resourceVersion": "1", "continue": next}, "items": items,
	}
}

// Refuse answers with an error as API servers write it.
func Refuse(w http.ResponseWriter, code int32, reason metav1.StatusReason) {
	Answer(w, int(code), metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure, Code: code, Reason: reason, Message: "refused: " + string(reason),
	})
}

// Answer writes a document.
func Answer(w http.ResponseWriter, code int, document any) {
	text, err := json.Marshal(document)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(text)
}

// question is what a path asks for.
type question struct {
	version                   schema.GroupVersion
	namespace, resource, name string
}

// parse reads /api/v1/… and /apis/GROUP/VERSION/….
func parse(path string) (question, bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	var q question
	switch {
	case len(parts) >= 3 && parts[0] == "api":
		q.version, parts = schema.GroupVersion{Version: parts[1]}, parts[2:]
	case len(parts) >= 4 && parts[0] == "apis":
		q.version, parts = schema.GroupVersion{Group: parts[1], Version: parts[2]}, parts[3:]
	default:
		return q, false
	}
	if len(parts) >= 3 && parts[0] == "namespaces" {
		q.namespace, parts = parts[1], parts[2:]
	}
	q.resource = parts[0]
	if len(parts) > 1 {
		q.name = parts[1]
	}
	return q, q.listKind() != "" && slices.Contains(versions(), q.version)
}

// versions are those of all kinds. They are looked up when they are first needed: rows register kinds.
var versions = sync.OnceValue(func() []schema.GroupVersion { return kinds.Scheme().PrioritizedVersionsAllGroups() })

// listKind is the kind of a list of what is asked for; "" for what no group has.
func (q question) listKind() string {
	return listKinds()[schema.GroupResource{Group: q.version.Group, Resource: q.resource}]
}

// listKinds are the kinds of lists by group and resource.
var listKinds = sync.OnceValue(func() map[schema.GroupResource]string {
	out := map[schema.GroupResource]string{}
	for kind := range kinds.Scheme().AllKnownTypes() {
		if name, ok := strings.CutSuffix(kind.Kind, "List"); ok && name != "" {
			out[schema.GroupResource{Group: kind.Group, Resource: pluralOf(kind.GroupVersion().WithKind(name))}] = kind.Kind
		}
	}
	out[schema.GroupResource{Group: authorizationv1.GroupName, Resource: "subjectaccessreviews"}] = "SubjectAccessReviewList"
	return out
})

// pluralOf is the resource of a kind.
func pluralOf(kind schema.GroupVersionKind) string {
	switch kind.Kind {
	case "Settings":
		return "settings"
	case "PodMetrics":
		return "pods" // of the metrics API
	}
	switch {
	case strings.HasSuffix(kind.Kind, "Gateway"):
		return strings.ToLower(kind.Kind) + "s" // and not as other words that end like it
	case strings.HasSuffix(kind.Kind, "Mesh"):
		return strings.ToLower(kind.Kind) + "es"
	}
	plural, _ := meta.UnsafeGuessKindToResource(kind)
	return plural.Resource
}

type found struct {
	runtime.Object
	name, key string
}

// find returns copies of what a question and its selectors mean, in the order of
// their keys.
func (s *Server) find(q question, labelled labels.Selector, named fields.Selector) []found {
	var out []found
	for _, o := range s.Objects {
		gvks, _, err := kinds.Scheme().ObjectKinds(o)
		if err != nil {
			continue
		}
		m, err := meta.Accessor(o)
		if err != nil {
			continue
		}
		if gvks[0].GroupVersion() != q.version || pluralOf(gvks[0]) != q.resource || q.namespace != "" && m.GetNamespace() != q.namespace {
			continue
		}
		fields := fields.Set{"metadata.name": m.GetName(), "metadata.namespace": m.GetNamespace()}
		if e, ok := o.(*corev1.Event); ok {
			fields["involvedObject.kind"], fields["involvedObject.name"] = e.InvolvedObject.Kind, e.InvolvedObject.Name
		}
		if secret, ok := o.(*corev1.Secret); ok {
			fields["type"] = string(secret.Type)
		}
		if !labelled.Matches(labels.Set(m.GetLabels())) || !named.Matches(fields) {
			continue
		}
		o = o.DeepCopyObject()
		o.GetObjectKind().SetGroupVersionKind(gvks[0])
		out = append(out, found{o, m.GetName(), m.GetNamespace() + "/" + m.GetName()})
	}
	slices.SortFunc(out, func(a, b found) int { return strings.Compare(a.key, b.key) })
	return out
}
