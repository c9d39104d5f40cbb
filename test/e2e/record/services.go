package main

import (
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	dumps "github.com/kubectl-mesh/kubectl-mesh/internal/dump"
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/ask"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/istiotest"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/podaccess"
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
	return write(f, filepath.Join(into, services), nil)
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
	return write(f, filepath.Join(into, whole), answers(f.Facts()))
}

// answers are what the control planes of a fleet say where each has heard of all that there is.
func answers(f *facts.Fleet) map[string][]podaccess.Answer {
	addresses := map[string]facts.Addresses{}
	for i := range f.Clusters {
		c := &f.Clusters[i]
		addresses[istio.ClusterID(c)] = facts.AddressesOf(resources.EndpointSlices.Of(c).Value)
	}
	out := map[string][]podaccess.Answer{}
	for context, views := range istiotest.Connected(f, nil).Istiods {
		networks := facts.Read[[]facts.NetworkGateway]{State: facts.OK}
		for _, g := range istio.ViewOf(f, context).Gateways() {
			networks.Value = append(networks.Value, facts.NetworkGateway{
				Network: g.Network, Cluster: g.Cluster, Address: g.Address, Port: g.Port, HBONEPort: g.HBONEPort,
			})
		}
		for _, v := range views.Value {
			v.Networks = networks
			v.Shards = facts.Read[map[string]facts.Addresses]{State: facts.OK, Value: map[string]facts.Addresses{}}
			for _, c := range v.Clusters.Value {
				v.Shards.Value[c.ID] = addresses[c.ID]
			}
			out[context] = append(out[context], ask.Pages(istiotest.System, v)...)
		}
	}
	return out
}

// renamePort names the port of a service in one cluster as it is not named in the others.
func renamePort(c *istiotest.Cluster) {
	name := "http-web"
	c.Service("helloworld").Spec.Ports[0].Name = name
	c.Slice("helloworld").Ports[0].Name = &name
}

func write(f *istiotest.Fleet, dir string, said map[string][]podaccess.Answer) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return dumps.WriteAll(dir, f.Facts(), resources.All, said)
}
