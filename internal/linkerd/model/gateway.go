package model

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
)

// Gateway is what other clusters come in by.
type Gateway struct {
	*corev1.Service
	Cluster *Cluster
	// Pods are those behind it.
	Pods []*facts.Pod
}

func (c *Cluster) findGateways() {
	services := c.Services()
	for i := range services {
		s := &services[i]
		if s.Annotations[resources.AnnotationGateway] == "true" {
			c.Gateways = append(c.Gateways, &Gateway{Service: s, Cluster: c, Pods: c.Selected(s)})
		}
	}
}

// Object names the Service.
func (g *Gateway) Object() finding.Object { return finding.In("service", g.Namespace, g.Name) }

// Addresses are the IP addresses and host names by which other clusters can come in, as far as
// the Service and the nodes show them.
func (g *Gateway) Addresses() []string {
	var out []string
	for _, i := range g.Status.LoadBalancer.Ingress {
		out = append(out, i.IP, i.Hostname)
	}
	return distinct(append(append(out, g.Spec.ExternalIPs...), g.nodeAddresses()...))
}

// nodeAddresses are those of nodes, where the Service has ports on them.
func (g *Gateway) nodeAddresses() []string {
	if !slices.ContainsFunc(g.Spec.Ports, func(p corev1.ServicePort) bool { return p.NodePort != 0 }) {
		return nil
	}
	var out []string
	for _, n := range resources.Nodes.Of(g.Cluster.Cluster).Value {
		for _, a := range n.Status.Addresses {
			out = append(out, a.Address)
		}
	}
	return out
}

// Balanced are the addresses of its load balancer.
func (g *Gateway) Balanced() []string {
	var out []string
	for _, i := range g.Status.LoadBalancer.Ingress {
		out = append(out, i.IP, i.Hostname)
	}
	return distinct(out)
}

// Pending reports whether it waits for a load balancer, and has no other address.
func (g *Gateway) Pending() bool {
	return g.Spec.Type == corev1.ServiceTypeLoadBalancer && len(g.Balanced()) == 0 && len(g.Spec.ExternalIPs) == 0
}

// Port is the number by which a named port is reached from outside: that of the nodes for a
// Service of type NodePort. 0 where it has no such port.
func (g *Gateway) Port(name string) int32 {
	for _, p := range g.Spec.Ports {
		if p.Name == name {
			if g.Spec.Type == corev1.ServiceTypeNodePort {
				return p.NodePort
			}
			return p.Port
		}
	}
	return 0
}

// Ports are all numbers by which a named port is reached.
func (g *Gateway) Ports(name string) []string {
	var out []string
	for _, p := range g.Spec.Ports {
		if p.Name != name {
			continue
		}
		out = append(out, strconv.Itoa(int(p.Port)))
		if p.NodePort != 0 {
			out = append(out, strconv.Itoa(int(p.NodePort)))
		}
	}
	return out
}

// Identity is the name in the certificates of its pods; "" where there is no pod that tells.
func (g *Gateway) Identity() string {
	for _, p := range g.Pods {
		if p.ServiceAccount == "" || !Meshed(p) {
			continue
		}
		// The injector writes $(_pod_sa).$(_pod_ns) and the rest of the name in full.
		if name, ok := Env(p, resources.EnvLocalName); ok {
			if at := strings.Index(name, ".serviceaccount."); at >= 0 {
				return p.ServiceAccount + "." + p.Namespace + name[at:]
			}
		}
		if g.Cluster.ValuesKnown {
			return g.Cluster.Identity(p)
		}
	}
	return ""
}

// Ready are its pods that are ready.
func (g *Gateway) Ready() []*facts.Pod {
	return slices.DeleteFunc(slices.Clone(g.Pods), func(p *facts.Pod) bool { return !p.IsReady() })
}

// Workload is what makes its pods; the Service where there is none.
func (g *Gateway) Workload() finding.Object {
	if len(g.Pods) > 0 {
		return WorkloadOf(g.Pods[0])
	}
	for _, d := range resources.Extensions.Of(g.Cluster.Cluster).Value {
		if d.Namespace == g.Namespace && len(g.Spec.Selector) > 0 && hasAll(d.Spec.Template.Labels, g.Spec.Selector) {
			return finding.In("deployment", d.Namespace, d.Name)
		}
	}
	return g.Object()
}
