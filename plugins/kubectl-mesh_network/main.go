// Command kubectl-mesh_network is the kubectl plugin mesh-network: which network
// is which, and which gateways lead there?
package main

import (
	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rules"
)

func main() { command.Main(plugin) }

// areas are those that the plugin is about.
var areas = []mesh.Area{mesh.Network}

// lists is what the listings need of a cluster, and with it what tells whether there
// is a mesh at all.
var lists = resource.Join(resources.Networks, resources.Gateways, resources.RootCert)

var plugin = command.Plugin{
	Name:  "mesh-network",
	Short: "Find out why the networks of a service mesh do not reach one another",
	Long: `Find out why requests between the networks of a multi-cluster service mesh (Istio) time
out or take the wrong way: networks that are not named or named differently, and
gateways between networks that are pending, wrongly labeled, not advertised, or that do
not listen. It only reads, and tells what is wrong, in which cluster, the evidence, and the
command that fixes it.

Which clusters: --contexts a,b or --all-contexts; without either, the current context's
cluster and those that its remote secrets name.`,
	Example: `  # what is wrong?
  %[1]s verify --contexts east,west

  # which gateways are there, and does istiod use them?
  %[1]s gateways

  # who says which network a cluster is?
  %[1]s labels --contexts 'prod-*'

  # who reaches whom, and through which gateway?
  %[1]s map

  # can the gateways be reached, from here and from a pod?
  %[1]s probe --contexts east,west
  %[1]s probe --contexts east,west --from-pod east/shop/cart-6d5c8b9f7-x2x4z

  # what does a code mean?
  %[1]s explain GW002`,
	Meshes: rules.Meshes(),
	Areas:  areas,
	Reads:  resources.Behind,
	Commands: func(f *command.Frame) []*cobra.Command {
		return []*cobra.Command{newVerify(f), newGateways(f), newLabels(f), newMap(f), newProbe(f)}
	},
}
