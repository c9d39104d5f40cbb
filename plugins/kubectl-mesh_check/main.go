// Command kubectl-mesh_check is the kubectl plugin mesh-check: the whole fleet, all areas,
// one verdict.
package main

import (
	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rules"
)

func main() { command.Main(plugin) }

// areas are all: what the other plugins verify, and the control planes.
var areas = []mesh.Area{mesh.Certs, mesh.Network, mesh.Endpoints, mesh.ControlPlane}

var plugin = command.Plugin{
	Name:       "mesh-check",
	Short:      "Say how a whole service mesh is: every cluster, every area, one verdict",
	Long:       `Check whole meshes (Istio, Linkerd, Gloo Mesh): how each area is, what to fix.`,
	Example:    `  %[1]s --contexts east,west`,
	Meshes:     rules.Meshes(),
	Areas:      areas,
	Illustrate: []command.Illustration{command.DrawMap, command.ListCertificates},
	Heap:       174 << 20, // what istiods say of tens of thousands of endpoints
	Main: func(f *command.Frame, root *cobra.Command) {
		f.AddCheckUp(root, command.CheckUp{Areas: areas, Deeper: deeper})
	},
}
