package survey

import (
	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istioapi"
)

// readPolicies asks for what tells who knows a service, and who may call it.
func readPolicies(r *reader, a *api, sources Source, out *facts.Cluster) {
	if sources&VirtualServices != 0 {
		read(r, &out.VirtualServices, func() ([]istioapi.VirtualService, error) {
			return custom[istioapi.VirtualServiceList](r.ctx, a, istioapi.NetworkingGroup, "virtualservices", trimVirtualService)
		})
	}
	if sources&Sidecars != 0 {
		read(r, &out.Sidecars, func() ([]istioapi.Sidecar, error) {
			return custom[istioapi.SidecarList](r.ctx, a, istioapi.NetworkingGroup, "sidecars", trimSidecar)
		})
	}
	if sources&AuthorizationPolicies != 0 {
		read(r, &out.AuthorizationPolicies, func() ([]istioapi.AuthorizationPolicy, error) {
			return custom[istioapi.AuthorizationPolicyList](r.ctx, a, istioapi.SecurityGroup, "authorizationpolicies", trimAuthorizationPolicy)
		})
	}
	if sources&ServiceExports != 0 {
		read(r, &out.ServiceExports, func() ([]istioapi.ServiceExport, error) {
			versions := []string{istioapi.MulticlusterVersion}
			return customIn[istioapi.ServiceExportList](r.ctx, a, versions, istioapi.MulticlusterGroup, "serviceexports", trimServiceExport)
		})
	}
}

func trimVirtualService(v *istioapi.VirtualService) *istioapi.VirtualService {
	return &istioapi.VirtualService{ObjectMeta: bareMeta(&v.ObjectMeta), Spec: v.Spec}
}

func trimSidecar(s *istioapi.Sidecar) *istioapi.Sidecar {
	return &istioapi.Sidecar{ObjectMeta: bareMeta(&s.ObjectMeta), Spec: s.Spec}
}

func trimAuthorizationPolicy(a *istioapi.AuthorizationPolicy) *istioapi.AuthorizationPolicy {
	return &istioapi.AuthorizationPolicy{ObjectMeta: bareMeta(&a.ObjectMeta), Spec: a.Spec}
}

func trimServiceExport(s *istioapi.ServiceExport) *istioapi.ServiceExport {
	return &istioapi.ServiceExport{ObjectMeta: bareMeta(&s.ObjectMeta)}
}
