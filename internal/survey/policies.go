package survey

import (
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// readPolicies asks for what tells who knows a service, and who may call it.
func readPolicies(r *reader, a *apis, sources Source, out *facts.Cluster) {
	if sources&VirtualServices != 0 {
		read(r, &out.VirtualServices, func() ([]api.VirtualService, error) {
			return custom[api.VirtualServiceList](r.ctx, a, api.NetworkingGroup, "virtualservices", trimVirtualService)
		})
	}
	if sources&Sidecars != 0 {
		read(r, &out.Sidecars, func() ([]api.Sidecar, error) {
			return custom[api.SidecarList](r.ctx, a, api.NetworkingGroup, "sidecars", trimSidecar)
		})
	}
	if sources&AuthorizationPolicies != 0 {
		read(r, &out.AuthorizationPolicies, func() ([]api.AuthorizationPolicy, error) {
			return custom[api.AuthorizationPolicyList](r.ctx, a, api.SecurityGroup, "authorizationpolicies", trimAuthorizationPolicy)
		})
	}
	if sources&ServiceExports != 0 {
		read(r, &out.ServiceExports, func() ([]api.ServiceExport, error) {
			versions := []string{api.MulticlusterVersion}
			return customIn[api.ServiceExportList](r.ctx, a, versions, api.MulticlusterGroup, "serviceexports", trimServiceExport)
		})
	}
}

func trimVirtualService(v *api.VirtualService) *api.VirtualService {
	return &api.VirtualService{ObjectMeta: bareMeta(&v.ObjectMeta), Spec: v.Spec}
}

func trimSidecar(s *api.Sidecar) *api.Sidecar {
	return &api.Sidecar{ObjectMeta: bareMeta(&s.ObjectMeta), Spec: s.Spec}
}

func trimAuthorizationPolicy(a *api.AuthorizationPolicy) *api.AuthorizationPolicy {
	return &api.AuthorizationPolicy{ObjectMeta: bareMeta(&a.ObjectMeta), Spec: a.Spec}
}

func trimServiceExport(s *api.ServiceExport) *api.ServiceExport {
	return &api.ServiceExport{ObjectMeta: bareMeta(&s.ObjectMeta)}
}
