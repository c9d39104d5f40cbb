package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/network"
	"github.com/kubectl-mesh/kubectl-mesh/internal/printable"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
)

// The formats of drawings.
const (
	dot     report.Format = "dot"
	mermaid report.Format = "mermaid"
	svg     report.Format = "svg"
)

func newMap(f *command.Frame) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "map",
		Short: "Draw the networks, their gateways, and who reaches whom",
		Long: `Draw the fleet: clusters by network, the gateways to each network with their addresses,
and how clients in each cluster get to workloads in each other one: directly on one
network, through which gateway, or not at all, and then the finding that explains it
(explain CODE). What is broken comes first; -o wide lists each pair of clusters.

STATUS says what API objects tell: ok, partly (some requests do not arrive), broken, or
unknown, where something that matters could not be read. Nothing is connected to; host
names of gateways are resolved by this machine, unless the clusters are from a dump.

-o dot is for Graphviz, -o mermaid for Markdown, -o svg for a browser.`,
		Example: "  %[1]s map --contexts east,west\n  %[1]s map -o svg > mesh.svg\n  %[1]s map -o dot | dot -Tpng > mesh.png",
		Args:    cobra.NoArgs,
	}
	output := f.AddOutput(cmd, dot, mermaid, svg)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		format, err := output.Format()
		if err != nil {
			return err
		}
		fleet, err := f.Gather(cmd.Context(), judges)
		if err != nil {
			return err
		}
		options := network.Options{}
		if f.From == "" {
			resolveHostnames(cmd.Context(), f, fleet, defaultWait, &options)
		}
		drawn := network.Draw(fleet, options)
		switch format {
		case report.JSON, report.YAML:
			err = report.Encode(f.Out, format, mapDocument{report.NewMeta("NetworkMap"), drawn})
		case report.Name:
			for _, r := range drawn.Routes {
				fmt.Fprintln(f.Out, printable.Line(fmt.Sprintf("%s/%s/%s", r.Status, r.From, r.To)))
			}
		case dot:
			_, err = f.Out.Write(mapDOT(drawn))
		case mermaid:
			_, err = f.Out.Write(mapMermaid(drawn))
		case svg:
			_, err = f.Out.Write(mapSVG(drawn))
		default:
			mapText(f.Page(output), drawn, format == report.Wide)
		}
		if err != nil {
			return err
		}
		sayGaps(f, drawn.Gaps)
		return command.Unreachable(fleet)
	}
	return cmd
}

// mapDocument is what -o json and yaml print.
type mapDocument struct {
	report.Meta
	network.Map
}
