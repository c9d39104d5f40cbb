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
	Long: `Find out why requests between the networks of a service mesh (Istio, Linkerd,
Gloo Mesh) time out: networks without a name, gateways that are pending or do
not listen. It only reads, and says what is wrong, where, and what fixes it.

Clusters: --contexts a,b; without it those to which the current context leads.`,
	Example:    `  %[1]s verify --contexts east,west`,
	Meshes:     rules.Meshes(),
	Areas:      areas,
	Illustrate: []command.Illustration{command.DrawMap},
	Reads:      resources.Behind,
	Commands: func(f *command.Frame) []*cobra.Command {
		return []*cobra.Command{newVerify(f), newGateways(f), newLabels(f), newMap(f), newProbe(f)}
	},
}
