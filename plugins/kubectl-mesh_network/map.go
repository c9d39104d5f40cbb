package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/drawing"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
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
		Long: `Draw the clusters by network, the gateways to each network, and how clients in
each cluster get to workloads in each other one: directly, through a gateway,
or not at all, and then the code of the finding. STATUS says what API objects
tell: ok, partial (some requests do not arrive), broken or unknown. Nothing is
tried. Of Linkerd each Link is a way; of Gloo Mesh, the federated names of one
cluster in another.

-o wide lists each pair of clusters; -o dot is for Graphviz, -o mermaid for
Markdown, -o svg for a browser.`,
		Example: `  %[1]s map --contexts east,west
  %[1]s map -o svg > mesh.svg`,
		Args: cobra.NoArgs,
	}
	output := f.AddOutput(cmd, dot, mermaid, svg)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return f.List(cmd.Context(), output, f.Resources(nil, areas...), func(fleet *facts.Fleet) (command.Listing, error) {
			m, err := f.Map(cmd.Context(), fleet)
			if err != nil {
				return command.Listing{}, err
			}
			seen := drawing.Short(f.Page(output), m) // a drawing is for people
			out := command.Listing{
				Document: mapDocument{report.NewMeta("NetworkMap"), m}, Gaps: gaps(m.Gaps),
				Drawings: map[report.Format]func() []byte{
					dot:     func() []byte { return drawing.DOT(seen) },
					mermaid: func() []byte { return drawing.Mermaid(seen) },
					svg:     func() []byte { return drawing.SVG(seen) },
				},
				Table: func(p *report.Page, wide bool) error {
					if err := drawing.Text(p, m, wide); err != nil {
						return err
					}
					next(p, m, f.Again())
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

// verifiers are the commands that say what fixes a way, by the area of the code that names what is
// wrong with it.
var verifiers = map[finding.Area]string{finding.Networks: "mesh-network", finding.Trust: "mesh-certs"}

// next names the commands that say what fixes the ways that are not ok, about the clusters that
// flags name.
func next(p *report.Page, m view.NetworkMap, flags []string) {
	broken, unexplained := 0, false
	var plugins []string
	for _, r := range m.Routes {
		if r.Status != view.RouteBroken && r.Status != view.RoutePartial {
			continue
		}
		broken++
		unexplained = unexplained || len(r.Codes) == 0
		for _, code := range r.Codes[:min(1, len(r.Codes))] {
			plugin := "mesh-endpoints"
			if entry, err := finding.Lookup(string(code)); err == nil {
				plugin = cmp.Or(verifiers[entry.Area], plugin)
			}
			if strings.HasPrefix(string(code), "CP") {
				unexplained = true // mesh-check alone says it
				continue
			}
			if !slices.Contains(plugins, plugin) {
				plugins = append(plugins, plugin)
			}
		}
	}
	if broken == 0 {
		return
	}
	p.Blank()
	p.Wrapped("", fmt.Sprintf("Not ok: %s. What fixes them:", finding.Plural(broken, "way")))
	for _, plugin := range plugins {
		p.Command("  ", finding.Shell(slices.Concat([]string{"kubectl", plugin, "verify"}, flags)...))
	}
	if unexplained {
		p.Command("  ", finding.Shell(slices.Concat([]string{"kubectl", "mesh-check"}, flags)...))
	}
}

// mapDocument is what -o json and yaml print.
type mapDocument struct {
	report.Meta
	view.NetworkMap
}
