// Package kubernetes has the rows of kinds that every mesh reads. A mesh says in its own
// package, with Keep, what it wants to be kept of them besides.
package kubernetes

import "slices"

// Wanted is what a mesh wants to be kept of the objects of this package, besides what is kept
// for all: names, labels, addresses, conditions. An environment, an annotation and the
// like can hold anything, so that what nobody wants is not kept.
type Wanted struct {
	// Containers and InitContainers are names of containers of pods.
	Containers, InitContainers []string
	// Env are the environment variables of these containers.
	Env []string
	// Volumes are names of volumes of pods of which it matters where they come from.
	Volumes []string
	// Reduce gives, by variable, what may be kept of its value; it does not change what
	// it gave itself.
	Reduce map[string]func(string) string
	// ServiceAccount reports whether the service account of pods with these labels is wanted.
	ServiceAccount func(labels map[string]string) bool
	// ServiceWriters reports whether it matters who wrote Services with these labels, and when.
	ServiceWriters func(labels map[string]string) bool
	// ServiceCondition reports whether a condition of Services is wanted, by its type.
	ServiceCondition func(kind string) bool
	// PodAnnotation, NamespaceAnnotation and ServiceAnnotation report whether an annotation
	// is wanted, and SliceLabel whether a label of EndpointSlices is.
	PodAnnotation, NamespaceAnnotation, ServiceAnnotation, SliceLabel func(key string) bool
}

// wanted is what the meshes want.
var wanted []Wanted

// Keep has more kept. It is for package initialisation: what is wanted does not change later.
func Keep(w Wanted) { wanted = append(wanted, w) }

// wants reports whether any mesh wants a key.
func wants(of func(*Wanted) func(string) bool, key string) bool {
	for i := range wanted {
		if want := of(&wanted[i]); want != nil && want(key) {
			return true
		}
	}
	return false
}

func (w *Wanted) podAnnotation() func(string) bool       { return w.PodAnnotation }
func (w *Wanted) namespaceAnnotation() func(string) bool { return w.NamespaceAnnotation }
func (w *Wanted) serviceAnnotation() func(string) bool   { return w.ServiceAnnotation }
func (w *Wanted) serviceCondition() func(string) bool    { return w.ServiceCondition }
func (w *Wanted) sliceLabel() func(string) bool          { return w.SliceLabel }

// only are the entries whose keys a mesh wants; nil for none.
func only(of func(*Wanted) func(string) bool, in map[string]string) map[string]string {
	var out map[string]string
	for k, v := range in {
		if wants(of, k) {
			if out == nil {
				out = map[string]string{}
			}
			out[k] = v
		}
	}
	return out
}

// isWanted reports whether a name is in a list of any mesh.
func isWanted(of func(*Wanted) []string, name string) bool {
	for i := range wanted {
		if slices.Contains(of(&wanted[i]), name) {
			return true
		}
	}
	return false
}

func (w *Wanted) containers() []string     { return w.Containers }
func (w *Wanted) initContainers() []string { return w.InitContainers }
func (w *Wanted) env() []string            { return w.Env }
func (w *Wanted) volumes() []string        { return w.Volumes }

// wantsAccount reports whether a mesh wants the service account of pods with these labels.
func wantsAccount(labels map[string]string) bool {
	return slices.ContainsFunc(wanted, func(w Wanted) bool { return w.ServiceAccount != nil && w.ServiceAccount(labels) })
}

// wantsWriters reports whether a mesh wants to know who wrote Services with these labels, and when.
func wantsWriters(labels map[string]string) bool {
	return slices.ContainsFunc(wanted, func(w Wanted) bool { return w.ServiceWriters != nil && w.ServiceWriters(labels) })
}

// reducer is what gives what may be kept of a variable's value; nil where all of it may.
func reducer(name string) func(string) string {
	for i := range wanted {
		if reduce := wanted[i].Reduce[name]; reduce != nil {
			return reduce
		}
	}
	return nil
}
