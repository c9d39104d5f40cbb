// Package resources has the rows of the resource table that Istio's rules read: its own
// kinds and, so that rules need one import, those that every mesh reads. What is kept of
// an object stands beside its row.
package resources

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/config"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource/kubernetes"
)

// The rows that every mesh reads.
var (
	Namespaces      = kubernetes.Namespaces
	Services        = kubernetes.Services
	EndpointSlices  = kubernetes.EndpointSlices
	Pods            = kubernetes.Pods
	Nodes           = kubernetes.Nodes
	NetworkPolicies = kubernetes.NetworkPolicies
	APIServices     = kubernetes.APIServices
	Version         = kubernetes.Version
	Leases          = kubernetes.Leases
	// MutatingWebhooks and AllValidatingWebhooks are those of all products, Istio's among them.
	MutatingWebhooks      = kubernetes.MutatingWebhooks
	AllValidatingWebhooks = kubernetes.ValidatingWebhooks
)

// Clock is that of a node.
type Clock = kubernetes.Clock

// Clocks and MostClocks read them.
var (
	Clocks     = kubernetes.Clocks
	MostClocks = kubernetes.MostClocks
)

// All are the rows in the order in which a dump is written: an object that belongs to two
// of them is in the file of the first.
var All = resource.Set{
	CACerts, CASecret, RootCert, RootCerts, MeshConfigs, Istiods, IstiodPods, Namespaces,
	RemoteSecrets, StraySecrets, SystemSecrets, Webhooks, ReaderAccess, Proxies,
	Services, EndpointSlices, Pods, Nodes,
	PeerAuthentications, DestinationRules, Gateways, KubernetesGateways, WorkloadEntries, ServiceEntries,
	NetworkPolicies, Injectors, GatewayEvents, VirtualServices, SystemSlices, ReaderRights,
	Sidecars, AuthorizationPolicies, ServiceExports, ValidatingWebhooks, IstioCSRs,
	MutatingWebhooks, AllValidatingWebhooks, APIServices, RefusedPods, Version, Leases,
	TLSRouteDefinition, TCPRouteDefinition, GRPCRouteDefinition, BackendTLSPolicyDefinition,
	TLSRoutes, TCPRoutes, GRPCRoutes, BackendTLSPolicies, Usage,
}

// The rows that are read together.
var (
	// Roots is what tells who trusts whom.
	Roots = resource.Set{CACerts, CASecret, RootCert, MeshConfigs, Istiods}
	// Trust is everything that the rules of package certs read.
	Trust = resource.Join(
		Roots, RootCerts, IstiodPods, Namespaces, RemoteSecrets, Webhooks, ValidatingWebhooks, ReaderAccess, Proxies, IstioCSRs,
	)
	// Networks is what tells the networks of the mesh and their gateways.
	Networks = resource.Set{MeshConfigs, Istiods, Namespaces, RemoteSecrets, Webhooks, Services, Pods, Nodes, KubernetesGateways}
	// Leads are read of the clusters in which the others show them to be needed.
	Leads = resource.Set{GatewayEvents, SystemSlices, ReaderRights}
	// NetworkRules is what the rules of package network read besides.
	NetworkRules = resource.Join(
		Networks, Gateways, RootCert, NetworkPolicies, Injectors, WorkloadEntries, ServiceEntries, DestinationRules, Leads,
	)
	// Mesh is everything that tells which endpoints a proxy is given.
	Mesh = resource.Join(Networks, ReaderAccess, EndpointSlices, PeerAuthentications, DestinationRules, Gateways)
	// Policies is what tells who knows a service, and who may call it.
	Policies = resource.Set{VirtualServices, Sidecars, AuthorizationPolicies, ServiceExports}
	// Behind is what tells which Services are behind the gateways.
	Behind = resource.Set{EndpointSlices, PeerAuthentications, DestinationRules}
	// Secrets is what the rules about remote secrets read.
	Secrets = resource.Set{
		RemoteSecrets, StraySecrets, SystemSecrets, Istiods, IstiodPods, Namespaces, Webhooks, RootCert, MeshConfigs, Services,
		EndpointSlices, KubernetesGateways,
	}
	// EndpointRules is what the rules about remote secrets and endpoints read. WorkloadEntries
	// are looked at by those about networks alone.
	EndpointRules = resource.Join(Mesh, NetworkRules, Policies, Secrets).Without(WorkloadEntries)
	// ControlPlaneRules is what the rules about control planes, injection and proxies read.
	ControlPlaneRules = resource.Join(
		EndpointRules, resource.Set{ValidatingWebhooks, MutatingWebhooks, AllValidatingWebhooks, APIServices, RefusedPods, Version, Leases},
		Definitions, UnreadRoutes, Usage,
	)
)

// Trim is what is kept of any object; nil of one that no rule reads.
func Trim(o runtime.Object) runtime.Object { return resource.Trim(All, o) }

// What Istio's rules read of the kinds that every mesh reads.
func init() {
	kubernetes.Keep(kubernetes.Wanted{
		Containers:     []string{config.ProxyContainer, config.DiscoveryContainer, config.CNIContainer},
		InitContainers: []string{config.ProxyContainer, config.InitContainer, config.ValidateContainer},
		Volumes:        []string{config.WorkloadSocket, config.WorkloadCerts},
		Env:            append(append([]string{}, config.DiscoveryEnv...), config.ProxyEnv...),
		// It can hold tokens of tracers.
		Reduce:         map[string]func(string) string{config.EnvProxyConfig: config.ReduceProxyConfig},
		ServiceAccount: func(labels map[string]string) bool { return labels["app"] == config.ZtunnelName },
		// Since when a gateway is as it is tells whether istiod should know it.
		ServiceWriters: func(labels map[string]string) bool { return labels[config.LabelNetwork] != "" },
		PodAnnotation:  func(key string) bool { return slices.Contains(config.PodAnnotations, key) },
		// What istiod says of a waypoint.
		ServiceCondition: func(kind string) bool { return strings.HasPrefix(kind, "istio.io/") },
		NamespaceAnnotation: func(key string) bool {
			return strings.HasPrefix(key, "topology.istio.io/") || key == config.AnnotationTrafficDistribution
		},
		ServiceAnnotation: func(key string) bool {
			switch domain, _, _ := strings.Cut(key, "/"); domain {
			case "networking.istio.io", "traffic.istio.io", "topology.istio.io":
				return true
			}
			return config.IsLoadBalancerSetting(key)
		},
		SliceLabel: func(key string) bool { return key == config.LabelImportedService },
	})
}
