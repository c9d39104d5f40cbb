// Package mesh holds what internal/istio predicts of networks, gateways, remote
// clusters and endpoints against istiod's own code: its registries, its merging of
// clusters and its endpoint builder run here on the objects of random fleets.
package mesh
