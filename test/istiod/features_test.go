package istiod

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// features draws what a mesh may have besides: gateways that take requests from outside, routes,
// configuration of one revision, native sidecars, and ambient mode across networks. Its numbers
// are of their own, so that all else of a seed is the same without them.
func (d *drawing) features(seed uint64) {
	d.Rand = rand.New(rand.NewPCG(seed, 1))
	remote := slices.ContainsFunc(d.topology.Clusters, func(c topology.Cluster) bool { return c.RemoteOf != "" })
	ambient := d.chance(35) && !remote // every ambient cluster of the bed has an istiod of its own
	native := d.chance(30)
	global := map[string]bool{}
	for _, s := range d.services {
		global[s.Name] = d.chance(60)
	}
	for i := range d.topology.Clusters {
		c := &d.topology.Clusters[i]
		c.Env = maps.Clone(c.Env)
		if native {
			c.Env["ENABLE_NATIVE_SIDECARS"] = "true"
		}
		if ambient {
			d.ambient(i, global)
		}
		if d.chance(60) {
			c.Workloads = append(c.Workloads, topology.Workload{
				Namespace: "shop", Name: "ingress", Router: true, Uninjected: true, Labels: map[string]string{"istio": "ingressgateway"},
			})
			c.Manifests = join(c.Manifests, manifest("networking.istio.io/v1", "Gateway", "shop", "ingress",
				"{selector: {istio: ingressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}"))
		}
		for n := range pick(d, 0, 0, 1, 1, 2) {
			c.Manifests = join(c.Manifests, d.virtualService(fmt.Sprintf("routes-%d", n)))
		}
		c.Manifests = d.revisions(c.Manifests)
	}
}

// ambient has the istiod of a cluster, mostly, know ambient mode across networks, and may put an
// east-west gateway for it there, and a waypoint.
func (d *drawing) ambient(i int, global map[string]bool) {
	c := &d.topology.Clusters[i]
	c.Ambient = true
	if d.chance(20) {
		c.Env[istio.EnvAmbientMultiNetwork] = "false"
	}
	if d.chance(25) {
		c.Env[istio.EnvAmbientIngress] = "true"
	}
	for n := range c.Services {
		if s := &c.Services[n]; global[s.Name] != d.chance(10) {
			s.Labels = map[string]string{"istio.io/global": "true"}
		}
	}
	// Without ambient mode across networks istiod has no class of east-west gateways.
	if c.Network != "" && d.chance(50) && c.Env[istio.EnvAmbientMultiNetwork] == "" {
		g := topology.Gateway{Name: "ambient", Class: "istio-east-west"}
		if d.chance(85) {
			g.IPs = []string{fmt.Sprintf("127.%d.200.%d", 2+i, 1+d.IntN(200))}
		}
		c.Gateways = append(c.Gateways, g)
	}
	if d.chance(50) {
		c.Gateways = append(c.Gateways, topology.Gateway{Namespace: "shop", Name: "waypoint", Class: "istio-waypoint", Type: "ClusterIP"})
	}
}

func (d *drawing) virtualService(name string) string {
	spec := []string{"hosts: [" + pick(d, "cart", "cart.shop.svc.cluster.local", "cart.shop.svc.cluster.local", "'*.shop.svc.cluster.local'", "old.bare.svc.cluster.local") + "]"}
	if gateways := pick(d, "", "", "[mesh]", "[mesh, ingress]", "[shop/ingress]", "[elsewhere]"); gateways != "" {
		spec = append(spec, "gateways: "+gateways)
	}
	if to := pick(d, "", "", "", "['*']", "['.']", "[bare]"); to != "" {
		spec = append(spec, "exportTo: "+to)
	}
	var routes []string
	for range pick(d, 1, 2, 3) {
		match := pick(d, "", "[{headers: {x: {exact: on-purpose}}}]", "[{uri: {prefix: /}}]", "[{uri: {prefix: /api}}, {uri: {exact: /}}]", "[{port: 80}]", "[{port: 9000}]",
			"[{sourceLabels: {app: client}}]", "[{sourceLabels: {app: cart}, uri: {prefix: /cart}}]", "[{sourceNamespace: bare}]", "[{gateways: [mesh]}]", "[{withoutHeaders: {x: {}}}]")
		route := "route: " + pick(d, "[{destination: {host: cart.shop.svc.cluster.local}}]", "[{destination: {host: cart.shop.svc.cluster.local, subset: v1}}]",
			"[{destination: {host: cart.shop.svc.cluster.local, subset: v1}, weight: 90}, {destination: {host: cart.shop.svc.cluster.local, subset: v2}, weight: 10}]",
			"[{destination: {host: cart.shop.svc.cluster.local, subset: v1}, weight: 100}, {destination: {host: cart.shop.svc.cluster.local, subset: v2}, weight: 0}]",
			"[{destination: {host: old.bare.svc.cluster.local, port: {number: 80}}}]", "[{destination: {host: nowhere.shop.svc.cluster.local}}]")
		if match != "" {
			route += ", match: " + match
		}
		routes = append(routes, "{"+route+"}")
	}
	spec = append(spec, "http: ["+strings.Join(routes, ", ")+"]")
	return manifest("networking.istio.io/v1", "VirtualService", "shop", name, "{"+strings.Join(spec, ", ")+"}")
}

// revisions has some objects be read by control planes of one revision alone: of that of the
// topologies, of another one, or of one of which there is only the tag.
func (d *drawing) revisions(manifests string) string {
	documents := strings.Split(manifests, "---\n")
	for i, m := range documents {
		if m != "" && d.chance(15) {
			documents[i] = strings.Replace(m, "metadata: {", "metadata: {labels: {istio.io/rev: "+pick(d, topology.Revision, "other", "prod-stable")+"}, ", 1)
		}
	}
	return strings.Join(documents, "---\n")
}

// join adds a document to others.
func join(manifests, more string) string {
	if manifests == "" {
		return more
	}
	return manifests + "---\n" + more
}
