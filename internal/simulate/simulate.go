// Package simulate does on facts what commands would do on clusters: what a fleet would
// look like if they had been run, without anybody running them. Objects are changed as an
// API server changes them, and Services get the endpoints that Kubernetes gives them; what
// the controllers of a mesh do, the mesh says. What is not certain is not simulated, and said so.
package simulate

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// Kind says what became of a command.
type Kind string

// What becomes of commands. Only Done has changed something.
const (
	// Done: its effect is in the facts.
	Done Kind = "done"
	// Reads: it changes nothing of a cluster.
	Reads Kind = "reads"
	// Asks: a person has to say something first, or does it in an editor.
	Asks Kind = "asks a person"
	// Foreign: it runs a program, or needs a file, of which nothing is known here.
	Foreign Kind = "another program"
	// NotRead: what it changes was not read, or not enough of it.
	NotRead Kind = "not read"
	// Uncertain: what follows from it is decided elsewhere, such as by a cloud.
	Uncertain Kind = "uncertain"
	// Refused: the API server or kubectl would refuse it.
	Refused Kind = "refused"
)

// Outcome is what became of a command, and why.
type Outcome struct {
	Kind Kind
	Why  string
}

// Because is an outcome of the kind, and why.
func (k Kind) Because(why string) Outcome { return Outcome{Kind: k, Why: why} }

func outcome(kind Kind, format string, args ...any) Outcome {
	return Outcome{kind, fmt.Sprintf(format, args...)}
}

var (
	done  = Outcome{Kind: Done}
	reads = Outcome{Kind: Reads}
)

// Workload is what kubectl restarts: a Deployment and the like, or a pod. Kind is in
// lower case. Without a name it is all of a namespace that are of the kinds, with commas between these.
type Workload struct{ Kind, Namespace, Name string }

// Setting is a variable that is set in the containers of a workload, or removed.
type Setting struct {
	// Container is the name of the one that gets it; "" for all.
	Container string
	Name      string
	Value     string
	Remove    bool
}

// Mesh says what the controllers of a mesh do, and what its own programs print.
type Mesh interface {
	// Program is what a program prints that is not kubectl; false for one that is not known.
	Program(w *World, args []string) (printed []byte, result Outcome, known bool)
	// Restarted has the pods of a workload recreated, with some settings changed.
	Restarted(w *World, context string, of Workload, settings []Setting) Outcome
	// Removed has the controllers do what they do when an object is gone.
	Removed(w *World, context string, o runtime.Object) Outcome
	// Created has the controllers do what they do when an object is new.
	Created(w *World, context string, o runtime.Object)
}

// World is a fleet as it would be.
type World struct {
	fleet facts.Fleet
	rows  resource.Set
	mesh  Mesh
	// files are those that commands have written, by name.
	files map[string][]byte
	roles []role
	// fresh: Services are as they are when they are just applied, before the cluster gives them an address.
	fresh bool
	// Values are what a person would put in the place of blanks, by their words.
	Values map[string]string
}

// New is a world that begins as a fleet is. Neither the fleet nor anything in it is ever changed.
func New(fleet *facts.Fleet, rows resource.Set, mesh Mesh) *World {
	w := &World{fleet: *fleet, rows: rows, mesh: mesh, files: map[string][]byte{}}
	w.fleet.Clusters = slices.Clone(fleet.Clusters)
	return w
}

// Fleet is the world as facts. Later commands do not change it.
func (w *World) Fleet() *facts.Fleet {
	out := w.fleet
	out.Clusters = slices.Clone(w.fleet.Clusters)
	return &out
}

// Cluster is a cluster of the world, to be read, and to be changed by what a Mesh says;
// nil where there is none of that context that was reached.
func (w *World) Cluster(context string) *facts.Cluster {
	for i := range w.fleet.Clusters {
		if c := &w.fleet.Clusters[i]; c.Context == context && c.Unreached == nil {
			return c
		}
	}
	return nil
}

// Run does what commands do, one after the other, and says what became of each.
func (w *World) Run(commands ...finding.Command) []Outcome {
	var out []Outcome
	for _, c := range commands {
		out = append(out, w.run(c))
	}
	return out
}

// Apply has objects as kubectl apply leaves them: those that are new are created, and of
// the others is changed what the objects say.
func (w *World) Apply(context string, objects ...runtime.Object) []Outcome {
	var out []Outcome
	for _, o := range objects {
		m, err := toMap(o)
		if err != nil {
			out = append(out, outcome(Refused, "%v", err))
			continue
		}
		out = append(out, w.apply(context, "", m))
	}
	return out
}
