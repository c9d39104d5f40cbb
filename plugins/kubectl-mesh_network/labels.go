package main

import (
	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/network"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

func newLabels(f *command.Frame) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "labels",
		Short: "Compare what names the network of each cluster",
		Long: `Compare what says which network a cluster is: the label of the system namespace, the
labels of gateways, what sidecars are injected with, the mesh networks, and how many pods
with a proxy were given which network (ISTIO_META_NETWORK). ODD counts the pods that are not
where most are; -o wide lists their workloads.`,
		Example: "  %[1]s labels --contexts east,west\n  %[1]s labels -o wide",
		Args:    cobra.NoArgs,
	}
	output := f.AddOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return f.List(cmd.Context(), output, lists, func(fleet *facts.Fleet) (command.Listing, error) {
			m := network.Compare(fleet)
			out := command.Listing{
				Document: labelsDocument{report.NewMeta("NetworkLabels"), m}, Gaps: gaps(m.Gaps),
				Table: func(p *report.Page, wide bool) error { return labelsTable(p, m, wide) },
			}
			for _, name := range m.Networks {
				out.Names = append(out.Names, "network/"+name)
			}
			return out, nil
		})
	}
	return cmd
}

// labelsDocument is what -o json and yaml print.
type labelsDocument struct {
	report.Meta
	network.Matrix
}
