package model

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/version"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
)

// Connection is that of a proxy to a replica of istiod, as the replica said it last.
type Connection struct {
	facts.ConnectedProxy
	// Primary is the cluster of the replica, Replica its pod.
	Primary *Cluster
	Replica string
	// Rejects is what the proxy did not accept both times when the replica was asked.
	Rejects []facts.Rejection
}

// connections are by cluster and pod.
type connections map[*Cluster]map[istio.ObjectName][]Connection

// Connections are those of the proxy of a pod; none where it is connected nowhere, or nobody
// was asked.
func (c *Cluster) Connections(p *facts.Pod) []Connection {
	return Derived(c.mesh, newConnections)[c][istio.ObjectName{Namespace: p.Namespace, Name: p.Name}]
}

func newConnections(m *Mesh) connections {
	out := connections{}
	for _, primary := range m.Clusters {
		for _, replica := range primary.IstiodReplicas() {
			if replica.Proxies.State != facts.OK {
				continue
			}
			before := map[facts.Rejection]map[[3]string]bool{}
			if replica.First != nil {
				for _, p := range replica.First.Proxies.Value {
					for _, r := range p.Rejected {
						if before[r] == nil {
							before[r] = map[[3]string]bool{}
						}
						before[r][[3]string{p.Cluster, p.Namespace, p.Pod}] = true
					}
				}
			}
			for _, p := range replica.Proxies.Value {
				in := primary.named(p.Cluster)
				if in == nil {
					continue
				}
				c := Connection{ConnectedProxy: p, Primary: primary, Replica: replica.Pod}
				for _, r := range p.Rejected {
					if before[r][[3]string{p.Cluster, p.Namespace, p.Pod}] {
						c.Rejects = append(c.Rejects, r)
					}
				}
				if out[in] == nil {
					out[in] = map[istio.ObjectName][]Connection{}
				}
				name := istio.ObjectName{Namespace: p.Namespace, Name: p.Pod}
				out[in][name] = append(out[in][name], c)
			}
		}
	}
	return out
}

// named is the cluster that the control planes of the cluster have an ID for; nil for none.
func (c *Cluster) named(id string) *Cluster {
	for _, cp := range c.ControlPlanes {
		if of := cp.ClusterOf(id); of != nil {
			return of
		}
	}
	if id == c.ID {
		return c
	}
	return nil
}

// Rejecting reports whether a replica of istiod that was asked has a proxy that does not accept
// what it was sent. It may be about to: only a second look tells.
func (m *Mesh) Rejecting() bool {
	for _, views := range m.Seen.Istiods {
		for _, v := range views.Value {
			if slices.ContainsFunc(v.Proxies.Value, func(p facts.ConnectedProxy) bool { return len(p.Rejected) > 0 }) {
				return true
			}
		}
	}
	return false
}

// ProxyVersion is the release of a pod's proxy: what it says to istiod, else the tag of its image;
// nil where neither tells.
func (c *Cluster) ProxyVersion(p *facts.Pod) *version.Version {
	for _, connection := range c.Connections(p) {
		if v := istio.ParseVersion(connection.Version); v != nil {
			return v
		}
	}
	if proxy := p.Container(istio.ProxyContainer); proxy != nil {
		return istio.ImageVersion(proxy.Image)
	}
	return nil
}
