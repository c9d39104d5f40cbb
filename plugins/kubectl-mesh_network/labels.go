package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/network"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
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
		format, err := output.Format()
		if err != nil {
			return err
		}
		fleet, err := f.Gather(cmd.Context(), lists)
		if err != nil {
			return err
		}
		matrix := network.Compare(fleet)
		switch format {
		case report.JSON, report.YAML:
			err = report.Encode(f.Out, format, labelsDocument{report.NewMeta("NetworkLabels"), matrix})
		case report.Name:
			for _, name := range matrix.Networks {
				fmt.Fprintln(f.Out, "network/"+printable.Line(name))
			}
		default:
			err = labelsTable(f.Page(output), matrix, format == report.Wide)
		}
		if err != nil {
			return err
		}
		sayGaps(f, matrix.Gaps)
		return command.Unreachable(fleet)
	}
	return cmd
}

// labelsDocument is what -o json and yaml print.
type labelsDocument struct {
	report.Meta
	network.Matrix
}
