package model

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// ConfigMap names the ConfigMap that holds the mesh config and meshNetworks.
func (cp *ControlPlane) ConfigMap() finding.Object {
	return finding.In("configmap", cp.Istiod.Namespace, cp.Istiod.MeshConfigMap())
}

// GatewayObject names a Gateway of the Gateway API.
func GatewayObject(k *api.KubernetesGateway) finding.Object {
	return finding.In("gateway", k.Namespace, k.Name)
}

// Elsewhere is the reason for what is said of another cluster: it names the one in which
// something was not read.
func (u Unread) Elsewhere() finding.Reason {
	why := u.Reason
	why.Text += " in " + u.Context
	return why
}

// Reason says the first of the reasons; the zero Reason where there is none.
func (u NetworksUnknown) Reason() finding.Reason {
	switch {
	case len(u.Unreached) > 0:
		return finding.Reason{Kind: finding.Unreached, Text: "not all clusters were reached"}
	case len(u.Unread) > 0:
		why := u.Unread[0].Elsewhere()
		why.Text = "not all networks are known: " + why.Text
		return why
	}
	return finding.Reason{}
}

// WatchedWith reports whether a control plane watches both clusters.
func (c *Cluster) WatchedWith(o *Cluster) bool {
	return slices.ContainsFunc(c.WatchedBy, func(cp *ControlPlane) bool { return slices.Contains(o.WatchedBy, cp) })
}

// IsCalled reports whether a cluster ID is one that a control plane which configures the
// cluster's proxies has for it, or an alias of one.
func (c *Cluster) IsCalled(id string) bool {
	return slices.ContainsFunc(c.ConfiguredBy(), func(cp *ControlPlane) bool {
		names := cp.Names(c)
		return slices.Contains(names, id) || slices.Contains(names, cp.Istiod.Aliases[id])
	})
}
