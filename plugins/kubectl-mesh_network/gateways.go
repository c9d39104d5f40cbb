package main

import (
	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiomesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/views"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

func newGateways(f *command.Frame) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "gateways",
		Short: "List the gateways between networks, and whether istiod uses them",
		Long: `List what is meant to be a gateway between networks: Services and Gateways
with label topology.istio.io/network, and what meshNetworks name; what is
wrong first. -o wide adds the fields that address and port are from, and the
control planes that use the gateway. This machine resolves host names; istiod
does so itself.`,
		Example: "  %[1]s gateways --contexts east,west\n  %[1]s gateways -o wide",
		Args:    cobra.NoArgs,
	}
	output := f.AddOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return f.ListView(cmd.Context(), mesh.Gateways, output, lists, func(fleet *facts.Fleet) (command.Listing, error) {
			m, result, err := istiomesh.Check(cmd.Context(), f.Run(fleet, areas...))
			if err != nil {
				return command.Listing{}, err
			}
			l := views.Gateways(m, result)
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

// gaps say what could not be shown.
func gaps(of []views.Gap) []mesh.Gap {
	var out []mesh.Gap
	for _, g := range of {
		out = append(out, mesh.Gap(g))
	}
	return out
}

// gatewaysDocument is what -o json and yaml print.
type gatewaysDocument struct {
	report.Meta
	views.GatewayList
}
