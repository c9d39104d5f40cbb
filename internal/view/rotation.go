package view

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/ways"
)

// Rotation is who refuses whose certificates after a change of CAs, until all proxies have renewed: a proxy that has
// not presents what it got before the change, and trusts what it trusted then.
type Rotation struct {
	// Clusters are those whose CA changes.
	Clusters []string  `json:"clusters"`
	Refusals []Refusal `json:"refusals"`
	// Unknown are clusters of the mesh of which it is not known, and why.
	Unknown []Gap `json:"unknown,omitempty"`
	// Fix is how the CA is changed without an interruption; none where nobody refuses anybody.
	Fix []finding.Step `json:"fix,omitempty"`
}

// Refusal is proxies that refuse the certificates of others.
type Refusal struct {
	// Refusing is the cluster of those that verify, Refused that of those that present a certificate.
	Refusing string `json:"refusing"`
	Refused  string `json:"refused"`
	// RefusingHas and RefusedHas are what they have.
	RefusingHas Material `json:"refusingHas"`
	RefusedHas  Material `json:"refusedHas"`
	// EnvoyOnly: Go, and so istiod, its agents and gRPC without proxies, accepts them; BoringSSL, and so Envoy, does not.
	EnvoyOnly bool `json:"envoyOnly,omitempty"`
	// Lasting: it does not end when proxies renew.
	Lasting bool `json:"lasting,omitempty"`
	// Reason says why, in a few words.
	Reason string `json:"reason"`
}

// Material is which certificate and roots a proxy has.
type Material string

// What proxies have.
const (
	Before    Material = "before"    // what they got before the change
	After     Material = "after"     // what they got after it
	Unchanged Material = "unchanged" // their cluster has no change
)

// Merge adds what another mesh has.
func (r *Rotation) Merge(with Rotation) {
	r.Clusters = finding.Distinct(slices.Concat(r.Clusters, with.Clusters))
	r.Refusals, r.Unknown = append(r.Refusals, with.Refusals...), append(r.Unknown, with.Unknown...)
	r.Fix = append(r.Fix, with.Fix...)
}

// Within are the refusals between proxies of one cluster, those alike together, each with its clusters.
func (r *Rotation) Within() (kinds []Refusal, clusters [][]string) {
	for _, f := range r.Refusals {
		if f.Refusing != f.Refused {
			continue
		}
		i := slices.IndexFunc(kinds, f.alike)
		if i < 0 {
			i = len(kinds)
			kinds, clusters = append(kinds, f), append(clusters, nil)
		}
		clusters[i] = append(clusters[i], f.Refusing)
	}
	return kinds, clusters
}

// Across are those between clusters, those alike together.
func (r *Rotation) Across() (kinds []Refusal, groups []ways.Group) {
	var across []Refusal
	for _, f := range r.Refusals {
		if f.Refusing != f.Refused {
			across = append(across, f)
		}
	}
	groups = ways.Gather(len(across), func(i int) (from, to string) { return across[i].Refusing, across[i].Refused },
		func(i, j int) bool { return across[i].alike(across[j]) })
	for _, g := range groups {
		kinds = append(kinds, across[g.At[0]])
	}
	return kinds, groups
}

// alike reports whether the same is said of other clusters.
func (f Refusal) alike(o Refusal) bool {
	return f.RefusingHas == o.RefusingHas && f.RefusedHas == o.RefusedHas && f.EnvoyOnly == o.EnvoyOnly && f.Lasting == o.Lasting
}
