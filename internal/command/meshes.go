package command

import (
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
)

// inForce are the meshes whose rules run on a fleet: those that are, or may be, in one of its
// clusters. A mesh of which too little was asked to tell counts only where none is found; where there is
// none at all, the rules of all say what they looked for.
func (f *Frame) inForce(fleet *facts.Fleet) []mesh.Mesh {
	var found, doubtful []mesh.Mesh
	for _, m := range f.Plugin.Meshes {
		there, doubt := false, false
		for i := range fleet.Clusters {
			c := &fleet.Clusters[i]
			if c.Unreached != nil {
				continue
			}
			p := m.Presence(c)
			there = there || p.Found || p.Unknown.Kind == finding.Forbidden || p.Unknown.Kind == finding.Failed
			doubt = doubt || p.Unknown != (finding.Reason{})
		}
		switch {
		case there:
			found = append(found, m)
		case doubt:
			doubtful = append(doubtful, m)
		}
	}
	switch {
	case len(found) > 0:
		return found
	case len(doubtful) > 0:
		return doubtful
	}
	return f.Plugin.Meshes
}
