package ask

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/endpoints"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/envoy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// Paths asks the proxies of the paths of a diagnosis that reach what they have of the service.
func Paths(ctx context.Context, by survey.Asker, d *endpoints.Diagnosis) endpoints.Live {
	sources := map[string][]endpoints.Source{}
	for _, s := range d.Sources() {
		sources[s.Cluster] = append(sources[s.Cluster], s)
	}
	out := endpoints.Live{}
	contexts := slices.Sorted(maps.Keys(sources))
	answers := survey.Ask(ctx, by, contexts, func(ctx context.Context, c survey.Cluster) ([]facts.Read[[]envoy.Cluster], error) {
		var pods []podaccess.Pod
		for _, s := range sources[c.Context] {
			namespace, name, _ := strings.Cut(s.Pod, "/")
			pods = append(pods, podaccess.Pod{Namespace: namespace, Name: name})
		}
		return Envoys(ctx, c, pods, []string{d.Host}), nil
	})
	for name, answer := range answers {
		if errors.Is(answer.Err, survey.ErrDump) {
			continue // nobody was asked
		}
		for i, s := range sources[name] {
			if answer.Err != nil {
				out[s] = facts.Read[[]envoy.Cluster]{State: facts.Failed, Reason: answer.Err.Error()}
			} else {
				out[s] = answer.Value[i]
			}
		}
	}
	return out
}
