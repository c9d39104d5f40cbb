package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/views"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

func newLabels(f *command.Frame) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "labels",
		Short: "Compare what names the network of each cluster",
		Long: `Compare what says which network a cluster is on: the label of the system
namespace, the labels of gateways, what sidecars are injected with,
meshNetworks, and how many pods were given which network (ISTIO_META_NETWORK).
STATUS says what differs from the network of the cluster; -o wide lists the
workloads.`,
		Example: "  %[1]s labels --contexts east,west\n  %[1]s labels -o wide",
		Args:    cobra.NoArgs,
	}
	output := f.AddOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return f.List(cmd.Context(), output, lists, func(fleet *facts.Fleet) (command.Listing, error) {
			if others := f.Instead(fleet, istiomesh.Mesh{}); len(others) > 0 {
				return command.Listing{}, fmt.Errorf("the clusters have %s, which knows no networks that labels name; "+
					"\"%s map\" draws who reaches whom", finding.List(others), f.Display)
			}
			m := views.Labels(model.New(fleet, model.Options{}))
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
	views.LabelMatrix
}
