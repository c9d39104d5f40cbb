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
	// Warned and Unlicensed are of releases from 2.0 on.
	Warned     State = "WARNING"
	Unlicensed State = "UNLICENSED"
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

// State is what the plane says of the object. Of some kinds it writes errors alone.
func (w *Written) State() State {
	if path := w.Plane.Approval; len(path) > 0 && w.Status.Has(path...) {
		if s := w.Status.Fields(path...).String("approval"); s != "" {
			return State(s)
		}
		return Pending
	}
	if s := state(w.Status); s != Pending || !w.IsFurther() || len(w.Complaints()) == 0 {
		return s
	}
	return Invalid
}

// IsFurther reports whether the object is of a kind of which the errors count that it has, and no more.
func (w *Written) IsFurther() bool { return slices.Contains(w.Plane.Further, w.Row) }

// Refused reports whether the plane says that it does not take the object, or not for each mesh that has it.
func (w *Written) Refused() bool {
	return slices.Contains([]State{Invalid, Failed, Unlicensed}, w.State()) || len(w.byMeshes()) > 0
}

// Unseen reports whether no part of the installation looks at the object: the kind is one of Gloo Mesh Enterprise, of which
// open releases have the definitions (install/helm/gloo-mesh-crds).
func (w *Written) Unseen() bool {
	return strings.HasSuffix(w.Row.About().Group, api.EnterpriseDomain) && w.Plane.Main().Name == resources.Networking &&
		w.Plane.Main().Deployment != nil
}

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
	return !w.IsFurther() && w.Generation > 0 && w.Observed() != w.Generation && w.Plane.Cluster.Older(&w.ObjectMeta, Settled)
}

// Complaint is an error in a status, about a target where it names one.
type Complaint struct {
	// At is where in the status it is: "status.errors".
	At string
	// Of is the key of what it is about; "" for the object itself.
	Of   string
	Text string
}

// Complaints are the errors in the status: of the object, and of each mesh, target and workload. One with a state
// other than ACCEPTED and no error has the state.
func (w *Written) Complaints() []Complaint {
	var out []Complaint
	for _, at := range []string{"errors", "validationErrors"} {
		for _, text := range w.Status.Strings(at) {
			out = append(out, Complaint{At: "status." + at, Text: text})
		}
	}
	if text := w.Status.String("error"); text != "" {
		out = append(out, Complaint{At: "status.error", Text: text})
	}
	if path := append(slices.Clone(w.Plane.Approval), "message"); len(path) > 1 && w.Status.String(path...) != "" {
		out = append(out, Complaint{At: "status." + strings.Join(path, "."), Text: w.Status.String(path...)})
	}
	for _, at := range slices.Concat([]string{"meshes"}, w.targets(), []string{"workloads"}) {
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
	deployed := w.Status.Fields("workloadStates")
	for _, key := range slices.Sorted(maps.Keys(deployed)) {
		if state := deployed.String(key); state == "DEPLOYMENT_FAILED" {
			out = append(out, Complaint{At: "status.workloadStates", Of: strings.TrimSuffix(key, "."), Text: state})
		}
	}
	for _, c := range w.Status.List("conditions") {
		if c.String("state") == "FAILED" && c.String("message") != "" {
			out = append(out, Complaint{At: "status.conditions", Text: c.String("message")})
		}
	}
	return append(out, w.byMeshes()...)
}

// byMeshes are the errors of an object that are in the statuses of meshes: those of VirtualDestinations are there also.
func (w *Written) byMeshes() []Complaint {
	if w.Row != resources.VirtualDestinations {
		return nil
	}
	var out []Complaint
	for _, m := range w.Plane.Members {
		for _, applied := range m.Status.List("appliedVirtualDestinations") {
			if applied.Ref("ref") != w.Ref() {
				continue
			}
			for _, text := range applied.Strings("errors") {
				out = append(out, Complaint{At: m.Discovered().String() + ", status.appliedVirtualDestinations", Text: text})
			}
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
	for _, row := range slices.Concat(p.Generation.Policies, p.Further) {
		for _, o := range p.Cluster.all(row) {
			p.Policies = append(p.Policies, &Written{o, row, p})
		}
	}
	if o := p.Cluster.find(p.Generation.Settings, p.Installed, usualSettings); o != nil {
		p.Settings = &Written{o, p.Generation.Settings, p}
		p.Policies = append(p.Policies, p.Settings)
	}
}

// usualSettings is the name of the Settings that a management plane reads, unless it is told another one
// (install/helm/gloo-mesh/templates/settings.yaml).
const usualSettings = "settings"

// Unset reports whether the plane stops before it looks at anything: there are no Settings where it looks for them, and it has
// not seen what was written (reconciliation/networking_reconciler.go, syncSettings).
func (p *Plane) Unset() bool {
	row := p.Generation.Settings
	if row == nil || !row.Of(p.Cluster.Cluster).Known() || len(resources.Served(p.Cluster.Cluster, row.About().Group)) == 0 || !p.Works() {
		return false
	}
	behind := func(w *Written) bool { return w.Behind() }
	return len(p.Cluster.all(row)) == 0 && (slices.ContainsFunc(p.Policies, behind) ||
		slices.ContainsFunc(p.VirtualMeshes, func(v *VirtualMesh) bool { return v.Behind() }))
}

// Kinds are the objects that people wrote and the plane looks at, those of a kind together; no empty kind.
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
			if w.Row == row && !w.Unseen() {
				all = append(all, w)
			}
		}
		if len(all) > 0 {
			out = append(out, all)
		}
	}
	return out
}
