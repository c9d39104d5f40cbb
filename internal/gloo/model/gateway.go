package model

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
)

// Recorded is an east-west gateway of a mesh as its management plane knows it.
type Recorded struct {
	// Addresses are those at which other clusters reach it, Port the port; none and 0 where there is none.
	Addresses []string
	Port      int64
	// Labels are those of its pods, Destination the discovered service that it is; releases have the one or
	// the other.
	Labels      map[string]string
	Destination api.Ref
}

// Recorded are the gateways that the plane knows: releases before 1.1 keep them in the spec.
func (m *Member) Recorded() []Recorded {
	var out []Recorded
	for _, g := range m.Status.List("appliedEastWestIngressGateways") {
		out = append(out, Recorded{
			Addresses: g.Strings("externalAddresses"), Port: g.Int("destinationPort"), Destination: g.Ref("destinationRef"),
		})
	}
	if len(out) > 0 {
		return out
	}
	for _, g := range m.Spec.List("istio", "ingressGateways") {
		r := Recorded{Port: g.Int("externalTlsPort"), Labels: map[string]string{}}
		for _, field := range []string{"externalAddress", "dnsName", "ip"} {
			if a := g.String(field); a != "" {
				r.Addresses = append(r.Addresses, a)
			}
		}
		r.Addresses = finding.Distinct(r.Addresses)
		for k := range g.Fields("workloadLabels") {
			r.Labels[k] = g.String("workloadLabels", k)
		}
		out = append(out, r)
	}
	return out
}

// Reached reports whether the plane knows an address of a gateway of the mesh.
func (m *Member) Reached() bool {
	return slices.ContainsFunc(m.Recorded(), func(r Recorded) bool { return len(r.Addresses) > 0 })
}

// usualLabels are those of the pods of a gateway, and portTLS is the name of its port, unless a VirtualMesh or the Settings of
// the plane say otherwise.
var usualLabels = map[string]string{"istio": "ingressgateway"}

const portTLS = "tls"

// GatewayPorts are the names that the port may have by which other clusters come in to a mesh: those that its VirtualMeshes name
// with the gateways that they select, and, where these may have selected none, that of the Settings, or else "tls" (applier.go,
// getAppliedEastWestIngressGateways).
func (m *Member) GatewayPorts() []string {
	var out []string
	refused := false
	for _, v := range m.VirtualMeshes {
		refused = refused || v.Refused()
		for _, s := range v.Spec.List("federation", "eastWestIngressGatewaySelectors") {
			out = append(out, cmp.Or(s.String("portName"), portTLS))
		}
	}
	if len(out) > 0 && refused {
		return out
	}
	for _, d := range m.detectors() {
		if name := d.String("gatewayTlsPortName"); name != "" {
			return append(out, name)
		}
	}
	return append(out, portTLS)
}

// GatewayLabels are those by which discovery finds the gateways of a mesh.
func (m *Member) GatewayLabels() map[string]string {
	for _, d := range m.detectors() {
		if of := d.Fields("gatewayWorkloadLabels"); len(of) > 0 {
			out := map[string]string{}
			for k := range of {
				out[k] = of.String(k)
			}
			return out
		}
	}
	return usualLabels
}

// detectors are what the Settings say of the gateways of the mesh's cluster, and of those of all clusters
// (mesh-discovery/translation/utils/settings.go).
func (m *Member) detectors() []api.Fields {
	if m.Plane.Settings == nil {
		return nil
	}
	all := m.Plane.Settings.Spec.Fields("discovery", "istio", "ingressGatewayDetectors")
	return []api.Fields{all.Fields(m.ClusterName), all.Fields("*")}
}

// Gateway is a Service that is, or ought to be, the east-west gateway of a mesh, as it is now.
type Gateway struct {
	*corev1.Service
	Cluster *Cluster
	// Ports are the names that the port may have by which other clusters come in.
	Ports []string
}

// Object names the Service.
func (g *Gateway) Object() finding.Object { return finding.In("service", g.Namespace, g.Name) }

// Gateways are the Services of the gateways of a mesh, as they are now: those that the plane knows, else
// those that it would look at. None where its cluster was not reached.
func (m *Member) Gateways() []*Gateway {
	c := m.Target()
	if c == nil {
		return nil
	}
	labels := []map[string]string{}
	var named []*Gateway
	ports := m.GatewayPorts()
	for _, r := range m.Recorded() {
		if len(r.Labels) > 0 {
			labels = append(labels, r.Labels)
		}
		for _, row := range m.Plane.Targets {
			if o := m.Plane.Cluster.find(row, r.Destination.Namespace, r.Destination.Name); o != nil {
				ref := o.Spec.Ref("kubeService", "ref")
				if s := c.Service(ref.Namespace, ref.Name); s != nil {
					named = append(named, &Gateway{s, c, ports})
				}
			}
		}
	}
	if len(named) > 0 {
		return named
	}
	if len(labels) == 0 {
		labels = []map[string]string{m.GatewayLabels()}
	}
	var out []*Gateway
	for i := range c.Services() {
		s := &c.Services()[i]
		has := func(l map[string]string) bool { return facts.Selects(l, s.Spec.Selector) }
		if (s.Namespace == m.System || m.Plane.Selects()) && slices.ContainsFunc(labels, has) {
			out = append(out, &Gateway{s, c, ports})
		}
	}
	return out
}

// Chosen reports whether people choose the gateways of a mesh, by their labels or by selectors.
func (m *Member) Chosen() bool {
	return slices.ContainsFunc(m.VirtualMeshes, func(v *VirtualMesh) bool {
		return len(v.Spec.List("federation", "eastWestIngressGatewaySelectors")) > 0
	})
}

// Fault is why a Service is no gateway that other clusters reach.
type Fault int

// The faults.
const (
	None Fault = iota
	// NoPort: it has no port of the name that is looked for.
	NoPort
	// NoWay: its type is none that is reached from elsewhere.
	NoWay
	// NoAddress: its load balancer has none yet, or the nodes have none that is not internal.
	NoAddress
	// NamedPort: the target port is a name, which releases before 1.1 do not take.
	NamedPort
	// NoPods: no pod behind it is ready.
	NoPods
)

// Fault is the first one of the Service, in the order in which the plane looks; pods last.
func (g *Gateway) Fault(named bool) Fault {
	port := g.TLS()
	switch {
	case port == nil:
		return NoPort
	case g.Spec.Type != corev1.ServiceTypeLoadBalancer && g.Spec.Type != corev1.ServiceTypeNodePort && len(g.Spec.ExternalIPs) == 0:
		return NoWay
	case len(g.Spec.ExternalIPs) == 0 && (g.Spec.Type == corev1.ServiceTypeLoadBalancer && len(g.Status.LoadBalancer.Ingress) == 0 ||
		g.Spec.Type == corev1.ServiceTypeNodePort && g.Cluster.nodesHidden()):
		return NoAddress
	case !named && port.TargetPort.StrVal != "":
		return NamedPort
	case resources.Pods.Of(g.Cluster.Cluster).Known() && len(g.Spec.Selector) > 0 && len(g.Ready()) == 0:
		return NoPods
	}
	return None
}

// nodesHidden reports whether no node has an address that discovery takes: internal ones it takes of kind's
// nodes alone.
func (c *Cluster) nodesHidden() bool {
	nodes := resources.Nodes.Of(c.Cluster).Value
	for i := range nodes {
		if strings.HasPrefix(nodes[i].Spec.ProviderID, "kind://") {
			return false
		}
		for _, a := range nodes[i].Status.Addresses {
			if a.Type != corev1.NodeInternalIP && a.Type != corev1.NodeInternalDNS {
				return false
			}
		}
	}
	return len(nodes) > 0
}

// TLS is the port by which other clusters come in; nil where there is none.
func (g *Gateway) TLS() *corev1.ServicePort {
	for _, name := range g.Ports {
		for i := range g.Spec.Ports {
			if g.Spec.Ports[i].Name == name {
				return &g.Spec.Ports[i]
			}
		}
	}
	return nil
}

// Ready are the pods behind it that are ready.
func (g *Gateway) Ready() []*facts.Pod {
	return slices.DeleteFunc(g.Cluster.Selected(g.Namespace, g.Spec.Selector), func(p *facts.Pod) bool { return !p.IsReady() })
}

// Addresses are all at which the Service is reached from elsewhere: its load balancer's, its external ones,
// and those of the nodes where it has a port on them.
func (g *Gateway) Addresses() []string {
	out := slices.Clone(g.Spec.ExternalIPs)
	for _, i := range g.Status.LoadBalancer.Ingress {
		out = append(out, i.IP, i.Hostname)
	}
	if slices.ContainsFunc(g.Spec.Ports, func(p corev1.ServicePort) bool { return p.NodePort != 0 }) {
		for _, n := range resources.Nodes.Of(g.Cluster.Cluster).Value {
			for _, a := range n.Status.Addresses {
				out = append(out, a.Address)
			}
		}
	}
	return finding.Distinct(out)
}

// PortsAt are the ports at which it is reached at an address: that of the Service, or of the nodes.
func (g *Gateway) PortsAt(address string) []int64 {
	port := g.TLS()
	if port == nil {
		return nil
	}
	balanced := slices.Contains(g.Spec.ExternalIPs, address)
	for _, i := range g.Status.LoadBalancer.Ingress {
		balanced = balanced || i.IP == address || i.Hostname == address
	}
	if balanced {
		return []int64{int64(port.Port)}
	}
	return []int64{int64(port.NodePort)}
}

// endpoint is an address with a port, for people.
func endpoint(address string, port int64) string {
	if port == 0 {
		return address
	}
	return address + ":" + strconv.FormatInt(port, 10)
}

// String is where other clusters reach it, as the plane has it.
func (r Recorded) String() string {
	var out []string
	for _, a := range r.Addresses {
		out = append(out, endpoint(a, r.Port))
	}
	if len(out) == 0 {
		return "no address"
	}
	return finding.List(out)
}

// Reachable says where other clusters reach the Service now.
func (g *Gateway) Reachable() string {
	var out []string
	for _, i := range g.Status.LoadBalancer.Ingress {
		for _, a := range finding.Distinct([]string{i.IP, i.Hostname}) {
			for _, port := range g.PortsAt(a) {
				out = append(out, endpoint(a, port))
			}
		}
	}
	for _, a := range g.Spec.ExternalIPs {
		for _, port := range g.PortsAt(a) {
			out = append(out, endpoint(a, port))
		}
	}
	if port := g.TLS(); len(out) == 0 && port != nil && port.NodePort != 0 && g.Spec.Type == corev1.ServiceTypeNodePort {
		out = append(out, "nodes, port "+strconv.Itoa(int(port.NodePort)))
	}
	if len(out) == 0 {
		return "no address"
	}
	return finding.List(out)
}
