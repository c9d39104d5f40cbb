// Command kubectl-mesh_certs is the kubectl plugin mesh-certs: do the clusters
// of a mesh trust one another?
package main

import (
	"github.com/spf13/cobra"

	"github.com/kubectl-mesh/kubectl-mesh/internal/command"
	"github.com/kubectl-mesh/kubectl-mesh/internal/mesh"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rules"
)

func main() { command.Main(plugin) }

// areas are those that the plugin is about.
var areas = []mesh.Area{mesh.Certs}

var plugin = command.Plugin{
	Name:  "mesh-certs",
	Short: "Find out why the clusters of a service mesh do not trust one another",
	Long: `Find out why the clusters of a service mesh (Istio, Linkerd, Gloo Mesh) do not
trust one another: roots, chains, keys, expiry, trust domains. It only reads,
and says what is wrong, where, by which evidence, and what fixes it.

Clusters: --contexts a,b; without it those to which the current context leads.`,
	Example: `  %[1]s verify --contexts east,west
  %[1]s explain CERT004`,
	Meshes:     rules.Meshes(),
	Areas:      areas,
	Illustrate: []command.Illustration{command.ListCertificates},
	Commands: func(f *command.Frame) []*cobra.Command {
		return []*cobra.Command{newVerify(f), newDiff(f), newList(f)}
	},
}
