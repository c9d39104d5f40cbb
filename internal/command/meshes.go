package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
)

// meshName is how a mesh is called on the command line: "gloo" for Gloo Mesh.
func meshName(m mesh.Mesh) string {
	name, _, _ := strings.Cut(strings.ToLower(m.Name()), " ")
	return name
}

func meshNames(meshes []mesh.Mesh) []string {
	var out []string
	for _, m := range meshes {
		out = append(out, meshName(m))
	}
	return out
}

// chooseMeshes has the plugin know those meshes alone that the user names.
func (f *Frame) chooseMeshes() error {
	if len(f.Only) == 0 {
		return nil
	}
	known := meshNames(f.Plugin.Meshes)
	for _, name := range f.Only {
		if !slices.Contains(known, name) {
			return fmt.Errorf("--mesh %s: the meshes are %s", name, finding.List(known))
		}
	}
	f.Plugin.Meshes = slices.DeleteFunc(slices.Clone(f.Plugin.Meshes), func(m mesh.Mesh) bool { return !slices.Contains(f.Only, meshName(m)) })
	return nil
}

// notFound is the error of a command that shows what clusters have of the meshes that the user names, where none has one
// of them; nil where the user names none.
func (f *Frame) notFound(fleet *facts.Fleet) error {
	if len(f.Only) == 0 || slices.ContainsFunc(f.Plugin.Meshes, func(m mesh.Mesh) bool { return f.present(fleet, m) }) {
		return nil
	}
	return fmt.Errorf("no cluster has the mesh that --mesh names: %s", finding.List(f.Only))
}

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
