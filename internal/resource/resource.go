// Package resource is the table of the kinds of objects that are read: a row says what a
// kind is called and where it is, what is kept of an object, and how it is written to a
// dump. The survey, dumps and what is said of rights and of what was not read are made
// from the rows. It knows no mesh: a mesh has rows of its own in a package beside its rules.
package resource

import (
	"slices"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/kinds"
)

// Scope is where the objects of a row are looked for.
type Scope int

// The scopes.
const (
	// Cluster is the whole cluster: all namespaces, or none.
	Cluster Scope = iota
	// System is the system namespace.
	System
	// ClusterElseSystem is the whole cluster, and the system namespace where the user may
	// not read so much.
	ClusterElseSystem
)

// About says what a kind is and which of its objects are read.
type About struct {
	// Name is what people read, in the plural: "remote secrets".
	Name string
	// File is the name of the file in a dump, without its ending, and of the entry in the index.
	File string
	// Kind is the one in manifests. Title has the group too, where there are several of
	// that name.
	Kind, Title string
	// Group and Resource are what the API server calls it.
	Group, Resource string
	// Versions are those in which it may be served, the one to ask for first at the beginning.
	Versions []string

	Scope Scope
	// Namespace is the one that is read, whatever the scope; "" for those of the scope.
	Namespace string
	// Object is the name of the one object that is read; "" for a list.
	Object string
	// Labels and Fields select objects of a list.
	Labels, Fields string
	// FromCache lets the API server answer from its cache, which spares it a question to etcd.
	FromCache bool
	// Metadata asks for no more than the metadata of the objects.
	Metadata bool
	// Filtered: the API server cannot select the objects, so that those which do not
	// belong to the row are dropped on arrival. In a dump they keep their order.
	Filtered bool
	// Sample is how many objects are read; 0 for all.
	Sample int64
	// Where is a row without whose objects this one is not read: nothing of a mesh is asked
	// where it is not installed. It costs one round trip on the open connection. nil for
	// a row that is read in any case.
	Where Resource
	// Rare: most clusters have no object of the kind, so that a folder without one has none, even
	// if no index says that it was asked for.
	Rare bool
	// Later: it is not read with the others, but where they show that it is needed.
	Later bool
	// Answers: the row holds answers of the API server to questions that are posted, and
	// not objects that it has.
	Answers bool
	// Path is where what is no resource of an API is asked for: "/version"; "" for a resource.
	Path string
	// Question is the one that is posted with the other reads, where there is one.
	Question func(systemNamespace string) runtime.Object
}

// Custom reports whether the kind can be missing in a cluster: it is then absent.
func (a *About) Custom() bool { return !kinds.BuiltIn(a.Group) }

// Called is the kind as a person is told of it, with its group where it needs one.
func (a *About) Called() string {
	if a.Title != "" {
		return a.Title
	}
	return a.Kind
}

// Verb is what the user has to be allowed.
func (a *About) Verb() string {
	switch {
	case a.Answers:
		return "create"
	case a.Object != "", a.Path != "":
		return "get"
	default:
		return "list"
	}
}

// Right is what the user has to be allowed to have a row read.
type Right struct{ Verb, Group, Resource string }

// Right is what the user has to be allowed.
func (a *About) Right() Right {
	if a.Path != "" {
		return Right{Verb: a.Verb(), Resource: a.Path}
	}
	return Right{a.Verb(), a.Group, a.Resource}
}

// String is the right as people write it: "list gateways.networking.istio.io".
func (r Right) String() string { return r.Verb + " " + r.Called() }

// Called is the resource with its group: "gateways.networking.istio.io".
func (r Right) Called() string { return strings.TrimSuffix(r.Resource+"."+r.Group, ".") }

// Grant is a right, and where it has to be given.
type Grant struct {
	Right
	Scope Scope
	// Object is the name of the only object that is read; "" for all.
	Object string
}

// Grant is what the user has to be allowed, and where.
func (a *About) Grant() Grant {
	object := a.Object
	if name, ok := strings.CutPrefix(a.Fields, "metadata.name="); ok {
		object, _, _ = strings.Cut(name, ",")
	}
	return Grant{a.Right(), a.Scope, object}
}

// Watched reports whether a change of an object of the row tells that something may have changed. Leases change
// all the time by design, what is no object cannot be watched, and what is read later follows from other rows.
func (a *About) Watched() bool {
	return !a.Later && !a.Answers && a.Question == nil && a.Path == "" && a.Group != coordinationv1.GroupName
}

// WatchGrant is what the user has to be allowed to have a row watched, besides its Grant.
func (a *About) WatchGrant() Grant {
	grant := a.Grant()
	grant.Verb = "watch"
	return grant
}

// Resource is a row of the table, whatever it holds.
type Resource interface {
	Rows
	// String is what people call it, in the plural: "remote secrets".
	String() string
	// About says what the row is of.
	About() *About
	// NewObject and NewList are an object of the kind, and a list of them, to decode into.
	NewObject() runtime.Object
	NewList() runtime.Object
	// Belongs reports whether an object is one of those that the row holds of a cluster.
	Belongs(c *facts.Cluster, o runtime.Object) bool
	// Shows reports whether an object in a folder without an index shows that all objects
	// which the row holds are in it.
	Shows(o runtime.Object) bool
	// Trim is what is kept of an object, as an object; nil for one of another kind.
	// Trimming it again changes nothing.
	Trim(o runtime.Object) runtime.Object
	// Intake takes in the objects of one read.
	Intake(c *facts.Cluster) Intake
	// Each hands over what a cluster's facts hold, as objects, one after another: all at once are several times as
	// large as what the facts keep of them. Objects are all of them.
	Each(c *facts.Cluster, use func(runtime.Object))
	Objects(c *facts.Cluster) []runtime.Object
	// Empty is the state of a read that found nothing: an object is absent, a list has no items.
	Empty() facts.State
	// Read is the whole read, a facts.Read of the row's type.
	Read(c *facts.Cluster) any
	// State is what became of the read, and why.
	State(c *facts.Cluster) (facts.State, string)
	// SetState says what became of the read. Only what was read has a value.
	SetState(c *facts.Cluster, state facts.State, reason string)
	// Served is the version of the API in which it was read, where the cluster does not serve the first
	// one that is asked for; "" else. SetServed says so.
	Served(c *facts.Cluster) string
	SetServed(c *facts.Cluster, version string)
	// SetFailed says that the read failed, and leaves what there is of it.
	SetFailed(c *facts.Cluster, reason string)
	// Copy puts what was read of one cluster into the facts of another.
	Copy(to, from *facts.Cluster)
}

// Intake keeps of the objects of one read what the row keeps.
type Intake interface {
	// Take keeps what it needs of an object, which is not used afterwards.
	Take(o runtime.Object) error
	// Expect says how many objects the server says that are still to come, so that room can be made for them.
	Expect(more int)
	// Taken reports whether there was an object.
	Taken() bool
	// Order puts what was taken into the order in which an API server gives it, each
	// object once.
	Order()
	// Store puts what was taken into the facts.
	Store(c *facts.Cluster)
}

// Rows are one row or several.
type Rows interface{ Rows() []Resource }

// Set are several rows.
type Set []Resource

// Rows are those of the set.
func (s Set) Rows() []Resource { return s }

// Has reports whether a row is in the set.
func (s Set) Has(row Resource) bool { return slices.Contains(s, row) }

// Without are the rows of the set that are in none of the parts.
func (s Set) Without(parts ...Rows) Set {
	left := Join(parts...)
	return slices.DeleteFunc(slices.Clone(s), left.Has)
}

// Join are the rows of all parts, each once.
func Join(parts ...Rows) Set {
	var out Set
	for _, part := range parts {
		for _, row := range part.Rows() {
			if !out.Has(row) {
				out = append(out, row)
			}
		}
	}
	return out
}

// Trim is what the first row that an object shows keeps of it; nil where no row reads it.
func Trim(rows []Resource, o runtime.Object) runtime.Object {
	for _, row := range rows {
		if row.Shows(o) {
			return row.Trim(o)
		}
	}
	return nil
}

// Reads are the reads of rows that were asked for, by the names of their files: what there
// is to compare, or to search, of a cluster.
func Reads(c *facts.Cluster, rows []Resource) map[string]any {
	out := map[string]any{}
	for _, row := range rows {
		if state, reason := row.State(c); state != facts.NotAsked || reason != "" {
			out[row.About().File] = row.Read(c)
		}
	}
	return out
}
