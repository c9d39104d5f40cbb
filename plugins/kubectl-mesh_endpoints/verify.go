package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
)

func newVerify(f *command.Frame) *cobra.Command {
	namespace, selector := "", ""
	var selects func(map[string]string) bool
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Say what keeps control planes from seeing clusters, and services from being reached",
		Long: `Check whether each control plane watches the clusters that it should, by the remote secrets,
by what the other clusters let it read, and by what every replica of istiod says of itself;
whether the proxies of each cluster are connected to the control plane that they should; and
every service that more than one cluster has, from each cluster to each other one, as
"diagnose" does for one of them. Root causes come first, with what they cause beneath them;
what breaks many services is one finding, with their number. Services that stay local because
somebody set it so are no finding.

No credential of a remote secret is used: "secrets --connect" does that. What could not be
checked is listed as such.`,
		Example: "  %[1]s verify --contexts east,west\n  %[1]s verify -n shop -l app=cart -o json",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().StringVarP(&namespace, "namespace", "n", "", "Check the services of this namespace alone")
	cmd.Flags().StringVarP(&selector, "selector", "l", "", "Check the services with these labels alone, as in kubectl get -l")
	f.Verify(cmd, command.Verification{
		Areas: areas,
		Check: func() error {
			if selector == "" {
				return nil
			}
			s, err := labels.Parse(selector)
			if err != nil {
				return fmt.Errorf("--selector %q: %w; write it as for kubectl get -l", selector, err)
			}
			selects = func(l map[string]string) bool { return s.Matches(labels.Set(l)) }
			return nil
		},
		Wishes: func() []any { return []any{mesh.Services{Namespace: namespace, Selects: selects}} },
	})
	return cmd
}
