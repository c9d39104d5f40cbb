package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/network"
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
		return f.List(cmd.Context(), output, lists, func(fleet *facts.Fleet) (command.Listing, error) {
			l := network.List(fleet, resolved(cmd.Context(), f, fleet))
			out := command.Listing{
				Document: gatewaysDocument{report.NewMeta("GatewayList"), l}, Gaps: gaps(l.Gaps),
				Table: func(p *report.Page, wide bool) error { return gatewaysTable(p, l, fleet.At, wide) },
			}
			for _, g := range l.Gateways {
				out.Names = append(out.Names, g.ID())
			}
			return out, nil
		})
	}
	return cmd
}

// resolved are the options of what is not probed: host names are looked up, unless the
// clusters were read from a dump.
func resolved(ctx context.Context, f *command.Frame, fleet *facts.Fleet) (options network.Options) {
	if f.From == "" {
		resolveHostnames(ctx, f, fleet, defaultWait, &options)
	}
	return options
}

// gaps say what could not be listed.
func gaps(of []network.Gap) []string {
	var out []string
	for _, g := range of {
		out = append(out, g.Cluster+": "+g.Reason)
	}
	return out
}

// gatewaysDocument is what -o json and yaml print.
type gatewaysDocument struct {
	report.Meta
	network.Listing
}
