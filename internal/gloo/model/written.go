package model

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
)

// State is what a management plane says of an object.
type State string

// The states. The first one is the absence of one: the value zero is not written.
const (
	Pending  State = "PENDING"
	Accepted State = "ACCEPTED"
	Invalid  State = "INVALID"
	Failed   State = "FAILED"
)

// Written is an object that people wrote for a management plane.
type Written struct {
	*api.Object
	Row   resources.Row
	Plane *Plane
}

// Called names the object.
func (w *Written) Called() finding.Object {
	return finding.In(strings.ToLower(w.Kind()), w.Namespace, w.Name)
}

// Kind is the kind of the object: "VirtualMesh".
func (w *Written) Kind() string { return w.Row.About().Kind }

// Resource is what kubectl calls its kind, with the group: several groups have kinds of one name.
func (w *Written) Resource() string { return w.Row.About().Right().Called() }

// state is that in a part of a status; PENDING where there is none.
func state(status api.Fields) State {
	if s := status.String("state"); s != "" {
		return State(s)
	}
	return Pending
}

// State is what the plane says of the object.
func (w *Written) State() State { return state(w.Status) }

// Refused reports whether the plane says that it does not take the object.
func (w *Written) Refused() bool { return w.State() == Invalid || w.State() == Failed }

// Observed is the generation that the plane has seen.
func (w *Written) Observed() int64 { return w.Status.Int("observedGeneration") }

// How long a plane may take.
const (
	// Settled is how long it may take to look at what was written.
	Settled = time.Minute
	// Settling is how long it may take to write to its clusters.
	Settling = 5 * time.Minute
)

// Behind reports whether the plane has not seen what was written, for longer than it takes.
func (w *Written) Behind() bool {
	return w.Generation > 0 && w.Observed() != w.Generation && w.Plane.Cluster.Older(&w.ObjectMeta, Settled)
}

// Complaint is an error in a status, about a target where it names one.
type Complaint struct {
	// At is where in the status it is: "status.errors".
	At string
	// Of is the key of what it is about; "" for the object itself.
	Of   string
	Text string
}

// Complaints are the errors in the status: of the object, and of each mesh and target. One with a state
// other than ACCEPTED and no error has the state.
func (w *Written) Complaints() []Complaint {
	var out []Complaint
	for _, at := range []string{"errors", "validationErrors"} {
		for _, text := range w.Status.Strings(at) {
			out = append(out, Complaint{At: "status." + at, Text: text})
		}
	}
	for _, at := range slices.Concat([]string{"meshes"}, w.targets()) {
		states := w.Status.Fields(at)
		for _, key := range slices.Sorted(maps.Keys(states)) {
			of := states.Fields(key)
			texts := of.Strings("errors")
			if len(texts) == 0 && (state(of) == Invalid || state(of) == Failed) {
				texts = []string{string(state(of))}
			}
			for _, text := range texts {
				out = append(out, Complaint{At: "status." + at, Of: strings.TrimSuffix(key, "."), Text: text})
			}
		}
	}
	for _, c := range w.Status.List("conditions") {
		if c.String("state") == "FAILED" && c.String("message") != "" {
			out = append(out, Complaint{At: "status.conditions", Text: c.String("message")})
		}
	}
	return out
}

// targets are the names of the maps with a state for each target.
func (w *Written) targets() []string {
	if w.Row == w.Plane.Generation.VirtualMeshes {
		return []string{"destinations"} // 1.1
	}
	return w.Plane.TargetStates
}

// Unmatched are the services that a policy names and that its status does not: there is no such target.
func (w *Written) Unmatched() []api.Ref {
	known := map[string]bool{}
	for _, at := range w.Plane.TargetStates {
		for key := range w.Status.Fields(at) {
			known[strings.TrimSuffix(key, ".")] = true
		}
	}
	var out []api.Ref
	for _, selector := range w.Spec.List("destinationSelector") {
		for _, ref := range selector.Refs("kubeServiceRefs", "services") {
			if w.Plane.target(ref) == nil {
				out = append(out, ref)
			}
		}
	}
	return out
}

// target is the discovered service of a reference; nil where there is none.
func (p *Plane) target(ref api.Ref) *api.Object {
	for _, row := range p.Targets {
		for _, o := range p.Cluster.all(row) {
			if o.Spec.Ref("kubeService", "ref") == ref {
				return o
			}
		}
	}
	return nil
}

// findPolicies finds what people wrote besides VirtualMeshes.
func (p *Plane) findPolicies() {
	for _, row := range p.Generation.Policies {
		for _, o := range p.Cluster.all(row) {
			p.Policies = append(p.Policies, &Written{o, row, p})
		}
	}
}

// Kinds are the objects that people wrote, those of a kind together; no empty kind.
func (p *Plane) Kinds() [][]*Written {
	var out [][]*Written
	if len(p.VirtualMeshes) > 0 {
		var all []*Written
		for _, v := range p.VirtualMeshes {
			all = append(all, &v.Written)
		}
		out = append(out, all)
	}
	for _, row := range p.Generation.Policies {
		var all []*Written
		for _, w := range p.Policies {
			if w.Row == row {
				all = append(all, w)
			}
		}
		if len(all) > 0 {
			out = append(out, all)
		}
	}
	return out
}
