package main

import (
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	dumps "github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// services is a fleet that no API servers are needed for: a service whose port is named
// differently in one cluster, which does not read the other one either.
const services = "services"

// writeServices puts its facts where the recordings are.
func writeServices(into string) error {
	f := istiotest.Serving(istiotest.Networked("east", "west"))
	west := f.Get("west")
	renamePort(west)
	west.Remotes = nil
	return write(f, filepath.Join(into, services))
}

// whole is a fleet for mesh-check, with all that an installation leaves in a cluster: one cluster has a
// gateway that is pending, and another one a port that is named differently, and pods of a namespace that
// asks for a revision which is gone.
const whole = "fleet"

func writeWhole(into string) error {
	f := istiotest.Serving(istiotest.Installed("east", "north", "west"))
	f.Get("north").Network.Gateway.Status = corev1.ServiceStatus{}
	west := f.Get("west")
	renamePort(west)
	west.Also(func(o runtime.Object) {
		if ns, ok := o.(*corev1.Namespace); ok && ns.Name == "sample" {
			ns.Labels = map[string]string{"istio.io/rev": "1-28"}
		}
	})
	return write(f, filepath.Join(into, whole))
}

// renamePort names the port of a service in one cluster as it is not named in the others.
func renamePort(c *istiotest.Cluster) {
	name := "http-web"
	c.Service("helloworld").Spec.Ports[0].Name = name
	c.Slice("helloworld").Ports[0].Name = &name
}

func write(f *istiotest.Fleet, dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return dumps.Write(dir, f.Facts(), resources.All)
}
