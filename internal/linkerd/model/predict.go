package model

import (
	"net"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
)

// Answer is what the destination controller tells a new client of a service.
type Answer struct {
	// Unknown is the name of a cluster that it does not watch: the client is told that there
	// is no such service.
	Unknown string
	// Endpoints are those that it gets; none where it hears nothing.
	Endpoints []Endpoint
}

// Endpoint is an address, and the name that its certificate has to have: "" for plain text.
type Endpoint struct{ Address, Identity string }

// Destination is what clients of a cluster get for a port of a service.
func (c *Cluster) Destination(namespace, name string, port int32) Answer {
	s := c.Service(namespace, name)
	if s == nil {
		return Answer{}
	}
	i := slices.IndexFunc(c.Mirrors, func(m *Mirror) bool { return m.Service == s })
	if i < 0 {
		return Answer{Endpoints: c.local(c, s, port)}
	}
	m := c.Mirrors[i]
	switch m.Kind {
	case Remote:
		target, watched := c.watched(s.Labels[resources.LabelRemoteDiscovery])
		if !watched {
			return Answer{Unknown: s.Labels[resources.LabelRemoteDiscovery]}
		}
		return Answer{Endpoints: target.remote(c, m.RemoteNamespace, m.RemoteName, port)}
	case Federated:
		var out Answer
		for _, member := range m.Members {
			switch target, watched := c.watched(member.Cluster); {
			case member.Cluster == "":
				if local := c.Service(namespace, member.Name); local != nil {
					out.Endpoints = append(out.Endpoints, c.local(c, local, port)...)
				}
			case watched:
				out.Endpoints = append(out.Endpoints, target.remote(c, namespace, member.Name, port)...)
			}
		}
		return out
	default:
		return Answer{Endpoints: c.local(c, s, port)}
	}
}

// watched is the cluster of a name that the destination controller watches.
func (c *Cluster) watched(name string) (*Cluster, bool) {
	for _, l := range c.Links {
		if l.TargetName() != name || l.Target == nil || !l.Watches() {
			continue
		}
		// Of two Links of one name the credentials are those of one cluster.
		for _, other := range c.Mesh.Clusters {
			if other != l.Target && intersects(l.Destination.Kubeconfig.CA, other.APICertificates()) &&
				!intersects(l.Destination.Kubeconfig.CA, l.Target.APICertificates()) {
				return other, true
			}
		}
		return l.Target, true
	}
	return nil, false
}

// remote are the endpoints of a service of this cluster for clients of another one.
func (c *Cluster) remote(client *Cluster, namespace, name string, port int32) []Endpoint {
	if s := c.Service(namespace, name); s != nil {
		return c.local(client, s, port)
	}
	return nil
}

// local are the endpoints of a Service of this cluster. A port that the Service does not have is
// taken for the number of a port of the pods.
func (c *Cluster) local(client *Cluster, s *corev1.Service, port int32) []Endpoint {
	i := slices.IndexFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == port })
	var out []Endpoint
	for _, slice := range c.Slices(s.Namespace, s.Name) {
		number, ok := port, i < 0
		if i >= 0 {
			number, ok = portOf(slice, s.Spec.Ports[i].Name)
		}
		if !ok {
			continue
		}
		for _, e := range slice.Endpoints {
			if e.Conditions.Ready != nil && !*e.Conditions.Ready {
				continue
			}
			for _, a := range e.Addresses {
				out = append(out, Endpoint{net.JoinHostPort(a, strconv.Itoa(int(number))), c.identityAt(client, s, e)})
			}
		}
	}
	slices.SortFunc(out, func(a, b Endpoint) int { return strings.Compare(a.Address, b.Address) })
	return slices.Compact(out)
}

func portOf(slice *discoveryv1.EndpointSlice, name string) (int32, bool) {
	for _, p := range slice.Ports {
		if p.Port != nil && (p.Name != nil && *p.Name == name || p.Name == nil && name == "") {
			return *p.Port, true
		}
	}
	return 0, false
}

// identityAt is the name that an endpoint proves: of a pod whose proxy belongs to the control plane
// of the client's own namespace name, or of the gateway that a mirror leads to.
func (c *Cluster) identityAt(client *Cluster, s *corev1.Service, e discoveryv1.Endpoint) string {
	if e.TargetRef == nil || e.TargetRef.Kind != "Pod" {
		if endpoints := c.MirrorEndpoints(s.Namespace, s.Name); endpoints != nil {
			return endpoints.Annotations[resources.AnnotationRemoteIdentity]
		}
		return ""
	}
	p := c.Pod(e.TargetRef.Namespace, e.TargetRef.Name)
	if p == nil || !Meshed(p) || p.Labels[resources.LabelControlPlaneNS] != client.Namespace {
		return ""
	}
	return c.Identity(p)
}
