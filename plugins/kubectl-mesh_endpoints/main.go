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
	Long: `Find out why traffic of a multi-cluster service mesh (Istio) stays local, fails, or goes
where it should not: control planes that do not watch another cluster, and endpoints that a
proxy does not get. It only reads, and tells what is wrong, in which cluster, the
evidence, and the command that fixes it.

Which clusters: --contexts a,b or --all-contexts; without either, the current context's
cluster and those that its remote secrets name.`,
	Example: `  # why is the service not reached?
  %[1]s diagnose cart.shop --contexts east,west

  # what is wrong, with remote secrets and with all services?
  %[1]s verify

  # which control plane watches which cluster?
  %[1]s secrets --contexts east,west

  # which endpoints of a service do the clusters' proxies get, and which should they?
  %[1]s list cart.shop --contexts east,west

  # what does a code mean?
  %[1]s explain EP003`,
	Meshes: rules.Meshes(),
	Areas:  areas,
	Reads:  command.DiagnosisRows(rules.Meshes()),
	Heap:   170 << 20, // what istiods say of tens of thousands of endpoints
	Commands: func(f *command.Frame) []*cobra.Command {
		return []*cobra.Command{newVerify(f), newDiagnose(f), newSecrets(f), newList(f)}
	},
}
