package model

import (
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Demand is who is on which network, as one control plane sees it: pods by network and
// cluster. The pods of gateways between networks are not among them.
type Demand struct {
	// Endpoints are pods that take mutual TLS, by the network that they have as endpoints.
	Endpoints Count
	// Clients are pods whose requests the control plane directs, by the network that they
	// were given.
	Clients Count
	// Sidecars and Ambient are those of the clients with a sidecar, and in ambient mode.
	Sidecars, Ambient Count
	// AmbientEndpoints are those of the endpoints in ambient mode.
	AmbientEndpoints Count
}

// Count is how many pods there are, by network and cluster.
type Count map[string]map[*Cluster]int

// Off are the pods that are not on a network, by cluster.
func (n Count) Off(network string) map[*Cluster]int {
	out := map[*Cluster]int{}
	for other, clusters := range n {
		if other == network {
			continue
		}
		for c, pods := range clusters {
			out[c] += pods
		}
	}
	return out
}

func (n Count) add(network string, c *Cluster) {
	if network == "" {
		return
	}
	if n[network] == nil {
		n[network] = map[*Cluster]int{}
	}
	n[network][c]++
}

// demands are those of all control planes.
type demands map[*ControlPlane]Demand

// Demand is who is on which network for the control plane. It is not to be changed.
func (cp *ControlPlane) Demand() Demand { return Derived(cp.Cluster.mesh, findDemands)[cp] }

func findDemands(m *Mesh) demands {
	out := make(demands, len(m.ControlPlanes))
	for _, cp := range m.ControlPlanes {
		out[cp] = cp.findDemand()
	}
	return out
}

func (cp *ControlPlane) findDemand() Demand {
	d := Demand{Count{}, Count{}, Count{}, Count{}, Count{}}
	for _, c := range cp.WatchedClusters() {
		namespace, configures := c.Network().Namespace, cp.Configures(c)
		for i := range resources.Pods.Of(c.Cluster).Value {
			p := &resources.Pods.Of(c.Cluster).Value[i]
			proxy := IsProxy(p)
			if !proxy && !c.IsAmbient(p) || c.IsGatewayPod(p) || p.IP() == "" {
				continue
			}
			network := cp.PodNetwork(c, p)
			d.Endpoints.add(network, c)
			if !proxy {
				d.AmbientEndpoints.add(network, c)
			}
			switch own := Variable(p, istio.EnvProxyNetwork); {
			case !configures:
			case !proxy:
				d.Clients.add(namespace, c)
				d.Ambient.add(namespace, c)
			default:
				d.Clients.add(own, c)
				if p.Labels[istio.LabelTLSMode] != "" {
					d.Sidecars.add(own, c)
				}
			}
		}
	}
	return d
}
