package command

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
)

// inForce are the meshes whose rules run on a fleet: those that are, or may be, in one of its
// clusters. Where there is none at all, the rules of all say what they looked for.
func (f *Frame) inForce(fleet *facts.Fleet) []mesh.Mesh {
	found := slices.DeleteFunc(slices.Clone(f.Plugin.Meshes), func(m mesh.Mesh) bool { return !f.present(fleet, m) })
	if len(found) == 0 {
		return f.Plugin.Meshes
	}
	return found
}

// present reports whether a mesh is, or may be, in some cluster of a fleet. Where what would
// tell was not read, and the cluster has another mesh, it is taken to have that one alone.
func (f *Frame) present(fleet *facts.Fleet, m mesh.Mesh) bool {
	for i := range fleet.Clusters {
		c := &fleet.Clusters[i]
		if c.Unreached != nil {
			continue
		}
		p := m.Presence(c)
		if p.Found || p.Unknown != (finding.Reason{}) && (p.Unknown.Kind != finding.NotRead || !f.hasAny(c)) {
			return true
		}
	}
	return false
}

// hasAny reports whether a cluster is known to have some mesh.
func (f *Frame) hasAny(c *facts.Cluster) bool {
	return slices.ContainsFunc(f.Plugin.Meshes, func(m mesh.Mesh) bool { return m.Presence(c).Found })
}

// nameCauses has meshes that drive others name causes in the result of all.
func (f *Frame) nameCauses(fleet *facts.Fleet, result *finding.Result) {
	for _, m := range f.inForce(fleet) {
		if e, ok := m.(mesh.Explainer); ok {
			e.Explain(fleet, result)
		}
	}
}
