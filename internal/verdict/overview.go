package verdict

import "github.com/kubectl-mesh/kubectl-mesh/internal/finding"

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
