package resources

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/config"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// The versions in which the API groups serve their kinds; each gives the same fields.
var (
	networkingVersions = []string{"v1", "v1beta1", "v1alpha3"}
	securityVersions   = []string{"v1", "v1beta1"}
	gatewayVersions    = []string{"v1", "v1beta1"}
)

func networking(kind, resources string) resource.About {
	return resource.About{
		Name: resources, File: resources, Kind: kind, Group: api.NetworkingGroup, Resource: resources, Versions: networkingVersions,
	}
}

func security(kind, resources string) resource.About {
	return resource.About{
		Name: resources, File: resources, Kind: kind, Group: api.SecurityGroup, Resource: resources, Versions: securityVersions,
	}
}

// gateways names what two groups have a kind of.
func gateways(about resource.About, file string) resource.About {
	about.Name, about.File, about.Title = "gateways of "+about.Group, file, "Gateway."+about.Group
	return about
}

// The custom resources of all namespaces; absent where their kind is not installed.
var (
	DestinationRules = resource.All[api.DestinationRuleList](networking("DestinationRule", "destinationrules"),
		func(d *api.DestinationRule) *api.DestinationRule {
			return &api.DestinationRule{ObjectMeta: resource.OwnedMeta(&d.ObjectMeta), Spec: d.Spec}
		})
	Gateways = resource.All[api.GatewayList](gateways(networking("Gateway", "gateways"), "gateways-istio"),
		func(g *api.Gateway) *api.Gateway {
			return &api.Gateway{ObjectMeta: resource.OwnedMeta(&g.ObjectMeta), Spec: g.Spec}
		})
	WorkloadEntries = resource.All[api.WorkloadEntryList](networking("WorkloadEntry", "workloadentries"),
		func(w *api.WorkloadEntry) *api.WorkloadEntry {
			return &api.WorkloadEntry{ObjectMeta: resource.OwnedMeta(&w.ObjectMeta), Spec: w.Spec}
		})
	ServiceEntries = resource.All[api.ServiceEntryList](networking("ServiceEntry", "serviceentries"),
		func(s *api.ServiceEntry) *api.ServiceEntry {
			return &api.ServiceEntry{ObjectMeta: resource.OwnedMeta(&s.ObjectMeta), Spec: s.Spec}
		})
	VirtualServices = resource.All[api.VirtualServiceList](networking("VirtualService", "virtualservices"),
		func(v *api.VirtualService) *api.VirtualService {
			return &api.VirtualService{ObjectMeta: resource.OwnedMeta(&v.ObjectMeta), Spec: v.Spec}
		})
	Sidecars = resource.All[api.SidecarList](networking("Sidecar", "sidecars"),
		func(s *api.Sidecar) *api.Sidecar {
			return &api.Sidecar{ObjectMeta: resource.OwnedMeta(&s.ObjectMeta), Spec: s.Spec}
		})
	PeerAuthentications = resource.All[api.PeerAuthenticationList](security("PeerAuthentication", "peerauthentications"),
		func(p *api.PeerAuthentication) *api.PeerAuthentication {
			return &api.PeerAuthentication{ObjectMeta: resource.OwnedMeta(&p.ObjectMeta), Spec: p.Spec}
		})
	AuthorizationPolicies = resource.All[api.AuthorizationPolicyList](security("AuthorizationPolicy", "authorizationpolicies"),
		func(a *api.AuthorizationPolicy) *api.AuthorizationPolicy {
			return &api.AuthorizationPolicy{ObjectMeta: resource.OwnedMeta(&a.ObjectMeta), Spec: a.Spec}
		})
	KubernetesGateways = resource.All[api.KubernetesGatewayList](gateways(resource.About{
		Kind: "Gateway", Group: api.GatewayGroup, Resource: "gateways", Versions: gatewayVersions,
	}, "gateways-kubernetes"), trimKubernetesGateway)
	ServiceExports = resource.All[api.ServiceExportList](resource.About{
		Name: "serviceexports", File: "serviceexports", Kind: "ServiceExport",
		Group: api.MulticlusterGroup, Resource: "serviceexports", Versions: []string{api.MulticlusterVersion},
	}, func(s *api.ServiceExport) *api.ServiceExport {
		return &api.ServiceExport{ObjectMeta: resource.OwnedMeta(&s.ObjectMeta)}
	})
)

func trimKubernetesGateway(g *api.KubernetesGateway) *api.KubernetesGateway {
	out := &api.KubernetesGateway{ObjectMeta: resource.OwnedMeta(&g.ObjectMeta), Spec: g.Spec, Status: g.Status}
	if v := g.Annotations[config.AnnotationGatewayServiceAccount]; v != "" {
		metav1.SetMetaDataAnnotation(&out.ObjectMeta, config.AnnotationGatewayServiceAccount, v)
	}
	return out
}
