package main

import (
	"os"
	"path/filepath"

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
	west, name := f.Get("west"), "http-web"
	west.Service("helloworld").Spec.Ports[0].Name = name
	west.Slice("helloworld").Ports[0].Name = &name
	west.Remotes = nil
	dir := filepath.Join(into, services)
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return dumps.Write(dir, f.Facts(), resources.All)
}
