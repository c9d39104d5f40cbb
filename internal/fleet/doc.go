// Package fleet answers which clusters a run is about, how each is reached, and
// runs one function on all of them at once, with an outcome per cluster.
//
// The clusters are contexts of the user's kubeconfig. What is wrong with one of
// them, from an entry that cannot be used to an API server that never answers,
// is that cluster's outcome and never another's.
package fleet
