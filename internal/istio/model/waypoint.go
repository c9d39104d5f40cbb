package model

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Waypoints are what workloads of one cluster go through, and never gateways between
// networks. istiod itself gives their Services the label of a network where global.network
// is set (pilot/pkg/config/kube/gatewaycommon/deploymentcontroller.go), and takes one that
// can be reached from outside for a gateway, as any Service with the label.

// IsWaypointService reports whether istiod has made a Service of the cluster for a waypoint.
func (c *Cluster) IsWaypointService(s *corev1.Service) bool {
	name := s.Labels[istio.LabelGatewayName]
	return s.Labels[istio.LabelGatewayManaged] == istio.ManagedWaypoint ||
		name != "" && slices.ContainsFunc(resources.KubernetesGateways.Of(c.Cluster).Value, func(k api.KubernetesGateway) bool {
			return k.Namespace == s.Namespace && k.Name == name && k.Spec.GatewayClassName == api.ClassWaypoint
		})
}

// Waypoint is a waypoint of which a control plane makes a gateway of a network.
type Waypoint struct {
	// In is the cluster that has it.
	In *Cluster
	// ControlPlane is the one that advertises it, to clients on other networks.
	ControlPlane *ControlPlane
	// Found: one of its addresses leads somewhere for the control plane; else it advertises
	// it as soon as one does.
	Found bool
	istio.Candidate
}

// AdvertisedWaypoints are the waypoints that a control plane advertises to clients on other
// networks than theirs.
func (m *Mesh) AdvertisedWaypoints() []Waypoint {
	var out []Waypoint
	for _, cp := range m.ControlPlanes {
		for _, c := range cp.Candidates() {
			if c.Problem == "" && cp.IsWaypoint(c.CandidateRef) && cp.hasClientsOutside(c.Network) {
				out = append(out, Waypoint{cp.ClusterOf(c.Cluster), cp, cp.finds(c), c})
			}
		}
	}
	return out
}

// IsWaypoint reports whether a candidate is a waypoint, or the Service of one.
func (cp *ControlPlane) IsWaypoint(ref istio.CandidateRef) bool {
	in := cp.ClusterOf(ref.Cluster)
	switch {
	case in == nil:
		return false
	case ref.Kind == "Service":
		s := in.Service(ref.Namespace, ref.Name)
		return s != nil && in.IsWaypointService(s)
	case ref.Kind == "Gateway":
		return slices.ContainsFunc(resources.KubernetesGateways.Of(in.Cluster).Value, func(k api.KubernetesGateway) bool {
			return k.Namespace == ref.Namespace && k.Name == ref.Name && k.Spec.GatewayClassName == api.ClassWaypoint
		})
	}
	return false
}

// hasClientsOutside reports whether the control plane configures proxies on another network.
func (cp *ControlPlane) hasClientsOutside(network string) bool {
	return slices.ContainsFunc(cp.WatchedClusters(), func(c *Cluster) bool {
		return cp.Configures(c) && slices.ContainsFunc(c.Network().Homes(), func(home string) bool { return home != network })
	})
}

// finds reports whether one of the addresses of a candidate is one for the control plane: a
// name of a cluster's own Services means the Service in the control plane's cluster.
func (cp *ControlPlane) finds(c istio.Candidate) bool {
	return slices.ContainsFunc(c.Addresses, func(a istio.CandidateAddress) bool {
		if name, inside := ServiceOfHost(a.Address); inside && len(cp.RunsIn.Unread(resources.Services)) == 0 {
			return cp.RunsIn.Service(name.Namespace, name.Name) != nil
		}
		return !slices.ContainsFunc(cp.LookUp(a.Address), func(h HostLookup) bool { return h.State == HostMissing || h.State == HostIgnored })
	})
}
