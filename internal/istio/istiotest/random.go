package istiotest

import (
	"fmt"
	"math/rand/v2"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// RandomHealthy draws a fleet in whose networks nothing is to be found: some
// clusters on some networks, primaries and remote ones, with gateways of every
// kind that works. It is the same for the same seed, but for its keys.
func RandomHealthy(seed uint64) *Fleet {
	d := rand.New(rand.NewPCG(seed, 2))
	chance := func(p float64) bool { return d.Float64() < p }
	names := []string{"east", "north", "south", "west"}[:1+d.IntN(4)]
	networks := 1 + d.IntN(3)
	nameless := networks == 1 && chance(0.5)
	f := Healthy(names...)
	first := map[string]*Cluster{}
	for i, c := range f.Clusters {
		name := fmt.Sprintf("network%d", 1+d.IntN(networks))
		if nameless {
			name = ""
		}
		c.populate(i, name)
		if name != "" {
			c.SystemLabels = map[string]string{istio.LabelNetwork: name}
		}
		if name != "" && (first[name] == nil || chance(0.5)) {
			c.randomGateway(i, d)
		}
		if first[name] == nil {
			first[name] = c
		}
	}
	several := len(first) > 1
	isAmbient := several && chance(0.3)
	if isAmbient {
		// Each has a gateway, and each network one.
		for i, c := range f.Clusters {
			if first[c.Network.Name] != c {
				c.populate(i, fmt.Sprintf("own%d", i))
				c.SystemLabels = map[string]string{istio.LabelNetwork: c.Network.Name}
			}
			c.gateway(i)
		}
		ambient(f)
	}
	primary := f.Clusters[0]
	for i, c := range f.Clusters[1:] {
		switch {
		case isAmbient || chance(0.6):
		case i == 0 && primary.Network.Gateway != nil && len(primary.Network.Gateway.Status.LoadBalancer.Ingress) > 0 && chance(0.5):
			c.injectsByService(primary)
			discovers(c.Network.Pods, "")
		case c.Network.Name != "":
			c.NoControlPlane(primary)
		}
	}
	for _, c := range f.Clusters {
		if c.Network.Gateway != nil && c.Image == "" && primary.Network.Listener == nil {
			listener := *c.Network.Listener // its primary tells it what to do
			listener.Spec.Servers = []api.Server{c.Network.Listener.Spec.Servers[0]}
			listener.Spec.Servers[0].Port = &api.ServerPort{Number: istio.DefaultGatewayPort, Name: "tls", Protocol: "TLS"}
			primary.Network.Listener = &listener
		}
	}
	for _, c := range f.Clusters {
		c.decorate(d)
	}
	return f
}

// randomGateway gives the cluster a gateway that works.
func (c *Cluster) randomGateway(at int, d *rand.Rand) {
	c.gateway(at)
	n := c.Network
	switch d.IntN(6) {
	case 0:
		n.nodePort("{}")
		for i, node := range n.Nodes {
			node.Status.Addresses[1].Address = fmt.Sprintf("198.51.100.%d", 10*at+i+1)
		}
	case 1:
		n.Gateway.Spec.ExternalIPs = []string{n.Gateway.Status.LoadBalancer.Ingress[0].IP}
		n.Gateway.Spec.Type, n.Gateway.Status = corev1.ServiceTypeClusterIP, corev1.ServiceStatus{}
	case 2:
		n.Gateway.Labels[istio.LabelGatewayPort] = "443"
		n.Gateway.Spec.Ports[1].Port = 443
	case 3:
		n.Gateway.Spec.Ports[1].TargetPort = intstr.FromInt32(8443)
		if at > 0 && d.IntN(2) == 0 { // the first one's may be that of remote clusters too
			n.Listener.Spec.Servers[0].Port.Number = 8443
		}
	case 4:
		n.Gateway.Annotations = map[string]string{beta + "aws-load-balancer-type": "nlb", beta + "aws-load-balancer-backend-protocol": "tcp"}
	}
}

// decorate adds what is no fault.
func (c *Cluster) decorate(d *rand.Rand) {
	chance := func(p float64) bool { return d.Float64() < p }
	port := intstr.FromInt32(15443)
	if c.Network.Gateway != nil {
		port = c.Network.Gateway.Spec.Ports[min(1, len(c.Network.Gateway.Spec.Ports)-1)].TargetPort
	}
	if chance(0.3) {
		p := c.policy(networkingv1.NetworkPolicyIngressRule{Ports: []networkingv1.NetworkPolicyPort{{Port: &port}}})
		// The gateway of an ambient network stays the last.
		if last := len(c.Network.More) - 1; last > 0 {
			c.Network.More[last-1], c.Network.More[last] = p, c.Network.More[last-1]
		}
	}
	if chance(0.5) {
		eachPod(c.Network.Pods, func(p *corev1.Pod) {
			SetEnv(p, istio.EnvProxyMeshID, "mesh1")
			SetEnv(p, istio.EnvProxyClusterID, c.Name)
		})
	}
	if c.Network.Name != "" && chance(0.3) {
		at := len(c.Network.More) - 1
		last := c.Network.More[at]
		c.Network.More = c.Network.More[:at]
		c.machine(func(*api.WorkloadEntry) {})
		c.Network.More = append(c.Network.More, last)
	}
}
