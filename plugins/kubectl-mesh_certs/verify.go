package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/certs"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/survey"
)

func newVerify(f *command.Frame) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Say what is wrong with the certificates of the mesh",
		Long: `Judge the certificate authorities of all clusters, and whether each trusts the others.
Root causes come first, with what they cause beneath them. What could not be judged,
for instance because secrets may not be read, is listed as such.

With --proxies some of the longest running pods with a sidecar in each cluster are asked, by
port-forward or exec, which certificate they present and which roots they trust: after a
change of roots workloads have old ones for up to 12 hours.`,
		Example: "  %[1]s verify --contexts east,west\n  %[1]s verify --proxies\n  %[1]s verify -o json --fail-on warning",
		Args:    cobra.NoArgs,
	}
	options := certs.Options{ExpiryWarn: certs.DefaultExpiryWarn}
	expiry := cmd.Flags().String("expiry-warn", "30d", "Report certificates that end within this time, e.g. 30d or 72h")
	check := func() (err error) {
		options.ExpiryWarn, err = parseDays(*expiry)
		return err
	}
	proxies := cmd.Flags().Bool("proxies", false, "Also ask some proxies of each cluster which certificates they have")
	sources := func() resource.Set {
		if *proxies {
			return resource.Join(resources.Trust, resources.Proxies)
		}
		return resources.Trust
	}
	f.VerifyAsking(cmd, sources, check, func(ctx context.Context, fleet *facts.Fleet) (finding.Result, error) {
		if *proxies {
			options.Proxies = materials(ctx, f, fleet)
		}
		return certs.Verify(fleet, options), nil
	})
	return cmd
}

// mostAsked is how many proxies of a cluster are asked.
const mostAsked = 3

// materials asks the longest running proxies of each cluster, of namespaces of their own as
// far as there are, which certificates they have.
func materials(ctx context.Context, f *command.Frame, fleet *facts.Fleet) map[string]facts.Read[[]facts.ProxyMaterial] {
	out, chosen := map[string]facts.Read[[]facts.ProxyMaterial]{}, map[string][]*facts.Pod{}
	var contexts []string
	for i := range fleet.Clusters {
		c := &fleet.Clusters[i]
		out[c.Context] = facts.Read[[]facts.ProxyMaterial]{State: resources.Proxies.Of(c).State, Reason: resources.Proxies.Of(c).Reason}
		if chosen[c.Context] = longestRunning(resources.Proxies.Of(c).Value, mostAsked); len(chosen[c.Context]) > 0 {
			contexts = append(contexts, c.Context)
		}
	}
	answers := survey.Ask(ctx, f, contexts, func(ctx context.Context, c survey.Cluster) ([]facts.Read[facts.Material], error) {
		var pods []podaccess.Pod
		for _, p := range chosen[c.Context] {
			pods = append(pods, podaccess.Pod{Namespace: p.Namespace, Name: p.Name})
		}
		return survey.Materials(ctx, c, pods), nil
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

// longestRunning are at most n pods that run, the oldest first, each of another namespace as
// far as there are.
func longestRunning(pods []facts.Pod, n int) []*facts.Pod {
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
	all = append(first, rest...)
	return all[:min(len(all), n)]
}

// parseDays reads a duration that may be given in days, the unit in which
// people think of certificates.
func parseDays(s string) (time.Duration, error) {
	var days int
	if n, err := fmt.Sscanf(s, "%dd", &days); err == nil && n == 1 && fmt.Sprintf("%dd", days) == s && days >= 0 && days <= 36500 {
		return time.Duration(days) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("--expiry-warn %q is not a time; write it like 30d or 72h", s)
	}
	return d, nil
}
