package survey

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// readMesh asks for those of the sources that are what istiod watches in a cluster.
func readMesh(r *reader, a *apis, sources Source, out *facts.Cluster) {
	everything := metav1.ListOptions{}
	if sources&Services != 0 {
		read(r, &out.Services, func() ([]corev1.Service, error) {
			return list[corev1.ServiceList](r.ctx, a.core, "services", "", everything, trimService)
		})
	}
	if sources&EndpointSlices != 0 {
		read(r, &out.EndpointSlices, func() ([]discoveryv1.EndpointSlice, error) {
			return list[discoveryv1.EndpointSliceList](r.ctx, a.discovery, "endpointslices", "", everything, trimEndpointSlice)
		})
	}
	if sources&Pods != 0 {
		read(r, &out.Pods, func() ([]facts.Pod, error) {
			return list[corev1.PodList](r.ctx, a.core, "pods", "", everything, newPodTrimmer().trim)
		})
	}
	if sources&Nodes != 0 {
		read(r, &out.Nodes, func() ([]corev1.Node, error) {
			return list[corev1.NodeList](r.ctx, a.core, "nodes", "", everything, trimNode)
		})
	}
	if sources&PeerAuthentications != 0 {
		read(r, &out.PeerAuthentications, func() ([]api.PeerAuthentication, error) {
			return custom[api.PeerAuthenticationList](r.ctx, a, api.SecurityGroup, "peerauthentications", trimPeerAuthentication)
		})
	}
	if sources&DestinationRules != 0 {
		read(r, &out.DestinationRules, func() ([]api.DestinationRule, error) {
			return custom[api.DestinationRuleList](r.ctx, a, api.NetworkingGroup, "destinationrules", trimDestinationRule)
		})
	}
	if sources&Gateways != 0 {
		read(r, &out.Gateways, func() ([]api.Gateway, error) {
			return custom[api.GatewayList](r.ctx, a, api.NetworkingGroup, "gateways", trimGateway)
		})
	}
	if sources&KubernetesGateways != 0 {
		read(r, &out.KubernetesGateways, func() ([]api.KubernetesGateway, error) {
			return custom[api.KubernetesGatewayList](r.ctx, a, api.GatewayGroup, "gateways", trimKubernetesGateway)
		})
	}
	if sources&WorkloadEntries != 0 {
		read(r, &out.WorkloadEntries, func() ([]api.WorkloadEntry, error) {
			return custom[api.WorkloadEntryList](r.ctx, a, api.NetworkingGroup, "workloadentries", trimWorkloadEntry)
		})
	}
	if sources&ServiceEntries != 0 {
		read(r, &out.ServiceEntries, func() ([]api.ServiceEntry, error) {
			return custom[api.ServiceEntryList](r.ctx, a, api.NetworkingGroup, "serviceentries", trimServiceEntry)
		})
	}
	if sources&NetworkPolicies != 0 {
		read(r, &out.NetworkPolicies, func() ([]networkingv1.NetworkPolicy, error) {
			return list[networkingv1.NetworkPolicyList](r.ctx, a.networking, "networkpolicies", "", everything, trimNetworkPolicy)
		})
	}
	if sources&Injectors != 0 {
		read(r, &out.Injectors, func() ([]corev1.ConfigMap, error) {
			return injectorOf(r.ctx, a, out.SystemNamespace, istio.InjectorConfigMap)
		})
	}
	readPolicies(r, a, sources, out)
}

// custom lists custom resources of all namespaces, in the newest version that
// the cluster has. Nothing is discovered first: a version that there is not is
// answered with 404, and so is a resource that is not installed, in plain text where
// the whole group is not.
func custom[L any, T any, PL interface {
	*L
	runtime.Object
}, P interface {
	*T
	runtime.Object
}](ctx context.Context, a *apis, group, resource string, trim func(P) *T) (out []T, err error) {
	return customIn[L, T, PL, P](ctx, a, api.Versions, group, resource, trim)
}

// customIn is custom for a resource that has other versions.
func customIn[L any, T any, PL interface {
	*L
	runtime.Object
}, P interface {
	*T
	runtime.Object
}](ctx context.Context, a *apis, versions []string, group, resource string, trim func(P) *T) (out []T, err error) {
	for _, version := range versions {
		var c rest.Interface
		if c, err = a.custom(group, version); err != nil {
			return nil, err
		}
		out, err = list[L, T, T, PL, P](ctx, c, resource, "", metav1.ListOptions{}, trim)
		if !apierrors.IsNotFound(err) {
			return out, err
		}
	}
	return nil, apierrors.NewNotFound(schema.GroupResource{Group: group, Resource: resource}, "")
}
