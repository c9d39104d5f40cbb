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
		Short: "Show which control plane watches which cluster, and by which remote secret",
		Long: `Show for each control plane (row) and cluster (column) whether it watches that cluster: ✓ it
does, ✗ it does not, and why; – it need not; ? that is not known, and why. -o wide adds a row
for each remote secret: what it holds, and to which context it really leads. "verify" has the
evidence, and the commands that fix it.

Where this is seen: in the API servers, by your own contexts, and in every replica of istiod,
by port-forward. No credential of a remote secret is used, unless with --connect: each is then
tried from this machine against the server in its own secret alone. What this machine does not reach
istiod may reach.`,
		Example: "  %[1]s secrets --contexts east,west\n  %[1]s secrets -o wide\n  %[1]s secrets --connect",
		Args:    cobra.NoArgs,
	}
	output := f.AddOutput(cmd)
	cmd.Flags().BoolVar(&connect, "connect", false, "Also try the credentials in the remote secrets, from this machine")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if connect && f.From != "" {
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
				out.Gaps = append(out.Gaps, g.Cluster+": "+g.Reason)
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
