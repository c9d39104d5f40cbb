package model

import (
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Resource is a kind of object, or a selection of one, that is read of a cluster.
type Resource string

// The resources, by the name that people are shown.
const (
	Pods                Resource = "pods"
	Services            Resource = "services"
	EndpointSlices      Resource = "endpointslices"
	Namespaces          Resource = "namespaces"
	Nodes               Resource = "nodes"
	MeshConfigs         Resource = "mesh configs"
	Istiods             Resource = "deployments"
	IstiodPods          Resource = "pods of istiod"
	RemoteSecrets       Resource = "remote secrets"
	StraySecrets        Resource = "secrets of all namespaces"
	SystemSecrets       Resource = "secrets of the system namespace"
	Webhooks            Resource = "mutatingwebhookconfigurations"
	Gateways            Resource = "gateways of networking.istio.io"
	KubernetesGateways  Resource = "gateways of gateway.networking.k8s.io"
	WorkloadEntries     Resource = "workloadentries"
	ServiceEntries      Resource = "serviceentries"
	ServiceExports      Resource = "serviceexports"
	NetworkPolicies     Resource = "networkpolicies"
	PeerAuthentications Resource = "peerauthentications"
	DestinationRules    Resource = "destinationrules"
	InjectorValues      Resource = "values of the injector"
	RootCert            Resource = "configmap istio-ca-root-cert"
)

// Unread is something that was not read of a cluster, and why not.
type Unread struct {
	Context  string
	Resource Resource
	State    facts.State
	Reason   string
}

// String is the resource and why it was not read.
func (u Unread) String() string { return string(u.Resource) + ": " + u.Reason }

// outcome is how one read ended.
type outcome struct {
	state facts.State
	known bool
	why   string
}

func outcomeOf[T any](r facts.Read[T]) outcome { return outcome{r.State, r.Known(), r.Why()} }

// outcomes are how the read of each resource ended.
var outcomes = map[Resource]func(*facts.Cluster) outcome{
	Pods:                func(c *facts.Cluster) outcome { return outcomeOf(resources.Pods.Of(c)) },
	Services:            func(c *facts.Cluster) outcome { return outcomeOf(resources.Services.Of(c)) },
	EndpointSlices:      func(c *facts.Cluster) outcome { return outcomeOf(resources.EndpointSlices.Of(c)) },
	Namespaces:          func(c *facts.Cluster) outcome { return outcomeOf(resources.Namespaces.Of(c)) },
	Nodes:               func(c *facts.Cluster) outcome { return outcomeOf(resources.Nodes.Of(c)) },
	MeshConfigs:         func(c *facts.Cluster) outcome { return outcomeOf(resources.MeshConfigs.Of(c)) },
	Istiods:             func(c *facts.Cluster) outcome { return outcomeOf(resources.Istiods.Of(c)) },
	IstiodPods:          func(c *facts.Cluster) outcome { return outcomeOf(resources.IstiodPods.Of(c)) },
	RemoteSecrets:       func(c *facts.Cluster) outcome { return outcomeOf(resources.RemoteSecrets.Of(c)) },
	StraySecrets:        func(c *facts.Cluster) outcome { return outcomeOf(resources.StraySecrets.Of(c)) },
	SystemSecrets:       func(c *facts.Cluster) outcome { return outcomeOf(resources.SystemSecrets.Of(c)) },
	Webhooks:            func(c *facts.Cluster) outcome { return outcomeOf(resources.Webhooks.Of(c)) },
	Gateways:            func(c *facts.Cluster) outcome { return outcomeOf(resources.Gateways.Of(c)) },
	KubernetesGateways:  func(c *facts.Cluster) outcome { return outcomeOf(resources.KubernetesGateways.Of(c)) },
	WorkloadEntries:     func(c *facts.Cluster) outcome { return outcomeOf(resources.WorkloadEntries.Of(c)) },
	ServiceEntries:      func(c *facts.Cluster) outcome { return outcomeOf(resources.ServiceEntries.Of(c)) },
	ServiceExports:      func(c *facts.Cluster) outcome { return outcomeOf(resources.ServiceExports.Of(c)) },
	NetworkPolicies:     func(c *facts.Cluster) outcome { return outcomeOf(resources.NetworkPolicies.Of(c)) },
	PeerAuthentications: func(c *facts.Cluster) outcome { return outcomeOf(resources.PeerAuthentications.Of(c)) },
	DestinationRules:    func(c *facts.Cluster) outcome { return outcomeOf(resources.DestinationRules.Of(c)) },
	InjectorValues:      func(c *facts.Cluster) outcome { return outcomeOf(resources.Injectors.Of(c)) },
	RootCert:            func(c *facts.Cluster) outcome { return outcomeOf(resources.RootCert.Of(c)) },
}

// Unread are those of some resources that were not read of the cluster, in their order.
func (c *Cluster) Unread(resources ...Resource) []Unread {
	var out []Unread
	for _, r := range resources {
		if o := outcomes[r](c.Cluster); !o.known {
			out = append(out, Unread{c.Context, r, o.state, o.why})
		}
	}
	return out
}

// refused are those of some resources that were asked for and not given. What a run
// has no need of, and never asks for, is not among them.
func (c *Cluster) refused(resources ...Resource) []Unread {
	var out []Unread
	for _, u := range c.Unread(resources...) {
		if u.State != facts.NotAsked {
			out = append(out, u)
		}
	}
	return out
}
