package ask

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

// mostAsked is how many proxies of a cluster are asked for their certificates.
const mostAsked = 3

// Certificates asks the longest running proxies of each cluster, of namespaces of their own
// as far as there are, which certificates they have.
func Certificates(ctx context.Context, by survey.Asker, fleet *facts.Fleet) map[string]facts.Read[[]facts.ProxyMaterial] {
	out, chosen := map[string]facts.Read[[]facts.ProxyMaterial]{}, map[string][]*facts.Pod{}
	var contexts []string
	for i := range fleet.Clusters {
		c := &fleet.Clusters[i]
		sample := resources.Proxies.Of(c)
		out[c.Context] = facts.Read[[]facts.ProxyMaterial]{State: sample.State, Reason: sample.Reason}
		if chosen[c.Context] = longestRunning(sample.Value); len(chosen[c.Context]) > 0 {
			contexts = append(contexts, c.Context)
		}
	}
	answers := survey.Ask(ctx, by, contexts, func(ctx context.Context, c survey.Cluster) ([]facts.Read[facts.Material], error) {
		var pods []podaccess.Pod
		for _, p := range chosen[c.Context] {
			pods = append(pods, podaccess.Pod{Namespace: p.Namespace, Name: p.Name})
		}
		return Materials(ctx, c, pods), nil
	})
	for name, answer := range answers {
		read := out[name]
		if answer.Err != nil {
			read = facts.Read[[]facts.ProxyMaterial]{State: facts.Failed, Reason: answer.Err.Error()}
		}
		for i, m := range answer.Value {
			read.Value = append(read.Value, facts.ProxyMaterial{Pod: chosen[name][i], Read: m})
		}
		out[name] = read
	}
	return out
}

// longestRunning are at most mostAsked pods that run, the oldest first, each of another namespace as
// far as there are.
func longestRunning(pods []facts.Pod) []*facts.Pod {
	var all []*facts.Pod
	for i := range pods {
		if p := &pods[i]; p.Phase == corev1.PodRunning && p.Deleted.IsZero() && p.Container(istio.ProxyContainer) != nil {
			all = append(all, p)
		}
	}
	slices.SortStableFunc(all, func(a, b *facts.Pod) int { return a.Created.Compare(b.Created) })
	var first, rest []*facts.Pod
	seen := map[string]bool{}
	for _, p := range all {
		if seen[p.Namespace] {
			rest = append(rest, p)
		} else {
			first = append(first, p)
		}
		seen[p.Namespace] = true
	}
	all = slices.Concat(first, rest)
	return all[:min(len(all), mostAsked)]
}
