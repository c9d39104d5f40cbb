package istio

import (
	"maps"
	"slices"
)

// ServiceRef is a Service that some cluster has.
type ServiceRef struct {
	Namespace, Name string
	// Clusters are the IDs of those that have it, in the order of Clusters; the
	// Service of the first is the one that counts.
	Clusters []string
	// Ports are the numbers of all its ports, in whichever cluster.
	Ports []int
}

// Host is the host of the Service in the mesh.
func (s ServiceRef) Host() string { return hostname(s.Namespace, s.Name) }

// Services are all Services that the control plane sees, by namespace and name.
func (v *View) Services() []ServiceRef {
	found := map[string]*ServiceRef{}
	for _, m := range v.members {
		for key, s := range m.services {
			ref := found[key]
			if ref == nil {
				ref = &ServiceRef{Namespace: s.Namespace, Name: s.Name}
				found[key] = ref
			}
			ref.Clusters = append(ref.Clusters, m.id)
			for _, p := range s.Spec.Ports {
				if !slices.Contains(ref.Ports, int(p.Port)) {
					ref.Ports = append(ref.Ports, int(p.Port))
				}
			}
		}
	}
	var out []ServiceRef
	for _, key := range slices.Sorted(maps.Keys(found)) {
		slices.Sort(found[key].Ports)
		out = append(out, *found[key])
	}
	return out
}
