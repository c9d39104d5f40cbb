// Package istiod holds what package internal/istio predicts from the objects of
// API servers against what real istiods make of the same objects: over random
// topologies, each with real API servers, controllers and control planes. There
// are only tests in it.
package istiod
