package model

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// labelWaypointNamespace names the namespace of a waypoint, unless that is the one of what uses it.
const labelWaypointNamespace = LabelWaypointNamespace

// LabelWaypointNamespace is that label.
const LabelWaypointNamespace = "istio.io/use-waypoint-namespace"

// IsGlobal answers: does the mesh config of the control plane make a Service of a cluster global?
// Ambient workloads see services of other clusters by the mesh config of their own control plane
// and the labels in the other cluster (pilot/pkg/serviceregistry/ambient/services.go, matchServiceScope).
func (cp *ControlPlane) IsGlobal(c *Cluster, s *corev1.Service) bool {
	return cp.Mesh.IsGlobal(c.NamespaceLabels(s.Namespace), s.Labels)
}

// AmbientControlPlane is the control plane in the cluster that tells ambient workloads of other
// networks; nil where there is none.
func (c *Cluster) AmbientControlPlane() *ControlPlane {
	for _, cp := range c.ControlPlanes {
		if cp.Istiod.CrossesNetworks() {
			return cp
		}
	}
	return nil
}

// AmbientGateway is a Gateway through which ambient workloads reach another network.
type AmbientGateway struct {
	In      *Cluster
	Gateway *api.KubernetesGateway
}

// AmbientGateways are the Gateways by which the control plane tells ambient workloads of a network:
// of class istio-east-west in other clusters, and of class istio-remote in its own
// (pilot/pkg/serviceregistry/ambient/networks.go).
func (cp *ControlPlane) AmbientGateways(network string) []AmbientGateway {
	var out []AmbientGateway
	for _, c := range cp.WatchedClusters() {
		class := api.ClassEastWest
		if c == cp.Cluster {
			class = api.ClassRemote
		}
		gateways := resources.KubernetesGateways.Of(c.Cluster).Value
		for i := range gateways {
			if k := &gateways[i]; k.Spec.GatewayClassName == class && k.Labels[istio.LabelNetwork] == network && LeadsAmbient(k) {
				out = append(out, AmbientGateway{c, k})
			}
		}
	}
	return out
}

// LeadsAmbient answers: does istiod use a Gateway as that of an ambient network? It has a network, a
// listener of protocol HBONE, and an address.
func LeadsAmbient(k *api.KubernetesGateway) bool {
	listens := func(l api.Listener) bool { return l.Protocol == "HBONE" }
	if k.Spec.GatewayClassName == api.ClassEastWest {
		listens = istio.IsEastWestListener
	}
	return k.Labels[istio.LabelNetwork] != "" && slices.ContainsFunc(k.Spec.Listeners, listens) &&
		slices.ContainsFunc(k.Status.Addresses, istio.IsGatewayAddress)
}

// WaypointService is the Service of the waypoint through which a Service is reached; nil where it has
// none, or that is not in the cluster.
func (c *Cluster) WaypointService(s *corev1.Service) *corev1.Service {
	name := c.WaypointOf(s)
	if name == "" {
		return nil
	}
	labels := c.NamespaceLabels(s.Namespace)
	if s.Labels[istio.LabelWaypoint] != "" {
		labels = s.Labels
	}
	if namespace := labels[labelWaypointNamespace]; namespace != "" {
		return c.Service(namespace, name)
	}
	return c.Service(s.Namespace, name)
}

// AmbientClient is a pod for which ztunnel speaks, of a namespace; the first by name, nil for none.
func (c *Cluster) AmbientClient(namespace string) *facts.Pod {
	var first *facts.Pod
	for _, p := range c.PodsIn(namespace) {
		if c.IsAmbient(p) && (first == nil || p.Name < first.Name) {
			first = p
		}
	}
	return first
}
