package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remotesecrets"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

func newSecrets(f *command.Frame) *cobra.Command {
	connect := false
	cmd := &cobra.Command{
		Use:   "secrets",
		Short: "Show which control plane watches which cluster",
		Long: `Show for each control plane (row) and cluster (column) whether it watches that
cluster: ✓ it does, ✗ it does not, – it need not, ? that is not known; and
why. It is seen in the API servers and in every replica of istiod, by
port-forward. -o wide adds a row for each remote secret, and to which context
it leads.

With --connect the credential of each is tried from this machine, against the
server in its own secret alone. Istiod may reach what this machine does not.`,
		Example: `  %[1]s secrets --contexts east,west
  %[1]s secrets --connect`,
		Args: cobra.NoArgs,
	}
	output := f.AddOutput(cmd)
	cmd.Flags().BoolVar(&connect, "connect", false, "Also try the credentials in the remote secrets, from this machine")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if connect && f.Dumped() {
			return fmt.Errorf("--connect needs live clusters: a dump (--from) has no credentials")
		}
		return f.ListView(cmd.Context(), mesh.Peerings, output, resources.Secrets, func(fleet *facts.Fleet) (command.Listing, error) {
			l := istiomesh.Secrets(cmd.Context(), f.Run(fleet, areas...), connect)
			out := command.Listing{
				Document: secretsDocument{report.NewMeta("RemoteSecretList"), l},
				Table:    func(p *report.Page, wide bool) error { return secretsTable(p, l, wide) },
			}
			for _, s := range l.Secrets {
				out.Names = append(out.Names, s.Primary+"/secret/"+s.Namespace+"/"+s.Name+"/"+s.ClusterID)
			}
			for _, g := range l.Gaps {
				out.Gaps = append(out.Gaps, mesh.Gap(g))
			}
			return out, nil
		})
	}
	return cmd
}

// secretsDocument is what -o json and yaml print.
type secretsDocument struct {
	report.Meta
	remotesecrets.Listing
}
