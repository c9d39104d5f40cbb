// Command kubectl-mesh_endpoints is the kubectl plugin mesh-endpoints: does each
// control plane see the other clusters, and which endpoints does a source get?
package main

import (
	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

func main() { command.Main(plugin) }

// reads is what the rules need of a cluster, and with it what tells whether there
// is a mesh at all. Workloads that are no pods are looked at by mesh-network alone.
var reads = resource.Join(
	resources.Mesh, resources.NetworkRules, resources.Policies,
	resources.IstiodPods, resources.StraySecrets, resources.SystemSecrets,
).Without(resources.WorkloadEntries, resources.ServiceEntries)

var plugin = command.Plugin{
	Name:  "mesh-endpoints",
	Short: "Find out why a service of one cluster is not reached from another",
	Long: `Find out why traffic of a multi-cluster service mesh (Istio) stays local, fails, or goes
where it should not: control planes that do not see another cluster, and endpoints that a
source is not given. It only reads, and tells what is wrong, in which cluster, the
evidence, and the command that mends it.

Which clusters: --contexts a,b or --all-contexts; without either, the current context's
cluster and those that its remote secrets name.`,
	Example: `  # why is the service not reached?
  %[1]s diagnose cart.shop --contexts east,west

  # what is wrong, with remote secrets and with all services?
  %[1]s verify

  # which control plane reads which cluster?
  %[1]s secrets --contexts east,west

  # which endpoints of a service do the clusters' proxies get, and which should they?
  %[1]s list cart.shop --contexts east,west

  # what does a code mean?
  %[1]s explain EP003`,
	Reads: reads,
	Heap:  170 << 20, // what istiods say of tens of thousands of endpoints
	Commands: func(f *command.Frame) []*cobra.Command {
		return []*cobra.Command{newVerify(f), newDiagnose(f), newSecrets(f), newList(f)}
	},
}
