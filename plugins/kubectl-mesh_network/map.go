package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/report"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
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

STATUS says what API objects tell: ok, partial (some requests do not arrive), broken, or
unknown, where something that decides could not be read. Nothing is connected to; this
machine resolves the host names of gateways, unless the clusters are from a dump.

Of Linkerd each Link is a way: through its gateway, or to pods by remote discovery.

-o dot is for Graphviz, -o mermaid for Markdown, -o svg for a browser.`,
		Example: "  %[1]s map --contexts east,west\n  %[1]s map -o svg > mesh.svg\n  %[1]s map -o dot | dot -Tpng > mesh.png",
		Args:    cobra.NoArgs,
	}
	output := f.AddOutput(cmd, dot, mermaid, svg)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return f.List(cmd.Context(), output, f.Resources(nil, areas...), func(fleet *facts.Fleet) (command.Listing, error) {
			m, err := f.Map(cmd.Context(), fleet)
			if err != nil {
				return command.Listing{}, err
			}
			out := command.Listing{
				Document: mapDocument{report.NewMeta("NetworkMap"), m}, Gaps: gaps(m.Gaps),
				Drawings: map[report.Format]func() []byte{
					dot:     func() []byte { return mapDOT(m) },
					mermaid: func() []byte { return mapMermaid(m) },
					svg:     func() []byte { return mapSVG(m) },
				},
				Table: func(p *report.Page, wide bool) error {
					mapText(p, m, wide)
					return nil
				},
			}
			for _, r := range m.Routes {
				out.Names = append(out.Names, fmt.Sprintf("%s/%s/%s", r.Status, r.From, r.To))
			}
			return out, nil
		})
	}
	return cmd
}

// mapDocument is what -o json and yaml print.
type mapDocument struct {
	report.Meta
	view.NetworkMap
}
