package istiod

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/test/bed/topology"
)

// drawing makes topologies; the same seed makes the same one.
type drawing struct {
	*rand.Rand
	topology topology.Topology
	services []topology.Service
	hosts    int   // names of gateways so far
	port     int32 // of a node, so far
}

// draw makes the topology of a seed: mostly sound, and with a few things out of order.
func draw(seed uint64) topology.Topology {
	d := &drawing{Rand: rand.New(rand.NewPCG(seed, 0)), port: 31000}
	d.topology.Hosts = map[string][]string{}
	// The same in all clusters: where the control plane's own cluster has none, the
	// definition of the cluster that answers it first counts, which nobody can predict.
	d.services = []topology.Service{
		d.service("shop", "cart"),
		{Namespace: "shop", Name: "db", Headless: true, Ports: []topology.Port{{Name: "tcp", Port: 5432, Target: 8080}}},
		d.service("bare", "old"),
	}
	networks := d.IntN(4) // 0: nobody speaks of networks
	for i := range 1 + d.IntN(len(names)) {
		d.topology.Clusters = append(d.topology.Clusters, d.cluster(i, networks))
	}
	d.remoteSecrets()
	d.meshConfig()
	d.meshNetworks(networks)
	d.features(seed)
	return d.topology
}

// chance is true in percent cases of a hundred.
func (d *drawing) chance(percent int) bool { return d.IntN(100) < percent }

func pick[T any](d *drawing, from ...T) T { return from[d.IntN(len(from))] }

func (d *drawing) network(networks int) string {
	if networks == 0 {
		return ""
	}
	return fmt.Sprintf("n%d", 1+d.IntN(networks))
}

func (d *drawing) cluster(i, networks int) topology.Cluster {
	c := topology.Cluster{Name: names[i], Network: d.network(networks), Env: map[string]string{"PILOT_REMOTE_CLUSTER_TIMEOUT": "2s"}}
	if d.chance(10) {
		c.ID = "id-" + c.Name
	}
	if c.Network != "" && d.chance(12) {
		c.NamespaceNetwork = pick(d, "-", "n9", d.network(networks))
	}
	if c.Network != "" && d.chance(12) {
		c.InjectedNetwork = pick(d, "-", d.network(networks))
	}
	primaries := slices.DeleteFunc(slices.Clone(d.topology.Clusters), func(c topology.Cluster) bool { return c.RemoteOf != "" })
	if len(primaries) > 0 && d.chance(15) {
		c.RemoteOf = pick(d, primaries...).Name
	}
	c.Nodes = []topology.Node{
		{Name: "node-1", Region: pick(d, "r1", "r2"), Zone: pick(d, "z1", "z2"), ExternalIP: fmt.Sprintf("127.1.%d.1", i)},
		{Name: "node-2", Region: pick(d, "r1", "r2"), Zone: pick(d, "z1", "z2")},
	}
	for n := range pick(d, 0, 1, 1, 1, 2) {
		c.Gateways = append(c.Gateways, d.gateway(i, n))
	}
	c.Namespaces = []topology.Namespace{
		{Name: "shop", Labels: map[string]string{"istio-injection": "enabled"}},
		{Name: "bare"},
	}
	for i, s := range d.services {
		if d.chance([]int{90, 70, 60}[i]) {
			s.NotReadyToo = d.chance(10)
			c.Services = append(c.Services, s)
		}
	}
	for _, w := range []topology.Workload{{Namespace: "shop", Name: "cart"}, {Namespace: "shop", Name: "db"}, {Namespace: "bare", Name: "old"}} {
		if d.chance(85) {
			c.Workloads = append(c.Workloads, d.workload(w, networks))
		}
	}
	// Who only asks, in every cluster.
	c.Workloads = append(c.Workloads, topology.Workload{Namespace: "shop", Name: "client"})
	c.Manifests = d.policies()
	return c
}

func (d *drawing) gateway(cluster, n int) topology.Gateway {
	g := topology.Gateway{Name: fmt.Sprintf("eastwest-%d", n)}
	if d.chance(10) {
		g.Network = pick(d, "-", "n1", "n9")
	}
	address := func() string { return fmt.Sprintf("127.%d.%d.%d", 2+cluster, n, 1+d.IntN(200)) }
	switch d.IntN(10) {
	case 0: // pending
	case 1:
		d.hosts++
		host := fmt.Sprintf("gateway-%d.example", d.hosts)
		g.Hostnames = []string{host}
		if d.chance(80) {
			d.topology.Hosts[host] = []string{address()}
		}
	case 2:
		g.IPs = []string{address(), address()}
	case 3:
		d.port++
		g.Type, g.Ports = "NodePort", []topology.Port{{Name: "tls", Port: 15443, NodePort: d.port}}
		if d.chance(70) {
			g.Annotations = map[string]string{"traffic.istio.io/nodeSelector": pick(d, "{}", `{"kubernetes.io/hostname":"node-1"}`)}
		}
	case 4:
		g.IPs, g.Labels = []string{address()}, map[string]string{"networking.istio.io/gatewayPort": "443"}
		g.Ports = []topology.Port{{Name: "tls", Port: 443}}
	case 5:
		g.IPs, g.ExternalIPs = []string{address()}, []string{fmt.Sprintf("192.0.2.%d", 1+d.IntN(200))}
	default:
		g.IPs = []string{address()}
	}
	return g
}

func (d *drawing) service(namespace, name string) topology.Service {
	s := topology.Service{Namespace: namespace, Name: name, Ports: []topology.Port{{Name: "http", Port: 80, Target: 8080}}}
	if d.chance(30) {
		s.Ports = append(s.Ports, topology.Port{Name: pick(d, "grpc", "tcp-other"), Port: 9000, Target: 9090})
	}
	if d.chance(10) {
		s.Annotations = map[string]string{"networking.istio.io/exportTo": pick(d, ".", "shop", "*")}
	}
	return s
}

func (d *drawing) workload(w topology.Workload, networks int) topology.Workload {
	replicas := int32(1 + d.IntN(2))
	w.Replicas = &replicas
	w.Labels = map[string]string{"version": pick(d, "v1", "v2")}
	w.Node = pick(d, "", "", "node-1", "node-2")
	w.NotReady = d.chance(8)
	w.Uninjected = d.chance(10)
	if networks > 0 && d.chance(12) {
		w.Relabel = map[string]string{"topology.istio.io/network": pick(d, "", d.network(networks))}
	}
	return w
}

// policies are those of one cluster; istiod reads only those of its own.
func (d *drawing) policies() string {
	var out []string
	if d.chance(25) {
		out = append(out, manifest("security.istio.io/v1", "PeerAuthentication", pick(d, "istio-system", "shop", "bare"), "default",
			"mtls: {mode: "+pick(d, "STRICT", "PERMISSIVE", "DISABLE", "UNSET")+"}"))
	}
	if d.chance(15) {
		out = append(out, manifest("security.istio.io/v1", "PeerAuthentication", "shop", "cart",
			"{selector: {matchLabels: {app: cart}}, mtls: {mode: "+pick(d, "STRICT", "DISABLE")+"}, portLevelMtls: {8080: {mode: "+pick(d, "DISABLE", "STRICT")+"}}}"))
	}
	if d.chance(40) {
		policy := pick(d, "", "tls: {mode: ISTIO_MUTUAL}", "tls: {mode: DISABLE}", "tls: {mode: SIMPLE}",
			"outlierDetection: {consecutive5xxErrors: 5}", "{outlierDetection: {}, loadBalancer: {localityLbSetting: {enabled: true}}}",
			"loadBalancer: {simple: ROUND_ROBIN}", "{portLevelSettings: [{port: {number: 80}, tls: {mode: DISABLE}}]}")
		spec := "host: cart.shop.svc.cluster.local"
		if policy != "" {
			spec += "\n  trafficPolicy: {" + strings.TrimSuffix(strings.TrimPrefix(policy, "{"), "}") + "}"
			if strings.HasPrefix(policy, "{") != strings.HasSuffix(policy, "}") {
				spec = "host: cart.shop.svc.cluster.local\n  trafficPolicy: {" + policy + "}"
			}
		}
		if d.chance(60) {
			spec += "\n  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}, trafficPolicy: {tls: {mode: " + pick(d, "ISTIO_MUTUAL", "DISABLE") + "}}}]"
		}
		out = append(out, manifest("networking.istio.io/v1", "DestinationRule", pick(d, "shop", "shop", "istio-system", "bare"), "cart", spec))
	}
	return strings.Join(out, "---\n")
}

func manifest(version, kind, namespace, name, spec string) string {
	return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: %s, namespace: %s}\nspec:\n  %s\n", version, kind, name, namespace, spec)
}

// remoteSecrets puts something out of order in one of three topologies.
func (d *drawing) remoteSecrets() {
	if len(d.topology.Clusters) < 2 || !d.chance(35) {
		return // all as they should be
	}
	d.topology.RemoteSecrets = []topology.RemoteSecret{}
	for _, in := range d.topology.Clusters {
		for _, of := range d.topology.Clusters {
			if in.Name == of.Name || in.RemoteOf != "" {
				continue
			}
			s := topology.RemoteSecret{In: in.Name, Of: of.Name}
			switch d.IntN(10) {
			case 0:
				continue // missing
			case 1:
				s.Key = pick(d, "elsewhere", cmpID(in))
				s.Name = "istio-remote-secret-of-" + of.Name
			case 2:
				s.Server = "https://127.0.0.1:1"
			case 3:
				s.Token = "not-a-token"
			case 4:
				again := s
				again.Name = "again-" + of.Name
				d.topology.RemoteSecrets = append(d.topology.RemoteSecrets, again)
			}
			d.topology.RemoteSecrets = append(d.topology.RemoteSecrets, s)
		}
	}
}

func cmpID(c topology.Cluster) string {
	if c.ID != "" {
		return c.ID
	}
	return c.Name
}

func (d *drawing) meshConfig() {
	var out []string
	if d.chance(15) {
		out = append(out, "serviceSettings: [{settings: {clusterLocal: true}, hosts: ['"+pick(d, "cart.shop.svc.cluster.local", "*.shop.svc.cluster.local", "*.bare.svc.cluster.local")+"']}]")
	}
	if d.chance(15) {
		out = append(out, pick(d, "localityLbSetting: {enabled: false}", "localityLbSetting: {failover: [{from: r1, to: r2}]}",
			"localityLbSetting: {distribute: [{from: r1/*, to: {r1/*: 80, r2/*: 20}}]}", "localityLbSetting: {failoverPriority: [topology.istio.io/network]}"))
	}
	if d.chance(10) {
		out = append(out, "enableAutoMtls: false")
	}
	if d.chance(8) {
		out = append(out, "discoverySelectors: [{matchLabels: {istio-injection: enabled}}, {matchLabels: {kubernetes.io/metadata.name: istio-system}}]")
	}
	d.topology.MeshConfig = strings.Join(out, "\n")
}

func (d *drawing) meshNetworks(networks int) {
	if networks == 0 || !d.chance(25) {
		return
	}
	var out strings.Builder
	out.WriteString("networks:\n")
	for i, c := range d.topology.Clusters {
		endpoints := pick(d, fmt.Sprintf("fromRegistry: %s", cmpID(c)), fmt.Sprintf("fromCidr: 10.%d.0.0/16", i+1))
		gateway := pick(d, fmt.Sprintf("address: 127.9.%d.1", i), "registryServiceName: eastwest-0.istio-system.svc.cluster.local")
		fmt.Fprintf(&out, "  n%d-%s:\n    endpoints: [{%s}]\n    gateways: [{%s, port: 15443}]\n", 1+d.IntN(networks), c.Name, endpoints, gateway)
	}
	d.topology.MeshNetworks = out.String()
}
