// Command kubectl-mesh_endpoints is the kubectl plugin mesh-endpoints: does each
// control plane see the other clusters, and which endpoints does a source get?
package main

import (
	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rules"
)

func main() { command.Main(plugin) }

// areas are those that the plugin is about.
var areas = []mesh.Area{mesh.Endpoints}

var plugin = command.Plugin{
	Name:  "mesh-endpoints",
	Short: "Find out why a service of one cluster is not reached from another",
	Long: `Find out why traffic of a service mesh (Istio, Linkerd, Gloo Mesh) stays
local, fails, or goes where it should not: control planes that do not watch
another cluster, endpoints that a proxy does not get. It only reads, and says
what is wrong, in which cluster, the evidence, and the command that fixes it.

Clusters: --contexts a,b; without it those to which the current context leads.`,
	Example: `  %[1]s diagnose cart.shop --contexts east,west`,
	Meshes:  rules.Meshes(),
	Areas:   areas,
	Reads:   command.DiagnosisRows(rules.Meshes()),
	Heap:    166 << 20, // what istiods say of tens of thousands of endpoints
	Commands: func(f *command.Frame) []*cobra.Command {
		return []*cobra.Command{newVerify(f), newDiagnose(f), newSecrets(f), newList(f)}
	},
}
