package model

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Who reaches the load balancer of a gateway, as far as its settings and the nodes of the
// clusters say it.

// statusPorts are those on which a proxy answers whatever its listeners are.
var statusPorts = []int{15020, 15021, 15090}

// Regions are those of the cluster's nodes, by their label, sorted; none where one has none.
func (c *Cluster) Regions() []string {
	var out []string
	for _, n := range resources.Nodes.Of(c.Cluster).Value {
		region := n.Labels[corev1.LabelTopologyRegion]
		if region == "" {
			return nil
		}
		out = append(out, region)
	}
	return distinct(out)
}

// Callers are the clusters with clients on other networks that a control plane sends to the
// gateway.
func (g *Gateway) Callers() []*Cluster {
	var out []*Cluster
	for _, cp := range g.KnownTo() {
		if candidate, _ := g.Candidate(cp); candidate.Problem != "" {
			continue
		}
		for _, c := range cp.WatchedClusters() {
			elsewhere := slices.ContainsFunc(c.Network().Homes(), func(home string) bool { return home != g.Network })
			if c != g.Cluster && cp.Configures(c) && elsewhere && !slices.Contains(out, c) {
				out = append(out, c)
			}
		}
	}
	return out
}

// RegionsApart are the clusters whose clients do not reach the gateway, because an internal
// passthrough load balancer of Google Cloud is reached from its own region alone, unless it
// has global access.
func (g *Gateway) RegionsApart() []*Cluster {
	s := g.Service
	internal := strings.EqualFold(s.Annotations[istio.AnnotationGKEType], "Internal") ||
		strings.EqualFold(s.Annotations[istio.AnnotationGKETypeOld], "Internal")
	own := g.Cluster.Regions()
	if s.Spec.Type != corev1.ServiceTypeLoadBalancer || !internal || s.Annotations[istio.AnnotationGKEGlobalAccess] == "true" ||
		len(own) != 1 {
		return nil
	}
	return slices.DeleteFunc(g.Callers(), func(c *Cluster) bool {
		regions := c.Regions()
		return len(regions) == 0 || slices.Contains(regions, own[0])
	})
}

// DeafHealthPort is the port that a classic load balancer of AWS checks, and at which the
// gateway's pods do not listen: that of the first TCP port of the Service. It takes all nodes
// out of service then. false where it checks another one, or it is not known.
func (g *Gateway) DeafHealthPort() (int, bool) {
	s := g.Service
	_, set := s.Annotations[istio.AnnotationAWSHealthPort]
	if set || !isClassicELB(s) || s.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal || len(g.Pods) == 0 ||
		g.ByGatewayAPI() {
		return 0, false
	}
	at := slices.IndexFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Protocol == "" || p.Protocol == corev1.ProtocolTCP })
	if at < 0 || s.Spec.Ports[at].TargetPort.Type == intstr.String && s.Spec.Ports[at].TargetPort.StrVal != "" {
		return 0, false
	}
	port := int(s.Spec.Ports[at].Port)
	if target, _ := g.Target(port); slices.Contains(statusPorts, target) {
		return 0, false
	}
	told := g.ToldBy()
	for _, cp := range told {
		listens := slices.ContainsFunc(g.Listeners(cp, port), Listener.Applies)
		if listens || len(cp.Cluster.Unread(resources.Gateways)) > 0 {
			return 0, false
		}
	}
	// A Gateway of the Gateway API can make the pods of a Service that it names listen.
	for _, k := range resources.KubernetesGateways.Of(g.Cluster.Cluster).Value {
		for _, a := range k.Spec.Addresses {
			if strings.HasPrefix(a.Value, s.Name) {
				return 0, false
			}
		}
	}
	return port, len(told) > 0
}

// isClassicELB reports whether the load balancer of a Service is a classic one of AWS: its
// names end in REGION.elb.amazonaws.com, and those of network load balancers in
// elb.REGION.amazonaws.com.
func isClassicELB(s *corev1.Service) bool {
	if s.Spec.Type != corev1.ServiceTypeLoadBalancer || s.Spec.LoadBalancerClass != nil {
		return false
	}
	return slices.ContainsFunc(s.Status.LoadBalancer.Ingress, func(i corev1.LoadBalancerIngress) bool {
		return strings.HasSuffix(i.Hostname, ".elb.amazonaws.com") || strings.HasSuffix(i.Hostname, ".elb.amazonaws.com.cn")
	})
}

// ShutOut are the clusters none of whose nodes has an address that the load balancer of the
// gateway lets in, by spec.loadBalancerSourceRanges: nodes with addresses of their own on the
// internet, where the load balancer is there, and all nodes where it is not.
func (g *Gateway) ShutOut() []*Cluster {
	var ranges []netip.Prefix
	for _, r := range g.Service.Spec.LoadBalancerSourceRanges {
		prefix, err := netip.ParsePrefix(strings.TrimSpace(r))
		if err != nil {
			return nil
		}
		ranges = append(ranges, prefix)
	}
	if len(ranges) == 0 || g.Service.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return nil
	}
	kind, known := corev1.NodeExternalIP, false
	for _, i := range g.Service.Status.LoadBalancer.Ingress {
		if ip := AddressOf(i.IP); ip.IsValid() {
			known = true
			if IsPrivateAddress(ip) {
				kind = corev1.NodeInternalIP
			}
		}
	}
	if !known {
		return nil
	}
	return slices.DeleteFunc(g.Callers(), func(c *Cluster) bool { return !c.isShutOut(ranges, kind) })
}

// isShutOut reports whether all nodes have an address of a kind, and none is in a range.
func (c *Cluster) isShutOut(ranges []netip.Prefix, kind corev1.NodeAddressType) bool {
	nodes := resources.Nodes.Of(c.Cluster).Value
	for _, n := range nodes {
		has := false
		for _, a := range n.Status.Addresses {
			if a.Type != kind {
				continue
			}
			has = true
			if ip := AddressOf(a.Address); slices.ContainsFunc(ranges, func(r netip.Prefix) bool { return ip.IsValid() && r.Contains(ip) }) {
				return false
			}
		}
		if !has {
			return false
		}
		// Pods may keep their own addresses on the way, but not over the internet.
		for _, r := range ranges {
			pods, err := netip.ParsePrefix(n.Spec.PodCIDR)
			if err == nil && r.Overlaps(pods) && (kind == corev1.NodeInternalIP || !IsPrivateAddress(pods.Addr())) {
				return false
			}
		}
	}
	return len(nodes) > 0
}

// NodePortOf is the port of the nodes by which a Service of the cluster of type NodePort has
// a port, where an address is that of one of its nodes and nobody in the cluster is known to
// listen at the address for the port itself; false else.
func (c *Cluster) NodePortOf(address string, port int) (s *corev1.Service, node string, nodePort int, ok bool) {
	if c.ServiceAt([]string{address}) != nil {
		return nil, "", 0, false
	}
	for _, n := range resources.Nodes.Of(c.Cluster).Value {
		if slices.ContainsFunc(n.Status.Addresses, func(a corev1.NodeAddress) bool { return a.Address == address }) {
			node = n.Name
		}
	}
	if node == "" {
		return nil, "", 0, false
	}
	for i := range resources.Services.Of(c.Cluster).Value {
		s := &resources.Services.Of(c.Cluster).Value[i]
		at := slices.IndexFunc(s.Spec.Ports, func(p corev1.ServicePort) bool {
			return int(p.Port) == port && p.NodePort != 0 && int(p.NodePort) != port
		})
		if s.Spec.Type != corev1.ServiceTypeNodePort || at < 0 {
			continue
		}
		pods := c.SelectedPods(s)
		for _, p := range pods {
			if p.HostNetwork || p.Owner.Kind == "DaemonSet" {
				return nil, "", 0, false // it may listen on the node itself
			}
		}
		return s, node, int(s.Spec.Ports[at].NodePort), len(pods) > 0
	}
	return nil, "", 0, false
}
