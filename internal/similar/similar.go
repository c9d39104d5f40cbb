// Package similar finds the names that somebody may have meant.
package similar

import (
	"cmp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Names are at most most of names that look like name, the likest first, whatever their case:
// those that contain it or are contained in it, and those few edits away.
func Names(name string, names []string, most int) []string {
	type candidate struct {
		name     string
		distance int
	}
	var near []candidate
	low := strings.ToLower(name)
	for _, other := range names {
		lower := strings.ToLower(other)
		distance := levenshtein.ComputeDistance(low, lower)
		contained := len(low) > 1 && strings.Contains(lower, low) || len(lower) > 1 && strings.Contains(low, lower)
		if contained || distance <= max(2, len(low)/4) {
			near = append(near, candidate{other, distance})
		}
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	var out []string
	for _, c := range near[:min(most, len(near))] {
		out = append(out, c.name)
	}
	return out
}

// Typo is the name that differs from another one by no more than two letters, and least; "" for
// none.
func Typo(name string, names []string) string {
	best, at := "", 3
	for _, other := range names {
		if d := levenshtein.ComputeDistance(name, other); d < at {
			best, at = other, d
		}
	}
	return best
}
