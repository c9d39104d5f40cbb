package verdict

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
)

// Overview is what there is of a mesh in a fleet and what is well of it, in numbers of one
// snapshot.
type Overview struct {
	// Replicas is what people call the replicas of its control plane: "istiod".
	Replicas string
	// Bare: the mesh drives another one, and has no proxies of its own: nothing is said of those, nor of
	// Kubernetes.
	Bare bool
	// Clusters are those that have the mesh and were reached, in the order of the fleet.
	Clusters []ClusterOverview
	// Well says for an area in which nothing is wrong what is well, in at most 56 letters:
	// "6 of 6 istiods are ready". An area that is not there was not looked at, or has nothing to say.
	Well map[finding.Area]string
}

// ClusterOverview is what there is of a mesh in one cluster.
type ClusterOverview struct {
	// Context is the cluster's name in the fleet.
	Context string
	// Network is the network that it is on, Version that of its control plane, Kubernetes that of
	// its API server; "" where it has none or it is not known.
	Network, Version, Kubernetes string
	// Replicas are those of its control plane, Proxies those of its pods; nil where that is
	// not known.
	Replicas, Proxies *Count
	// Old counts the proxies that would be of another version if their pods were made now; nil where
	// that is not known.
	Old *int
}

// Count is how many of some things are ready.
type Count struct {
	Ready int `json:"ready"`
	Total int `json:"total"`
}

// Alike is what there is in several clusters in which the same is so: the sums of their counts.
type Alike struct {
	ClusterOverview
	// Contexts and Networks are those of the clusters.
	Contexts, Networks []string
}

// GatherAlike gathers clusters of one version in which all is ready, or in which something is not, those
// first; up to most clusters stay as they are.
func GatherAlike(clusters []ClusterOverview, most int) []Alike {
	type kind struct {
		version, kubernetes string
		well, known         bool
	}
	var out []Alike
	at := map[kind]int{}
	for _, c := range clusters {
		k := kind{c.Version, c.Kubernetes, c.Replicas.all() && c.Proxies.all(), c.Replicas != nil && c.Proxies != nil}
		i, there := at[k]
		// What is not ready has a row each: that is what is looked for.
		if !there || len(clusters) <= most || !k.well {
			at[k] = len(out)
			out = append(out, Alike{c, []string{c.Context}, []string{c.Network}})
			continue
		}
		a := &out[i]
		a.Contexts, a.Networks = append(a.Contexts, c.Context), append(a.Networks, c.Network)
		a.Replicas, a.Proxies = a.Replicas.plus(c.Replicas), a.Proxies.plus(c.Proxies)
		a.Old = plus(a.Old, c.Old)
	}
	if len(clusters) > most {
		slices.SortStableFunc(out, func(a, b Alike) int { return len(a.Contexts) - len(b.Contexts) })
	}
	return out
}

// all reports whether all are ready; what is not known is taken for that.
func (c *Count) all() bool { return c == nil || c.Ready == c.Total }

func (c *Count) plus(o *Count) *Count {
	if c == nil || o == nil {
		return nil
	}
	return &Count{c.Ready + o.Ready, c.Total + o.Total}
}

func plus(a, b *int) *int {
	if a == nil || b == nil {
		return nil
	}
	sum := *a + *b
	return &sum
}
