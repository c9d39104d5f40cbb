package model

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	istio "github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
)

// Federated is a service that other clusters reach by a host name of its own.
type Federated struct {
	// Service is the one that it is, in the cluster of Owner.
	Service api.Ref
	Host    string
	Owner   *Member
	// Clients are the meshes in which it is made known.
	Clients []*Member
}

// findFederated finds the services that are made known in other meshes. From 0.12 on each says so
// itself; before, all are, of a mesh of which the plane knows a gateway.
func (p *Plane) findFederated() {
	for _, row := range p.Targets {
		for _, o := range p.Cluster.all(row) {
			f := &Federated{Service: o.Spec.Ref("kubeService", "ref"), Owner: p.member(o.Spec.Ref("mesh"))}
			if f.Owner == nil || f.Service.Name == "" {
				continue
			}
			applied := o.Status.Fields("appliedFederation")
			switch {
			case applied != nil:
				f.Host = applied.String("federatedHostname")
				for _, ref := range applied.Refs("federatedToMeshes") {
					f.add(p.member(ref))
				}
			case p.Unsaid() && len(f.Owner.Recorded()) > 0:
				f.Host = f.Service.Name + "." + f.Service.Namespace + ".svc." + f.Service.Cluster + ".global"
				for _, v := range f.Owner.VirtualMeshes {
					if _, ok := f.Owner.Applied(v); ok && v.Federates() {
						for _, m := range v.Members {
							f.add(m)
						}
					}
				}
			}
			if f.Host != "" && len(f.Clients) > 0 {
				p.Federated = append(p.Federated, f)
			}
		}
	}
}

func (f *Federated) add(m *Member) {
	if m != nil && m != f.Owner && !slices.Contains(f.Clients, m) {
		f.Clients = append(f.Clients, m)
	}
}

// member is the mesh of a reference; nil where there is none.
func (p *Plane) member(ref api.Ref) *Member {
	i := slices.IndexFunc(p.Members, func(m *Member) bool { return m.Ref() == ref })
	if i < 0 {
		return nil
	}
	return p.Members[i]
}

// Entry is the ServiceEntry by which a mesh knows a federated service; nil where it has none.
func (f *Federated) Entry(client *Member) *istio.ServiceEntry {
	c := client.Target()
	if c == nil {
		return nil
	}
	for _, e := range c.Entries(f.Owner.Plane.Generation) {
		if e.Name == f.Host || slices.Contains(e.Spec.Hosts, f.Host) {
			return e
		}
	}
	return nil
}

// Pods are those behind the service in its own cluster, but for those that end; false where they are not known, or
// people choose the endpoints themselves.
func (f *Federated) Pods() ([]*facts.Pod, bool) {
	c := f.Owner.Target()
	if c == nil || !resources.Pods.Of(c.Cluster).Known() {
		return nil, false
	}
	s := c.Service(f.Service.Namespace, f.Service.Name)
	if s == nil || len(s.Spec.Selector) == 0 {
		return nil, false
	}
	return c.Selected(s.Namespace, s.Spec.Selector), true
}

// Known are the services that the plane has discovered.
func (p *Plane) Known() map[api.Ref]bool {
	out := map[api.Ref]bool{}
	for _, row := range p.Targets {
		for _, o := range p.Cluster.all(row) {
			out[o.Spec.Ref("kubeService", "ref")] = true
		}
	}
	return out
}

// Discovered counts the services of a mesh that the plane has discovered.
func (p *Plane) Discovered(m *Member) int {
	n := 0
	for ref := range p.Known() {
		if ref.Cluster == m.ClusterName {
			n++
		}
	}
	return n
}

// Applications are the Services of a mesh's cluster that select pods, but for those of Kubernetes, of the control
// plane and of Gloo Mesh.
func (c *Cluster) Applications(m *Member) []*corev1.Service {
	var out []*corev1.Service
	services := c.Services()
	for i := range services {
		s := &services[i]
		if len(s.Spec.Selector) > 0 && !strings.HasPrefix(s.Namespace, "kube-") && s.Namespace != m.System && s.Namespace != m.AgentNamespace() &&
			s.Namespace != m.Plane.Installed {
			out = append(out, s)
		}
	}
	return out
}

// Injects reports whether the labels of a namespace ask for sidecars.
func (c *Cluster) Injects(namespace string) bool {
	for _, ns := range resources.Namespaces.Of(c.Cluster).Value {
		if ns.Name == namespace {
			return ns.Labels["istio-injection"] == "enabled" || ns.Labels["istio-injection"] == "" && ns.Labels["istio.io/rev"] != ""
		}
	}
	return false
}

// HasSidecar reports whether a pod has a proxy of Istio.
func HasSidecar(p *facts.Pod) bool {
	return slices.ContainsFunc(slices.Concat(p.Containers, p.InitContainers), func(c corev1.Container) bool { return c.Name == "istio-proxy" })
}

// IsWorkload reports whether discovery takes a pod for one of a workload: it has a proxy, and a controller of one of
// three kinds.
func IsWorkload(p *facts.Pod) bool {
	return HasSidecar(p) && slices.Contains([]string{"ReplicaSet", "Deployment", "StatefulSet", "DaemonSet"}, p.Owner.Kind)
}

// Leads are the addresses, with ports, that a ServiceEntry leads to, each once.
func Leads(e *istio.ServiceEntry) []Lead {
	var out []Lead
	for _, at := range e.Spec.Endpoints {
		if len(at.Ports) == 0 {
			out = append(out, Lead{Address: at.Address})
		}
		for _, port := range at.Ports {
			out = append(out, Lead{at.Address, int64(port)})
		}
	}
	slices.SortFunc(out, func(a, b Lead) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(out)
}

// Lead is where an endpoint of a ServiceEntry leads; the port is 0 where it says none.
type Lead struct {
	Address string
	Port    int64
}

// String is the address with its port.
func (l Lead) String() string { return endpoint(l.Address, l.Port) }

// Stands is what the ServiceEntry of a plane stands for.
type Stands struct {
	Service, Namespace, Cluster string
}

// StandsFor is what a ServiceEntry stands for, by its host name; false where that is none of a federated
// service.
func (p *Plane) StandsFor(e *istio.ServiceEntry) (Stands, bool) {
	suffixes := []string{"global"}
	for _, v := range p.VirtualMeshes {
		suffixes = append(suffixes, v.Suffix())
	}
	for _, host := range e.Spec.Hosts {
		for _, suffix := range finding.Distinct(suffixes) {
			rest, ok := strings.CutSuffix(host, "."+suffix)
			if parts := strings.SplitN(rest, ".", 4); ok && len(parts) == 4 && parts[2] == "svc" {
				return Stands{Service: parts[0], Namespace: parts[1], Cluster: parts[3]}, true
			}
		}
	}
	return Stands{}, false
}
