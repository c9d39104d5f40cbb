package main

import (
	"fmt"
	"io"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed"
)

// describeMesh says what can be asked of a mesh.
func describeMesh(out io.Writer, mesh *bed.Mesh) {
	fmt.Fprint(out, "\nIts control planes are real istiods:\n\n")
	for _, istiod := range mesh.Istiods() {
		fmt.Fprintf(out, "  # %s: xDS on %s\n", istiod.Cluster().Name(), istiod.GRPC())
		for _, endpoint := range []string{"clusterz", "networkz", "endpointShardz"} {
			fmt.Fprintf(out, "  curl %s/debug/%s\n", istiod.URL(), endpoint)
		}
	}
	for _, spec := range mesh.Topology().Clusters {
		if spec.RemoteOf != "" {
			fmt.Fprintf(out, "  # %s: served by the istiod of %s\n", spec.Name, spec.RemoteOf)
		}
	}
}
