// Package model is the one model of the Istio meshes of a fleet: which clusters
// belong together, what network each is on, which control plane watches which
// cluster and configures whose proxies, and what each remote secret is for. It is
// built once a run; rules and views ask it, so that no two of them disagree.
// Everything in it is pure. It holds typed values, and text is made last, by methods
// String. Once it is made many goroutines may ask it at once: what only some rules
// need is worked out when it is first asked for, and once.
package model

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Options are what is known besides the facts.
type Options struct {
	// Hosts are the addresses of host names of gateways, as they were resolved; nil
	// where none was tried. One that does not exist has none; HostFailures says of
	// others why there was no answer.
	Hosts        map[string][]string
	HostFailures map[string]string
	// Seen is what clusters and control planes answered after the survey. The zero
	// Seen means that nothing was asked.
	Seen facts.Seen
	// Given is what else the run knows, each thing of a type of its own: see Given.
	Given []any
}

// Mesh is a fleet as Istio sees it. Where the fleet holds several meshes, Same tells
// them apart, and Membership says which clusters are of none.
type Mesh struct {
	Fleet *facts.Fleet
	Options
	// Clusters are those that were reached, in the order of the fleet.
	Clusters []*Cluster
	// ControlPlanes are those of all clusters: a Deployment of istiod each.
	ControlPlanes []*ControlPlane
	// RemoteSecrets are the data keys of the remote secrets of all primaries.
	RemoteSecrets []*RemoteSecret
	// Partial: control planes watch clusters of which nothing was read, so that there
	// may be networks and workloads that nobody knows of here.
	Partial bool

	byContext map[string]*Cluster
	group     map[*Cluster]int // clusters of one mesh have the same number
	links     []Link

	networks  func() []string
	hostNames func() map[string]string
	derived   derived
}

// New makes the model of a fleet.
func New(fleet *facts.Fleet, options Options) *Mesh {
	m := &Mesh{Fleet: fleet, Options: options, byContext: map[string]*Cluster{}}
	for i := range fleet.Clusters {
		if f := &fleet.Clusters[i]; f.Unreached == nil {
			c := newCluster(m, f)
			m.Clusters, m.byContext[c.Context] = append(m.Clusters, c), c
		}
	}
	for _, c := range m.Clusters {
		if c.hasIstiod() {
			c.Remotes = m.remotesOf(c)
			m.RemoteSecrets = append(m.RemoteSecrets, c.Remotes...)
		}
	}
	for _, view := range istio.Views(m.resolved()) {
		if c := m.byContext[view.Context]; c != nil {
			view.Hosts = options.Hosts
			cp := newControlPlane(c, view)
			if watched, _ := view.Clusters(); m.byContext[watched[0].Context] != nil {
				cp.Cluster = m.byContext[watched[0].Context]
			}
			m.ControlPlanes, c.ControlPlanes = append(m.ControlPlanes, cp), append(c.ControlPlanes, cp)
		}
	}
	for _, cp := range m.ControlPlanes {
		cp.watch()
	}
	for _, c := range m.Clusters {
		c.SecretsElsewhere = c.external()
		for _, r := range c.Remotes {
			r.settle()
		}
	}
	m.join()
	m.networks = sync.OnceValue(m.findNetworks)
	m.hostNames = sync.OnceValue(m.findHostNames)
	return m
}

// Cluster is that of a context; nil where it was not reached, or is none of the fleet.
func (m *Mesh) Cluster(context string) *Cluster { return m.byContext[context] }

// Named is the one cluster with a cluster ID; nil where there is none, or several.
func (m *Mesh) Named(id string) *Cluster {
	var out *Cluster
	for _, c := range m.Clusters {
		if c.ID == id && id != "" {
			if out != nil {
				return nil
			}
			out = c
		}
	}
	return out
}

// Primaries are the clusters that have a control plane.
func (m *Mesh) Primaries() []*Cluster {
	var out []*Cluster
	for _, c := range m.Clusters {
		if c.Primary() {
			out = append(out, c)
		}
	}
	return out
}

// Members are the clusters that are part of a mesh, or of which it is not known.
func (m *Mesh) Members() []*Cluster {
	var out []*Cluster
	for _, c := range m.Clusters {
		if c.Membership.State != Outside {
			out = append(out, c)
		}
	}
	return out
}

// Networks are the networks that belong to something: to a cluster, a gateway or
// meshNetworks. Those of clusters outside of the mesh are not among them.
func (m *Mesh) Networks() []string { return m.networks() }

// Several reports whether the fleet is meant to have more than one network. In a fleet
// that is not, neither labels nor gateways decide anything.
func (m *Mesh) Several() bool { return len(m.networks()) > 1 }

// GatewaysMatter reports whether gateways are of use: nobody goes through them in a
// fleet of which all is known, and which is one network.
func (m *Mesh) GatewaysMatter() bool { return m.Several() || m.Partial }

func (m *Mesh) findNetworks() []string {
	names := map[string]bool{}
	for _, c := range m.Clusters {
		if c.Membership.State == Outside {
			continue
		}
		for _, n := range c.Network().Homes() {
			names[n] = true
		}
		for _, g := range c.NetworkGateways() {
			names[g.Network] = true
		}
		for i := range resources.KubernetesGateways.Of(c.Cluster).Value {
			names[resources.KubernetesGateways.Of(c.Cluster).Value[i].Labels[istio.LabelNetwork]] = true
		}
	}
	for _, cp := range m.ControlPlanes {
		for name, n := range cp.MeshNetworks.Networks {
			if cp.Cluster.Membership.State != Outside && len(n.Endpoints)+len(n.Gateways) > 0 {
				names[name] = true
			}
		}
	}
	delete(names, "")
	return slices.Sorted(maps.Keys(names))
}

// NetworksUnknown says why there may be networks that are not among Networks: not all
// clusters were reached, or something was not read of one that was.
type NetworksUnknown struct {
	// Unreached are the contexts of the clusters that were not reached.
	Unreached []string
	// Unread is what was not read, of each cluster the first.
	Unread []Unread
}

// Any reports whether there is a reason.
func (u NetworksUnknown) Any() bool { return len(u.Unreached)+len(u.Unread) > 0 }

// NetworksUnknown says why Networks may not be all.
func (m *Mesh) NetworksUnknown() NetworksUnknown {
	var out NetworksUnknown
	for i := range m.Fleet.Clusters {
		if c := &m.Fleet.Clusters[i]; c.Unreached != nil {
			out.Unreached = append(out.Unreached, c.Context)
		}
	}
	for _, c := range m.Clusters {
		u := c.Unread(resources.Pods, resources.Services, resources.Namespaces, resources.Istiods, resources.MeshConfigs,
			resources.Webhooks, resources.KubernetesGateways)
		if len(u) > 0 {
			out.Unread = append(out.Unread, u[0])
		}
	}
	return out
}

// HostOf is the host name for which an address stands in the predictions, because
// nobody resolved the name; any other address is itself.
func (m *Mesh) HostOf(address string) string { return cmp.Or(m.hostNames()[address], address) }

func (m *Mesh) findHostNames() map[string]string {
	out := map[string]string{}
	for _, cp := range m.ControlPlanes {
		maps.Copy(out, cp.prediction().names)
	}
	return out
}

// distinct are those that are not empty, sorted, each once.
func distinct(names []string) []string {
	out := slices.DeleteFunc(slices.Clone(names), func(s string) bool { return s == "" })
	slices.Sort(out)
	return slices.Compact(out)
}
