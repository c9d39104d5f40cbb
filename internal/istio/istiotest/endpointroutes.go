package istiotest

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// multiNetwork turns ambient mode across networks on, in a mesh of sidecars.
func multiNetwork(c *Cluster) {
	c.Env[istio.EnvAmbient], c.Env[istio.EnvAmbientMultiNetwork] = "true", "true"
	c.Mesh["istio"]["serviceScopeConfigs"] = []any{map[string]any{
		"servicesSelector": map[string]any{"matchLabels": map[string]string{istio.LabelGlobal: "true"}}, "scope": "GLOBAL",
	}}
}

// byCluster are subsets for each cluster of a fleet, and routes by which requests stay in the
// client's: the way of Istio's guide.
func byCluster(f *Fleet, c *Cluster) {
	r, vs := rule(nil), routeTo("helloworld", "")
	vs.Spec.HTTP = nil
	for _, o := range f.Clusters {
		r.Spec.Subsets = append(r.Spec.Subsets, api.Subset{Name: o.Name, Labels: map[string]string{istio.LabelCluster: o.Name}})
		vs.Spec.HTTP = append(vs.Spec.HTTP, api.Route{
			Match: []api.RouteMatch{{SourceLabels: map[string]string{istio.LabelCluster: o.Name}}},
			Route: []api.RouteDestination{{Destination: &api.RouteTarget{Host: "helloworld", Subset: o.Name}}},
		})
	}
	c.Network.More = append(c.Network.More, r, vs)
}

// versions label the pods of a Service, and define a subset of each version.
func versions(c *Cluster, names ...string) {
	r := rule(nil)
	for i, p := range c.Network.Pods[:2] {
		p.Labels["version"] = names[i%len(names)]
	}
	for _, name := range names {
		r.Spec.Subsets = append(r.Spec.Subsets, api.Subset{Name: name, Labels: map[string]string{"version": name}})
	}
	c.Network.More = append(c.Network.More, r)
}

// ingress gives the cluster an ingress gateway, with a label istio, that has a route to a Service
// of namespace sample.
func (c *Cluster) ingress(label, to string) {
	labels := map[string]string{"app": "ingress", "istio": label}
	p := c.pod("ingress", "ingress", 0, ip(c.Network.Pods[0].Status.PodIP), labels)
	p.Spec.Containers[0].Name = istio.ProxyContainer
	SetEnv(p, istio.EnvProxyNetwork, c.Network.Name)
	SetEnv(p, istio.EnvProxyClusterID, c.Env[istio.EnvClusterID])
	c.Namespaces["ingress"] = nil
	gateway := &api.Gateway{ObjectMeta: meta("ingress", "ingress", nil)}
	gateway.Spec.Selector = map[string]string{"istio": label}
	gateway.Spec.Servers = []api.Server{{Port: &api.ServerPort{Number: 80, Protocol: "HTTP", Name: "http"}, Hosts: []string{"*"}}}
	vs := routeTo(to, "")
	vs.Name, vs.Spec.Hosts, vs.Spec.Gateways = "ingress", []string{"shop.example"}, []string{"ingress/ingress"}
	c.Network.More = append(c.Network.More, p, gateway, vs)
}

// endpointRouteFaults are fleets in which routes, or ambient mode across networks, keep requests away.
var endpointRouteFaults = []EndpointCase{
	{Case: Case{Name: "ambient mode across networks, and no global service", Want: []string{"EP035 warning east", "EP035 warning west"},
		Fleet: serving(func(f *Fleet, _, _ *Cluster) {
			for _, c := range f.Clusters {
				multiNetwork(c)
			}
		})}, Paths: []string{"east > west: broken EP035", "west > east: broken EP035"}},
	{Case: Case{Name: "ambient mode across networks, and a client without own pods", Want: []string{"EP035 error east"},
		Fleet: serving(func(_ *Fleet, east, _ *Cluster) {
			multiNetwork(east)
			for _, p := range east.Network.Pods[:2] {
				p.Labels["app"] = "other"
			}
			east.Slice("helloworld").Endpoints = nil
		})}, Paths: []string{"east > west: broken EP035", "west > east: nothing"}},
	{Case: Case{Name: "a route to a subset that no rule defines", Want: []string{"EP036 error east", "EP051 note west,east"},
		Fleet: serving(func(_ *Fleet, east, _ *Cluster) {
			east.Network.More = append(east.Network.More, routeTo("helloworld", "v9"))
		})},
		Paths: []string{"east > west: broken EP036"}},
	{Case: Case{Name: "a route to a subset without endpoints", Want: []string{"EP036 error east", "EP051 note west,east", "EP054 note west"},
		Fleet: serving(func(f *Fleet, east, _ *Cluster) {
			for _, c := range f.Clusters {
				versions(c, "v1")
				c.Network.More[len(c.Network.More)-1].(*api.DestinationRule).Spec.Subsets[0].Labels["version"] = "v9"
			}
			east.Network.More = append(east.Network.More, routeTo("helloworld", "v1"))
		})}, Paths: []string{"east > west: broken EP036"}},
	{Case: Case{Name: "a subset of a cluster by a name that istiod does not know", Want: []string{"EP036 error east", "EP036 error west"},
		Fleet: serving(func(f *Fleet, _, _ *Cluster) {
			for _, c := range f.Clusters {
				vs := routeTo("helloworld", "far")
				vs.Spec.HTTP[0].Match = []api.RouteMatch{{Headers: map[string]api.Condition{"x-far": {}}}}
				c.Network.More = append(c.Network.More, vs,
					rule(nil, api.Subset{Name: "far", Labels: map[string]string{istio.LabelCluster: "occident"}}))
			}
		})}, Paths: []string{"east > west: broken EP036", "west > east: broken EP036"}},
	{Asked: []string{"EP036 error east", "EP051 note west,east"}, Case: Case{Name: "a preview that is scaled to nothing", Want: []string{"EP036 note east", "EP051 note west,east"},
		Fleet: serving(func(_ *Fleet, east, _ *Cluster) {
			vs := routeTo("helloworld", "preview")
			vs.Spec.HTTP[0].Match = []api.RouteMatch{{Headers: map[string]api.Condition{"x-preview": {}}}}
			vs.Spec.HTTP = append(vs.Spec.HTTP, routeTo("helloworld", "").Spec.HTTP...)
			east.Network.More = append(east.Network.More, vs,
				rule(nil, api.Subset{Name: "preview", Labels: map[string]string{"version": "preview"}}))
		})}, Paths: []string{"east > west: partial EP036"}},
	{Case: Case{Name: "a rule with a server name of its own", Want: []string{"EP037 error east", "EP051 note west,east"},
		Fleet: serving(func(_ *Fleet, east, _ *Cluster) {
			east.Network.More = append(east.Network.More, rule(&api.TrafficPolicy{
				TLS: &api.ClientTLS{Mode: api.TLSIstioMutual, SNI: "hello.example"},
			}))
		})}, Paths: []string{"east > west: broken EP037"}},
	{Case: Case{Name: "an ingress gateway with ambient mode across networks", Want: []string{"EP038 warning east"},
		Fleet: serving(func(f *Fleet, east, _ *Cluster) {
			for _, c := range f.Clusters {
				c.Service("helloworld").Labels[istio.LabelGlobal] = "true"
			}
			multiNetwork(east)
			east.ingress("ingressgateway", "helloworld")
		})}, Paths: []string{"east > west: broken EP038"}},
	{Case: Case{Name: "a gateway of another name with ambient mode across networks", Want: []string{"EP038 error east"},
		Fleet: serving(func(f *Fleet, east, west *Cluster) {
			for _, c := range f.Clusters {
				c.Service("helloworld").Labels[istio.LabelGlobal] = "true"
			}
			multiNetwork(east)
			ports := &west.Network.Gateway.Spec.Ports
			hbone := (*ports)[len(*ports)-1]
			hbone.Name, hbone.Port = "hbone", istio.HBONEPort
			*ports = append(*ports, hbone)
			east.ingress("edge", "helloworld")
		})}, Paths: []string{"east > west: broken EP038"}},
	{Case: Case{Name: "an ambient network without a gateway", Want: []string{"EP040 error east,west"},
		Fleet: ambientNetworked(func(_, west *Cluster, _, _ *corev1.Service) {
			west.Network.More = west.Network.More[:len(west.Network.More)-1]
		}),
	}, Paths: []string{"east > west: broken EP040"}},
	{Asked: []string{"EP041 note east", "EP041 note west"}, Case: Case{Name: "an ambient service that is not global",
		Fleet: ambientNetworked(func(_, _ *Cluster, inEast, inWest *corev1.Service) { inEast.Labels, inWest.Labels = nil, nil }),
	}, Paths: []string{"east > west: local EP041", "west > east: local EP041"}},
	{Asked: []string{"EP001 error east"}, Case: Case{Name: "an ambient service that only the other cluster has",
		Fleet: ambientNetworked(func(east, _ *Cluster, inEast, _ *corev1.Service) { east.Network.Drop(inEast, east.Slice("helloworld")) }),
	}, Paths: []string{"east > west: broken EP001", "west > east: nothing"}},
	{Asked: []string{"EP039 note east", "EP039 note west"}, Case: Case{Name: "routes that keep requests in their cluster",
		Fleet: serving(func(f *Fleet, _, _ *Cluster) {
			for _, c := range f.Clusters {
				byCluster(f, c)
			}
		})}, Paths: []string{"east > west: local EP039", "west > east: local EP039"}},
}

// endpointRouteHealthy look like the faults, and are none.
var endpointRouteHealthy = []EndpointCase{
	{Case: Case{Name: "ambient on two networks, a global service", Fleet: ambientNetworked(func(_, _ *Cluster, _, _ *corev1.Service) {})}},
	{Case: Case{Name: "ambient mode across networks, all services global", Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			multiNetwork(c)
			c.Service("helloworld").Labels[istio.LabelGlobal] = "true"
		}
	})}},
	{Case: Case{Name: "the variable of multiple networks, without ambient mode", Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			multiNetwork(c)
			delete(c.Env, istio.EnvAmbient)
		}
	})}},
	{Case: Case{Name: "routes to versions that both clusters have", Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			versions(c, "v1", "v2")
			vs := routeTo("helloworld", "v1")
			vs.Spec.HTTP[0].Route[0].Weight = 90
			vs.Spec.HTTP[0].Route = append(vs.Spec.HTTP[0].Route,
				api.RouteDestination{Destination: &api.RouteTarget{Host: "helloworld", Subset: "v2"}, Weight: 10})
			c.Network.More = append(c.Network.More, vs)
		}
	})}},
	{Case: Case{Name: "a canary without weight and without pods", Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			versions(c, "v1")
			r := c.Network.More[len(c.Network.More)-1].(*api.DestinationRule)
			r.Spec.Subsets = append(r.Spec.Subsets, api.Subset{Name: "canary", Labels: map[string]string{"version": "canary"}})
			vs := routeTo("helloworld", "v1")
			vs.Spec.HTTP[0].Route[0].Weight = 100
			vs.Spec.HTTP[0].Route = append(vs.Spec.HTTP[0].Route,
				api.RouteDestination{Destination: &api.RouteTarget{Host: "helloworld", Subset: "canary"}})
			c.Network.More = append(c.Network.More, vs)
		}
	})}},
	{Case: Case{Name: "an ingress gateway with a route", Fleet: serving(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			c.ingress("ingressgateway", "helloworld")
		}
	})}},
	{Case: Case{Name: "a server name on one network", Fleet: servingFlat(func(f *Fleet, _, _ *Cluster) {
		for _, c := range f.Clusters {
			c.Network.More = append(c.Network.More, rule(&api.TrafficPolicy{
				TLS: &api.ClientTLS{Mode: api.TLSIstioMutual, SNI: "hello.example"},
			}))
		}
	})}},
}
