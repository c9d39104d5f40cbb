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
	"github.com/kubectl-mesh/kubectl-mesh/internal/istioapi"
)

// readMesh asks for those of the sources that are what istiod watches in a cluster.
func readMesh(r *reader, a *api, sources Source, out *facts.Cluster) {
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
		read(r, &out.PeerAuthentications, func() ([]istioapi.PeerAuthentication, error) {
			return custom[istioapi.PeerAuthenticationList](r.ctx, a, istioapi.SecurityGroup, "peerauthentications", trimPeerAuthentication)
		})
	}
	if sources&DestinationRules != 0 {
		read(r, &out.DestinationRules, func() ([]istioapi.DestinationRule, error) {
			return custom[istioapi.DestinationRuleList](r.ctx, a, istioapi.NetworkingGroup, "destinationrules", trimDestinationRule)
		})
	}
	if sources&Gateways != 0 {
		read(r, &out.Gateways, func() ([]istioapi.Gateway, error) {
			return custom[istioapi.GatewayList](r.ctx, a, istioapi.NetworkingGroup, "gateways", trimGateway)
		})
	}
	if sources&KubernetesGateways != 0 {
		read(r, &out.KubernetesGateways, func() ([]istioapi.KubernetesGateway, error) {
			return custom[istioapi.KubernetesGatewayList](r.ctx, a, istioapi.GatewayGroup, "gateways", trimKubernetesGateway)
		})
	}
	if sources&WorkloadEntries != 0 {
		read(r, &out.WorkloadEntries, func() ([]istioapi.WorkloadEntry, error) {
			return custom[istioapi.WorkloadEntryList](r.ctx, a, istioapi.NetworkingGroup, "workloadentries", trimWorkloadEntry)
		})
	}
	if sources&ServiceEntries != 0 {
		read(r, &out.ServiceEntries, func() ([]istioapi.ServiceEntry, error) {
			return custom[istioapi.ServiceEntryList](r.ctx, a, istioapi.NetworkingGroup, "serviceentries", trimServiceEntry)
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
}](ctx context.Context, a *api, group, resource string, trim func(P) *T) (out []T, err error) {
	return customIn[L, T, PL, P](ctx, a, istioapi.Versions, group, resource, trim)
}

// customIn is custom for a resource that has other versions.
func customIn[L any, T any, PL interface {
	*L
	runtime.Object
}, P interface {
	*T
	runtime.Object
}](ctx context.Context, a *api, versions []string, group, resource string, trim func(P) *T) (out []T, err error) {
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
