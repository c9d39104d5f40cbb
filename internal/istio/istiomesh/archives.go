package istiomesh

import (
	"context"

	"github.com/kubectl-mesh/kubectl-mesh/internal/input"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ask"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/bugreport"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
)

var (
	_ mesh.Archivist = Mesh{}
	_ mesh.Recorder  = Mesh{}
)

// Layouts are those of the archives of istioctl.
func (Mesh) Layouts() []input.Layout { return []input.Layout{bugreport.Layout{}} }

// Record is what control planes and some proxies say.
func (Mesh) Record(ctx context.Context, run *mesh.Run) map[string][]podaccess.Answer {
	return ask.Record(ctx, run.By, model.New(run.Fleet, model.Options{}))
}
