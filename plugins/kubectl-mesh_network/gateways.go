package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/network"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

func newGateways(f *command.Frame) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "gateways",
		Short: "List the gateways between networks, and whether they count",
		Long: `List everything that is meant to be a gateway between networks: Services and Gateways
with label topology.istio.io/network, and what the mesh networks name. Of each, where it
is reached, and whether istiod takes it for a gateway (STATUS). From where address and
port are, and which control planes announce it, is in -o wide. Host names are resolved by this
machine, unless the clusters are read from a dump; istiod resolves them for itself.`,
		Example: "  %[1]s gateways --contexts east,west\n  %[1]s gateways -o wide",
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
		options := network.Options{}
		if f.From == "" {
			resolveHostnames(cmd.Context(), f, fleet, defaultWait, &options)
		}
		listing := network.List(fleet, options)
		switch format {
		case report.JSON, report.YAML:
			err = report.Encode(f.Out, format, gatewaysDocument{report.NewMeta("GatewayList"), listing})
		case report.Name:
			for _, g := range listing.Gateways {
				fmt.Fprintln(f.Out, printable.Line(g.ID()))
			}
		default:
			err = gatewaysTable(f.Page(output), listing, fleet.At, format == report.Wide)
		}
		if err != nil {
			return err
		}
		sayGaps(f, listing.Gaps)
		return command.Unreachable(fleet)
	}
	return cmd
}

// sayGaps tells on the error stream what is missing.
func sayGaps(f *command.Frame, gaps []network.Gap) {
	for _, g := range gaps {
		fmt.Fprintf(f.ErrOut, "not listed: %s\n", printable.Line(g.Cluster+": "+g.Reason))
	}
}

// gatewaysDocument is what -o json and yaml print.
type gatewaysDocument struct {
	report.Meta
	network.Listing
}
