package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/endpoints"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/network"
)

func newVerify(f *command.Frame) *cobra.Command {
	namespace, selector := "", ""
	options := endpoints.Options{}
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Say what keeps services from being reached across clusters",
		Long: `Judge every service that more than one cluster has, from each cluster to each other one, as
"diagnose" does for one of them. What breaks many services is one finding, with their number.
Services that stay local because somebody set it so are no finding.`,
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
	f.Verify(cmd, reads, check, func(fleet *facts.Fleet) finding.Result {
		options.Known = network.Verify(fleet, network.Options{})
		return endpoints.Verify(fleet, options)
	})
	return cmd
}
