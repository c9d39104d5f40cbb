// Package topology describes fleets of Istio clusters in a few words, as a Go
// value or as YAML, and says which Kubernetes objects that makes. It knows
// nothing of servers: package bed puts the objects into real ones, where real
// controllers, a real injector and a real istiod make of them what they do
// anywhere.
package topology
