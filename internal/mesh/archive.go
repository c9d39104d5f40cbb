package mesh

import (
	"context"

	"github.com/kubectl-mesh/kubectl-mesh/internal/input"
	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
)

// Archivist is a mesh whose own tools write archives.
type Archivist interface {
	Mesh
	// Layouts say how its tools lay out what they write.
	Layouts() []input.Layout
}

// Recorder is a mesh whose pods are asked, so that a dump has what they said.
type Recorder interface {
	Mesh
	// Record are the answers of pods in the fleet of a run, by context, without what is secret.
	Record(ctx context.Context, run *Run) map[string][]podaccess.Answer
}
