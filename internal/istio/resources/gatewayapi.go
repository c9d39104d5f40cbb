package resources

import (
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/config"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource/kubernetes"
)

// The definitions of kinds of the Gateway API of which istiod does not read those of every release:
// an annotation says of which they are.
var (
	TLSRouteDefinition         = definition("tlsroutes")
	TCPRouteDefinition         = definition("tcproutes")
	GRPCRouteDefinition        = definition("grpcroutes")
	BackendTLSPolicyDefinition = definition("backendtlspolicies")
	// Definitions are all of them.
	Definitions = resource.Set{TLSRouteDefinition, TCPRouteDefinition, GRPCRouteDefinition, BackendTLSPolicyDefinition}
)

func definition(resources string) *resource.Row[*kubernetes.Definition] {
	return kubernetes.DefinitionOf(resources+"."+api.GatewayGroup, resources, config.AnnotationBundle)
}

// The objects of these kinds, which are read where istiod does not read them. Of routes for TLS the
// version is asked for first that istiod reads before 1.30: where it is not served, it waits for ever.
var (
	TLSRoutes          = attached[api.TLSRouteList]("TLSRoute", "tlsroutes", trimAttached[api.KindTLSRoute], "v1alpha2", "v1alpha3", "v1")
	TCPRoutes          = attached[api.TCPRouteList]("TCPRoute", "tcproutes", trimAttached[api.KindTCPRoute], "v1", "v1alpha2")
	GRPCRoutes         = attached[api.GRPCRouteList]("GRPCRoute", "grpcroutes", trimAttached[api.KindGRPCRoute], "v1", "v1alpha2")
	BackendTLSPolicies = attached[api.BackendTLSPolicyList](
		"BackendTLSPolicy", "backendtlspolicies", trimAttached[api.KindBackendTLSPolicy], "v1", "v1alpha3", "v1alpha2",
	)
	// UnreadRoutes are all of them.
	UnreadRoutes = resource.Set{TLSRoutes, TCPRoutes, GRPCRoutes, BackendTLSPolicies}
)

func attached[L, T any, PL resource.Object[L], P resource.Object[T]](
	kind, resources string, trim func(P) P, versions ...string,
) *resource.Row[[]T] {
	return resource.All[L, T, PL, P](resource.About{
		Name: resources, File: resources, Kind: kind, Group: api.GatewayGroup, Resource: resources, Versions: versions, Later: true,
	}, trim)
}

// trimAttached keeps what an object is attached to, and who has taken it.
func trimAttached[K any](a *api.Attached[K]) *api.Attached[K] {
	return &api.Attached[K]{ObjectMeta: resource.OwnedMeta(&a.ObjectMeta), Spec: a.Spec, Status: a.Status}
}
