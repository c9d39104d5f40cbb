package gloomesh

import (
	"context"

	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/network"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ask"
	istio "github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// try tries the addresses of gateways, where the user wishes it, and says which topic that is. The pods that the user
// names are Istio's.
func try(ctx context.Context, run *mesh.Run, of *model.Mesh) ([]rule.Topic, error) {
	wish, ok := mesh.Wish[mesh.Probing](run.Wishes)
	if !ok {
		return nil, nil
	}
	trials, err := ask.Targets(ctx, run.By, istio.New(run.Fleet, istio.Options{}), wish, network.Targets(of))
	if err != nil {
		return nil, err
	}
	of.Trials = trials
	return []rule.Topic{probing.Topic}, nil
}
