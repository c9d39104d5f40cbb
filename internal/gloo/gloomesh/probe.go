package gloomesh

import (
	"context"

	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/network"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ask"
	istio "github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/probing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
)

// try tries the addresses of gateways, where the user wishes it, and says which topic that is. The pods that the user
// names are Istio's.
func try(ctx context.Context, run *mesh.Run, of *model.Mesh) ([]rule.Topic, error) {
	wish, ok := mesh.Wish[mesh.Probing](run.Wishes)
	if !ok {
		return nil, nil
	}
	trials, err := tryAll(ctx, run, of, wish)
	if err != nil {
		return nil, err
	}
	of.Trials = trials
	return []rule.Topic{probing.Topic}, nil
}

func tryAll(ctx context.Context, run *mesh.Run, of *model.Mesh, wish mesh.Probing) (probing.Trials, error) {
	return ask.Targets(ctx, run.By, istio.New(run.Fleet, istio.Options{}), wish, network.Targets(of))
}

// ProbeResources are the rows that tell what there is to try.
func (m Mesh) ProbeResources() resource.Set { return m.Resources(nil, mesh.Network) }

// Probe tries the addresses that management planes write to their clusters as those of gateways: what clients use, whether or
// not istiod knows a gateway there. It says what came of it, and what of the gateways is not known.
func (Mesh) Probe(ctx context.Context, run *mesh.Run, wish mesh.Probing) (probing.Trials, []mesh.Gap, error) {
	of := model.New(run.Fleet)
	trials, err := tryAll(ctx, run, of, wish)
	return trials, untried(of), err
}

// untried says of which clusters it is not known which gateways there are to try.
func untried(m *model.Mesh) []mesh.Gap {
	var out []mesh.Gap
	for _, c := range m.Clusters {
		for _, p := range c.Planes {
			for _, row := range p.Managing() {
				if why, lacks := rule.Lacks(c.Cluster, row); lacks {
					out = append(out, mesh.Gap{Cluster: c.Context, Reason: why.Text})
					break
				}
			}
		}
		if len(c.Planes) == 0 && len(c.Registered) == 0 {
			out = append(out, mesh.Gap{Cluster: c.Context, Reason: "the management cluster of Gloo Mesh is not among the clusters"})
		}
	}
	return out
}
