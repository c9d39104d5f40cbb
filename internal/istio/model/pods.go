package model

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// What a pod has is said by package istio: HasProxy that it has an agent of the mesh,
// HasEnvoy that the agent runs an Envoy, IsGateway that its proxy is that of a gateway.
// What follows says what it does.

// Runs answers: is the pod there for good? It has not ended and is not being deleted.
// Networks and gateways are about such pods.
func Runs(p *facts.Pod) bool {
	return p.Phase != corev1.PodSucceeded && p.Phase != corev1.PodFailed && p.Deleted.IsZero()
}

// IsProxy answers: does the pod send and take requests by a proxy of the mesh, or by an
// agent in its place? It runs, and has an agent. That of ztunnel is none: it speaks for
// other pods.
func IsProxy(p *facts.Pod) bool { return Runs(p) && istio.HasProxy(p) }

// NeedsConfig answers: should the pod's proxy be connected to a control plane? It has
// an Envoy and is starting or running. A pod that is being deleted stays connected until it
// is gone; an agent without Envoy is connected only now and then.
func NeedsConfig(p *facts.Pod) bool {
	return (p.Phase == corev1.PodRunning || p.Phase == corev1.PodPending || p.Phase == "") && istio.HasEnvoy(p)
}

// IsClient answers: does the pod's proxy stand for those of workloads? It needs config,
// and is a sidecar: of others the injector does not say how they take mutual TLS.
func IsClient(p *facts.Pod) bool {
	return NeedsConfig(p) && !istio.IsGateway(p)
}

// ProxyIsUnready answers: does the pod's proxy run without being ready, and has it had the time? Where
// the application alone is not ready that is not so; jobs end anyway.
func (c *Cluster) ProxyIsUnready(p *facts.Pod) bool {
	s, now := p.Status(istio.ProxyContainer), c.mesh.Fleet.At
	return s != nil && !s.Ready && s.Ended == nil && p.Phase == corev1.PodRunning && p.Deleted.IsZero() && p.Owner.Kind != "Job" &&
		!p.Started.IsZero() && now.Sub(p.Started) >= settledAfter && (s.Started.IsZero() || now.Sub(s.Started) >= settledAfter)
}

// IsWaypoint answers: is the pod a waypoint of ambient workloads?
func IsWaypoint(p *facts.Pod) bool {
	return p.Labels[istio.LabelGatewayManaged] == istio.ManagedWaypoint
}

// IsZtunnel answers: does the pod speak for the ambient workloads of its node?
func IsZtunnel(p *facts.Pod) bool { return Runs(p) && p.Labels["app"] == istio.ZtunnelName }

// IsAmbientNamespace answers: does ztunnel speak for the pods of a namespace that have
// no proxy? nil is none.
func IsAmbientNamespace(ns *corev1.Namespace) bool {
	return ns != nil && ns.Labels[istio.LabelDataplaneMode] == "ambient"
}

// IsAmbient answers: does ztunnel speak for the pod?
func (c *Cluster) IsAmbient(p *facts.Pod) bool {
	return Runs(p) && !istio.HasProxy(p) && IsAmbientNamespace(c.Namespace(p.Namespace))
}

// IsGatewayPod answers: does a gateway between networks lead to the pod? It is asked by
// the Services; istio.IsGateway asks the pod itself.
func (c *Cluster) IsGatewayPod(p *facts.Pod) bool { return c.gatewayPods()[p] }

func (c *Cluster) findGatewayPods() map[*facts.Pod]bool {
	out := map[*facts.Pod]bool{}
	for _, g := range c.NetworkGateways() {
		for _, p := range g.Pods {
			if !g.Accidental {
				out[p] = true
			}
		}
	}
	return out
}

// Variable is a variable of the pod's proxy, which can be an init container; "" for none.
func Variable(p *facts.Pod, name string) (value string) {
	if proxy := p.Container(istio.ProxyContainer); proxy != nil {
		for _, e := range proxy.Env {
			if e.Name == name {
				value = e.Value
			}
		}
	}
	return value
}

// ProxyPods are the pods of the cluster for which IsProxy is true, in their order.
func (c *Cluster) ProxyPods() []*facts.Pod { return c.proxyPods() }

func (c *Cluster) findProxyPods() []*facts.Pod {
	var out []*facts.Pod
	for i := range resources.Pods.Of(c.Cluster).Value {
		if p := &resources.Pods.Of(c.Cluster).Value[i]; IsProxy(p) {
			out = append(out, p)
		}
	}
	return out
}

// IsUninjected reports whether the proxy of a pod still has the image that the injector replaces: the pod
// does not start, and nothing has said to the proxy how it is to be.
func IsUninjected(p *facts.Pod) bool {
	c := p.Container(istio.ProxyContainer)
	return c != nil && c.Image == "auto"
}

// Ztunnels are the pods that speak for ambient workloads.
func (c *Cluster) Ztunnels() []*facts.Pod {
	var out []*facts.Pod
	for i := range resources.Pods.Of(c.Cluster).Value {
		if p := &resources.Pods.Of(c.Cluster).Value[i]; IsZtunnel(p) {
			out = append(out, p)
		}
	}
	return out
}

// HasAmbientPods reports whether a Service selects pods for which ztunnel speaks.
func (c *Cluster) HasAmbientPods(s *corev1.Service) bool {
	return IsAmbientNamespace(c.Namespace(s.Namespace)) && slices.ContainsFunc(c.PodsIn(s.Namespace), func(p *facts.Pod) bool {
		return c.IsAmbient(p) && facts.Selects(s.Spec.Selector, p.Labels)
	})
}

// WaypointOf is the waypoint through which a Service is reached; "" where there is none.
func (c *Cluster) WaypointOf(s *corev1.Service) string {
	name, ok := s.Labels[istio.LabelWaypoint]
	if !ok || name == "" {
		name = c.NamespaceLabels(s.Namespace)[istio.LabelWaypoint]
	}
	if name == "none" {
		return ""
	}
	return name
}

// clients are the sidecars of a cluster by the network that they were given and by
// namespace, of each the first by name; and all of those networks.
type clients struct {
	networks []string
	pods     map[string]map[string]*facts.Pod
}

func (c *Cluster) findClients() clients {
	out := clients{pods: map[string]map[string]*facts.Pod{}}
	for i := range resources.Pods.Of(c.Cluster).Value {
		p := &resources.Pods.Of(c.Cluster).Value[i]
		if !IsClient(p) {
			continue
		}
		network := Variable(p, istio.EnvProxyNetwork)
		if out.pods[network] == nil {
			out.pods[network] = map[string]*facts.Pod{}
		}
		if first := out.pods[network][p.Namespace]; first == nil || p.Name < first.Name {
			out.pods[network][p.Namespace] = p
		}
	}
	out.networks = slices.Sorted(maps.Keys(out.pods))
	return out
}

// ClientNetworks are the networks that clients of the cluster were given, "" among them
// where one was given none.
func (c *Cluster) ClientNetworks() []string { return c.clients().networks }

// Client is a client that stands for those of a network: of a namespace where that has
// one, else of another one, those of the system namespace last; nil where there is none.
func (c *Cluster) Client(network, namespace string) *facts.Pod {
	pods := c.clients().pods[network]
	if p := pods[namespace]; p != nil || len(pods) == 0 {
		return p
	}
	names := slices.Sorted(maps.Keys(pods))
	return pods[names[max(0, slices.IndexFunc(names, func(ns string) bool { return ns != c.SystemNamespace }))]]
}

// IPv6Only reports whether pods of the cluster have no IPv4 addresses.
func (c *Cluster) IPv6Only() bool { return c.ipv6() }

func (c *Cluster) isIPv6() bool {
	six := false
	for i := range resources.Pods.Of(c.Cluster).Value {
		for _, ip := range resources.Pods.Of(c.Cluster).Value[i].IPs {
			if !strings.Contains(ip, ":") {
				return false
			}
			six = true
		}
	}
	return six
}
