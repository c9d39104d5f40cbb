package istio

import (
	"cmp"
	"maps"
)

// placed are the labels of an endpoint with those of its place, which replace its own, but
// for its network (pilot/pkg/serviceregistry/util/label/label.go, AugmentLabels).
type placed struct {
	own                              map[string]string
	cluster, locality, node, network string
}

// placeLabels are those that a place gives.
var placeLabels = []string{labelRegion, labelZone, LabelSubzone, LabelCluster, labelHostname, LabelNetwork}

// ofPlace is what the place says for a label; "" where it says nothing.
func (p placed) ofPlace(label string) string {
	switch label {
	case labelRegion:
		return ParseLocality(p.locality).Region
	case labelZone:
		return ParseLocality(p.locality).Zone
	case LabelSubzone:
		return ParseLocality(p.locality).Subzone
	case LabelCluster:
		return p.cluster
	case labelHostname:
		return p.node
	case LabelNetwork:
		return cmp.Or(p.own[LabelNetwork], p.network)
	}
	return ""
}

// get is the value of a label, and whether there is one.
func (p placed) get(label string) (string, bool) {
	if value := p.ofPlace(label); value != "" {
		return value, true
	}
	value, ok := p.own[label]
	return value, ok
}

// value is the value of a label; "" where there is none.
func (p placed) value(label string) string {
	value, _ := p.get(label)
	return value
}

// match reports whether all of some labels are among them.
func (p placed) match(some map[string]string) bool {
	for k, v := range some {
		if got, ok := p.get(k); !ok || got != v {
			return false
		}
	}
	return true
}

// all are all of them.
func (p placed) all() map[string]string {
	out := maps.Clone(p.own)
	if out == nil {
		out = map[string]string{}
	}
	for _, label := range placeLabels {
		if value := p.ofPlace(label); value != "" {
			out[label] = value
		}
	}
	return out
}
