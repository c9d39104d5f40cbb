package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/endpoints"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/network"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remotesecrets"
	"github.com/kubectl-mesh/kubectl-mesh/internal/probe"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

func newVerify(f *command.Frame) *cobra.Command {
	namespace, selector := "", ""
	options := endpoints.Options{}
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Say what keeps control planes from seeing clusters, and services from being reached",
		Long: `Judge whether each control plane reads the clusters that it should, by the remote secrets,
by what the other clusters let it read, and by what every replica of istiod says of itself;
whether the proxies of each cluster are connected to the control plane that they should; and
every service that more than one cluster has, from each cluster to each other one, as
"diagnose" does for one of them. Root causes come first, with what they cause beneath them;
what breaks many services is one finding, with their number. Services that stay local because
somebody set it so are no finding.

No credential of a remote secret is used: "secrets --connect" does that. What could not be
judged is listed as such.`,
		Example: "  %[1]s verify --contexts east,west\n  %[1]s verify -n shop -l app=cart -o json",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().StringVarP(&namespace, "namespace", "n", "", "Judge the services of this namespace alone")
	cmd.Flags().StringVarP(&selector, "selector", "l", "", "Judge the services with these labels alone, as in kubectl get -l")
	check := func() error {
		options.Namespace = namespace
		if selector == "" {
			return nil
		}
		s, err := labels.Parse(selector)
		if err != nil {
			return fmt.Errorf("--selector %q: %w; write it as for kubectl get -l", selector, err)
		}
		options.Selects = func(l map[string]string) bool { return s.Matches(labels.Set(l)) }
		return nil
	}
	f.VerifyAsking(cmd, func() resource.Set { return reads }, check, func(ctx context.Context, fleet *facts.Fleet) (finding.Result, error) {
		seen := look(ctx, f, fleet, false)
		secrets := remotesecrets.Verify(fleet, seen)
		names := gatewayNames(ctx, f, network.Hostnames(fleet))
		options.Hosts, options.Known, options.Seen, options.Unsure = names.Addresses, known(fleet, secrets, names), &seen, remotesecrets.Unsure(fleet, seen)
		result := endpoints.Verify(fleet, options)
		// Those of remote secrets that it names as causes are in both.
		result.Findings = slices.DeleteFunc(result.Findings, func(f finding.Finding) bool {
			return slices.ContainsFunc(secrets.Findings, func(s finding.Finding) bool { return s.ID() == f.ID() })
		})
		result.Merge(secrets)
		return result, nil
	})
	return cmd
}

// known is what explains why requests do not get from cluster to cluster: what was
// found of remote secrets, and of networks and gateways.
func known(fleet *facts.Fleet, secrets finding.Result, names probe.Names) finding.Result {
	out := network.Verify(fleet, network.Options{Hosts: names.Addresses, HostFailures: names.Failed})
	out.Merge(secrets)
	// Who judges a dump knows that nobody is asked.
	out.Unknowns = slices.DeleteFunc(out.Unknowns, func(u finding.Unknown) bool { return u.Reason.Kind == finding.NotAsked })
	return out
}
