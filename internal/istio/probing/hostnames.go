package probing

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Hostnames are the host names that gateways have instead of addresses, sorted.
func Hostnames(m *model.Mesh) []string {
	if !slices.ContainsFunc(m.Clusters, mayHaveHostnames) {
		return nil // what control planes make of the fleet is much work
	}
	var out []string
	for _, cp := range m.ControlPlanes {
		for _, c := range cp.Candidates() {
			for _, a := range c.Addresses {
				if _, err := netip.ParseAddr(a.Address); err != nil {
					out = append(out, a.Address)
				}
			}
		}
	}
	return finding.Distinct(out)
}

func mayHaveHostnames(c *model.Cluster) bool {
	return slices.ContainsFunc(resources.Services.Of(c.Cluster).Value, func(s corev1.Service) bool {
		return slices.ContainsFunc(s.Status.LoadBalancer.Ingress, func(i corev1.LoadBalancerIngress) bool { return i.Hostname != "" })
	}) || slices.ContainsFunc(resources.KubernetesGateways.Of(c.Cluster).Value, func(g api.KubernetesGateway) bool {
		return len(g.Spec.Addresses) > 0
	}) || slices.ContainsFunc(resources.MeshConfigs.Of(c.Cluster).Value, func(m corev1.ConfigMap) bool {
		return strings.Contains(m.Data[istio.MeshNetworksKey], "address")
	})
}
