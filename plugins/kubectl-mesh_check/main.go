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
	Name:  "mesh-check",
	Short: "Say how a whole service mesh is: every cluster, every area, one verdict",
	Long: `Check a service mesh (Istio) of one cluster or many: the clusters, control planes, versions,
injection, proxies, trust, networks, discovery and services. It only reads. Each area has a
line, from outside in. Then come the causes of what is wrong, in the order in which to fix
them: in which cluster, the evidence, and the command that fixes it. The last line is the
verdict.

Which clusters: --contexts a,b or --all-contexts; without either, the current context's
cluster and those that its remote secrets name.`,
	Example: `  # how is the mesh?
  %[1]s
  %[1]s --contexts east,west

  # the verdict alone, in a script
  %[1]s -q --fail-on warning

  # wait until an upgrade is through
  %[1]s --wait 10m

  # paste it into an issue
  %[1]s -o markdown

  # what does a code mean?
  %[1]s explain CP020`,
	Meshes: rules.Meshes(),
	Areas:  areas,
	Heap:   170 << 20, // what istiods say of tens of thousands of endpoints
	Main: func(f *command.Frame, root *cobra.Command) {
		f.AddCheckUp(root, command.CheckUp{Areas: areas, Deeper: deeper})
	},
}
