package topology

import (
	"fmt"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

type object = map[string]any

func (d *draw) meshConfig() object {
	out := object{"trustDomain": "cluster.local"}
	if d.selective {
		out["discoverySelectors"] = []any{object{"matchLabels": object{"discover": "yes"}}}
	}
	if d.chance(0.25) {
		settings := []any{}
		for range 1 + d.IntN(2) {
			host := anyOf(d, d.host(), d.host(), "*.shop.svc.cluster.local", "*.kube-system.svc.cluster.local", "*.svc.cluster.local", "*")
			settings = append(settings, object{"settings": object{"clusterLocal": d.chance(0.7)}, "hosts": []any{host}})
		}
		out["serviceSettings"] = settings
	}
	if d.chance(0.25) {
		setting := object{}
		switch d.IntN(4) {
		case 0:
			setting["enabled"] = false
		case 1:
			setting["failover"] = []any{object{"from": "eu", "to": "us"}}
		case 2:
			setting["failoverPriority"] = []any{istio.LabelNetwork, "topology.kubernetes.io/region"}
		case 3:
			setting["distribute"] = []any{object{"from": "eu/*", "to": object{"eu/*": 80, "us/*": 20}}}
		}
		out["localityLbSetting"] = setting
	}
	if d.chance(0.05) {
		out["rootNamespace"] = "edge"
	}
	if d.chance(0.05) {
		out["defaultServiceExportTo"] = []any{anyOf(d, ".", "*", "edge")}
	}
	if d.chance(0.05) {
		out["defaultDestinationRuleExportTo"] = []any{"."}
	}
	return out
}

func (d *draw) host() string {
	s := d.shapes[d.IntN(len(d.shapes))]
	return fmt.Sprintf("%s.%s.svc.cluster.local", s.name, s.namespace)
}

func (d *draw) meshNetworks() istio.MeshNetworks {
	out := istio.MeshNetworks{Networks: map[string]istio.MeshNetwork{}}
	if d.chance(0.6) {
		return out
	}
	taken := map[string]bool{} // of two networks that claim the same, istiod takes any
	for _, name := range append(d.networks, "static") {
		var n istio.MeshNetwork
		for range d.IntN(3) {
			e := istio.NetworkEndpoints{}
			if d.chance(0.5) {
				e.FromRegistry = anyOf(d, d.fleet.Clusters[d.IntN(len(d.fleet.Clusters))].ID, "unheard-of")
			} else {
				i := d.IntN(len(d.fleet.Clusters))
				e.FromCIDR = anyOf(d, fmt.Sprintf("10.%d.0.0/16", i), fmt.Sprintf("10.%d.1.0/24", i),
					"10.0.0.0/8", "10.0.0.0/15", "192.168.0.0/16", "fd00::/8")
			}
			if id := e.FromRegistry + e.FromCIDR; !taken[id] {
				taken[id] = true
				n.Endpoints = append(n.Endpoints, e)
			}
		}
		for range d.IntN(3) {
			g := istio.MeshNetworkGateway{Port: anyOf[uint32](d, 15443, 443)}
			switch d.IntN(3) {
			case 0:
				g.Address = fmt.Sprintf("203.0.113.%d", d.IntN(5))
			case 1:
				g.Address = d.hostname()
			case 2:
				g.RegistryServiceName = fmt.Sprintf("gateway-%d.%s.svc.cluster.local", d.IntN(3), anyOf(d, System, "edge"))
			}
			n.Gateways = append(n.Gateways, g)
		}
		if len(n.Endpoints)+len(n.Gateways) > 0 {
			out.Networks[name] = n
		}
	}
	if d.chance(0.05) {
		out.Networks["broken"] = istio.MeshNetwork{Endpoints: []istio.NetworkEndpoints{{FromCIDR: "10.0.0.0/99"}}}
	}
	return out
}

// hostname makes a host name that has addresses, or has none.
func (d *draw) hostname() string {
	name := fmt.Sprintf("gateway-%d.seed-%d.example", d.IntN(6), d.fleet.Seed)
	if _, drawn := d.fleet.Hosts[name]; drawn || d.chance(0.25) {
		return name
	}
	addresses := []string{fmt.Sprintf("198.51.100.%d", d.IntN(250))}
	if d.chance(0.3) {
		addresses = append(addresses, fmt.Sprintf("2001:db8::%x", 1+d.IntN(250)))
	}
	d.fleet.Hosts[name] = addresses
	return name
}

// policies adds what decides about mutual TLS, subsets and localities.
func (d *draw) policies() {
	for i := range d.IntN(4) {
		p := &api.PeerAuthentication{ObjectMeta: d.meta(anyOf(d, System, "shop", "edge"), fmt.Sprintf("peers-%d", i), nil)}
		if d.chance(0.9) {
			p.Spec.MTLS = &api.MutualTLS{Mode: d.mode()}
		}
		if d.chance(0.4) {
			p.Spec.Selector = &api.WorkloadSelector{MatchLabels: map[string]string{"app": d.shapes[d.IntN(len(d.shapes))].name}}
			if d.chance(0.5) {
				p.Spec.PortLevelMTLS = map[string]api.MutualTLS{anyOf(d, "8080", "9090"): {Mode: d.mode()}}
			}
		}
		d.put(p)
	}
	for i := range d.IntN(4) {
		s := d.shapes[d.IntN(len(d.shapes))]
		r := &api.DestinationRule{ObjectMeta: d.meta(anyOf(d, s.namespace, System, "edge"), fmt.Sprintf("rule-%d", i), nil)}
		r.Spec.Host = pick(d, fmt.Sprintf("%s.%s.svc.cluster.local", s.name, s.namespace), s.name, "*."+s.namespace+".svc.cluster.local", "*")
		r.Spec.TrafficPolicy = d.trafficPolicy(true)
		for _, version := range []string{"v1", "v2"}[:d.IntN(3)] {
			r.Spec.Subsets = append(r.Spec.Subsets, api.Subset{Name: version, Labels: d.subsetLabels(version), TrafficPolicy: d.trafficPolicy(true)})
		}
		if d.chance(0.3) {
			r.Spec.ExportTo = []string{anyOf(d, ".", "*", "edge", "shop")}
		}
		if d.chance(0.15) {
			r.Spec.ExportTo = nil
			r.Spec.WorkloadSelector = &api.WorkloadSelector{MatchLabels: map[string]string{"version": "v1"}}
		}
		d.put(r)
	}
}

func (d *draw) subsetLabels(version string) map[string]string {
	if d.chance(0.2) {
		return map[string]string{istio.LabelCluster: d.fleet.Clusters[d.IntN(len(d.fleet.Clusters))].ID}
	}
	return map[string]string{"version": version}
}

func (d *draw) mode() string {
	return anyOf(d, api.MTLSUnset, api.MTLSDisable, api.MTLSPermissive, api.MTLSStrict)
}

func (d *draw) clientTLS() *api.ClientTLS {
	return pick(d, nil, &api.ClientTLS{Mode: api.TLSIstioMutual}, &api.ClientTLS{Mode: "DISABLE"}, &api.ClientTLS{Mode: "SIMPLE"})
}

func (d *draw) trafficPolicy(ports bool) *api.TrafficPolicy {
	if d.chance(0.4) {
		return nil
	}
	p := &api.TrafficPolicy{TLS: d.clientTLS(), OutlierDetection: d.outlierDetection(), LoadBalancer: d.loadBalancer()}
	q := api.PortTrafficPolicy{TLS: d.clientTLS(), OutlierDetection: d.outlierDetection(), LoadBalancer: d.loadBalancer()}
	if ports && d.chance(0.3) {
		if q.TLS != nil || q.OutlierDetection != nil || q.LoadBalancer != nil { // an empty one is not valid
			q.Port = &api.PortSelector{Number: anyOf[uint32](d, 80, 90)}
			p.PortLevelSettings = []api.PortTrafficPolicy{q}
		}
	}
	if p.TLS == nil && p.OutlierDetection == nil && p.LoadBalancer == nil && p.PortLevelSettings == nil {
		return nil
	}
	return p
}

func (d *draw) outlierDetection() *api.OutlierDetection {
	if d.chance(0.5) {
		return nil
	}
	return &api.OutlierDetection{MinHealthPercent: anyOf[int32](d, 0, 0, 50)}
}

func (d *draw) loadBalancer() *api.LoadBalancer {
	if d.chance(0.6) {
		return nil
	}
	s := &api.LocalityLbSetting{}
	switch d.IntN(4) {
	case 0:
		off := d.chance(0.3)
		s.Enabled = &off
	case 1:
		s.Failover = []api.Failover{{From: anyOf(d, "eu", "us"), To: "ap"}}
	case 2:
		s.FailoverPriority = anyOf(
			d,
			[]string{istio.LabelCluster},
			[]string{istio.LabelNetwork, "topology.kubernetes.io/zone"},
			[]string{"version=v2", istio.LabelNetwork},
		)
	case 3:
		s.Distribute = []api.Distribute{
			{From: anyOf(d, "eu/*", "us/one/*", "*"), To: anyOf(d, map[string]uint32{"eu/*": 60, "us/*": 40}, map[string]uint32{"us/one/*": 100})},
		}
	}
	return &api.LoadBalancer{LocalityLbSetting: s}
}
