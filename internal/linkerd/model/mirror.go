package model

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
)

// MirrorKind is what a mirror is.
type MirrorKind int

// The kinds of mirrors.
const (
	// Through has the addresses of a gateway.
	Through MirrorKind = iota
	// Headless has the cluster IPs of the mirrors of its pods, and PerPod is one of those.
	Headless
	PerPod
	// Remote has no addresses of its own: the destination controller asks the other cluster.
	Remote
	// Federated stands for services of several clusters.
	Federated
)

// Mirror is a Service that a service mirror made.
type Mirror struct {
	Cluster *Cluster
	Service *corev1.Service
	Kind    MirrorKind
	// Links are those whose target it names: none for an orphan, several where two Links
	// have one name. A federated one is of no Link.
	Links []*Link
	// Target is the name of the other cluster; "" of a federated one.
	Target string
	// RemoteNamespace and RemoteName are those of the service that it stands for, and
	// RemoteDomain is the domain in its name; "" where it does not say.
	RemoteNamespace, RemoteName, RemoteDomain string
	// Members are those of a federated one.
	Members []Member
	// Endpoints are those that the service mirror wrote; nil where there are none.
	Endpoints *corev1.Endpoints
}

// Member is a service of a federated one; Cluster is "" for the local one.
type Member struct{ Name, Cluster string }

// String is the member as the annotation has it.
func (m Member) String() string {
	if m.Cluster == "" {
		return m.Name
	}
	return m.Name + "@" + m.Cluster
}

// Object names the mirror.
func (m *Mirror) Object() finding.Object {
	return finding.In("service", m.Service.Namespace, m.Service.Name)
}

func (c *Cluster) findMirrors() {
	services := c.Services()
	for i := range services {
		s := &services[i]
		if s.Labels[resources.LabelMirrored] != "true" {
			continue
		}
		m := &Mirror{Cluster: c, Service: s, Target: s.Labels[resources.LabelCluster], Endpoints: c.MirrorEndpoints(s.Namespace, s.Name)}
		remote, hasRemote := s.Annotations[resources.AnnotationRemoteDiscovery]
		local, hasLocal := s.Annotations[resources.AnnotationLocalDiscovery]
		switch {
		case m.Target == "" && (hasRemote || hasLocal || strings.HasSuffix(s.Name, "-federated")):
			m.Kind, m.Members = Federated, members(local, remote)
		case s.Labels[resources.LabelRemoteDiscovery] != "":
			m.Kind = Remote
		case s.Labels[resources.LabelHeadlessMirror] != "":
			m.Kind = PerPod
		case s.Spec.ClusterIP == corev1.ClusterIPNone:
			m.Kind = Headless
		}
		m.parse()
		for _, l := range c.Links {
			if m.Target != "" && l.TargetName() == m.Target {
				m.Links = append(m.Links, l)
				l.Mirrors = append(l.Mirrors, m)
			}
		}
		c.Mirrors = append(c.Mirrors, m)
	}
}

// parse takes the remote name apart: NAME.NAMESPACE.svc.DOMAIN, with the pod's name before it for
// the mirror of a pod.
func (m *Mirror) parse() {
	name := m.Service.Annotations[resources.AnnotationRemoteName]
	if before, domain, ok := strings.Cut(name, ".svc."); ok {
		m.RemoteDomain = domain
		name = before
	} else {
		name = strings.TrimSuffix(name, ".svc")
	}
	parts := strings.Split(name, ".")
	if m.Kind == PerPod && len(parts) == 3 {
		parts = parts[1:]
	}
	if len(parts) == 2 {
		m.RemoteName, m.RemoteNamespace = parts[0], parts[1]
	}
	if m.Kind == Remote {
		if name := m.Service.Labels[resources.LabelRemoteService]; name != "" {
			m.RemoteName, m.RemoteNamespace = name, m.Service.Namespace
		}
	}
}

func members(local, remote string) []Member {
	var out []Member
	if local != "" {
		out = append(out, Member{Name: local})
	}
	for part := range strings.SplitSeq(remote, ",") {
		if name, cluster, ok := strings.Cut(strings.TrimSpace(part), "@"); ok {
			out = append(out, Member{name, cluster})
		}
	}
	return out
}

// Ready are the addresses of the mirror that are ready, and NotReady those that are not, as
// ADDRESS:PORT without repetition.
func (m *Mirror) Ready() []string { return addressesOf(m.Endpoints, true) }

// NotReady are those that are not.
func (m *Mirror) NotReady() []string { return addressesOf(m.Endpoints, false) }

func addressesOf(e *corev1.Endpoints, ready bool) []string {
	if e == nil {
		return nil
	}
	var out []string
	for _, s := range e.Subsets {
		addresses := s.NotReadyAddresses
		if ready {
			addresses = s.Addresses
		}
		for _, a := range addresses {
			out = append(out, a.IP)
		}
	}
	return distinct(out)
}

// Lost reports whether the gateway of a Link is seen dead: its controller has taken the addresses
// of every mirror away. Mirrors that are ready show nothing, because a controller that never saw the gateway
// alive leaves them so. names are the mirrors.
func (l *Link) Lost() (names []string, lost bool) {
	for _, m := range l.Mirrors {
		if m.Kind != Through && m.Kind != PerPod {
			continue
		}
		if len(m.Ready()) > 0 {
			return nil, false
		}
		if len(m.NotReady()) > 0 {
			names = append(names, key(m.Service.Namespace, m.Service.Name))
		}
	}
	return names, len(names) > 0
}

// Known reports whether a service of the source stands for one of the target in a mode.
func (l *Link) Known(e Export) (*corev1.Service, bool) {
	s := l.Source.Service(e.Namespace, l.Mirror(e))
	if s == nil {
		return nil, false
	}
	if e.Mode == FederatedMember {
		i := slices.IndexFunc(l.Source.Mirrors, func(m *Mirror) bool { return m.Service == s })
		return s, i >= 0 && slices.ContainsFunc(l.Source.Mirrors[i].Members, func(m Member) bool { return m == Member{e.Name, l.TargetName()} })
	}
	return s, s.Labels[resources.LabelMirrored] == "true"
}
