package model

import (
	"slices"
	"strings"
	"sync"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// ControlPlane is one Deployment of istiod, and what it makes of the fleet.
type ControlPlane struct {
	*istio.View
	// Cluster is the one that it takes for its own, whose configuration it reads: that in
	// which it runs, but for an external control plane. Where it is not known which one
	// that is it is the one in which it runs.
	Cluster *Cluster
	// RunsIn is the cluster that has its Deployment, its mesh config and its remote secrets.
	RunsIn *Cluster
	// Watches are the clusters that it watches, its own first, then one for each remote
	// secret that it uses.
	Watches []Watched

	candidates func() []istio.Candidate
	gateways   func() []istio.Gateway
	prediction func() prediction
	several    func() bool
}

// Watched is a cluster that a control plane watches.
type Watched struct {
	// ID is its name for the control plane.
	ID string
	// Cluster is the one to which the remote secret leads; nil where it was not reached,
	// or is none of the fleet.
	Cluster *Cluster
	// Secret is nil for the control plane's own cluster.
	Secret *RemoteSecret
	// State is the one to expect in /debug/clusterz; what istiod itself says is in
	// RemoteSecret.Replicas.
	State istio.SyncState
}

// prediction is the view that foresees what proxies get: for a host name that nobody
// resolved an address stands, so that gateways by such names are not lost.
type prediction struct {
	view     *istio.View
	names    map[string]string
	gateways []istio.Gateway
}

func newControlPlane(c *Cluster, view *istio.View) *ControlPlane {
	cp := &ControlPlane{View: view, Cluster: c, RunsIn: c}
	cp.candidates = sync.OnceValue(view.Candidates)
	cp.gateways = sync.OnceValue(view.Gateways)
	cp.prediction = sync.OnceValue(func() prediction {
		v, names := view.StandIn(c.IPv6Only())
		return prediction{v, names, v.Gateways()}
	})
	cp.several = sync.OnceValue(cp.seesSeveral)
	return cp
}

// watch notes who watches whom. It runs when all remote secrets are known.
func (cp *ControlPlane) watch() {
	clusters, _ := cp.Clusters()
	for _, w := range clusters {
		out := Watched{ID: w.ID, State: w.State}
		if w.Secret == "" {
			out.Cluster = cp.RunsIn.mesh.Cluster(w.Context)
		} else {
			for _, r := range cp.RunsIn.Remotes {
				if r.ClusterID == w.ID && r.SecretName() == w.Secret {
					out.Secret, out.Cluster = r, r.To
					break
				}
			}
		}
		cp.Watches = append(cp.Watches, out)
		switch c := out.Cluster; {
		case c == nil:
			cp.Cluster.mesh.Partial = true
		case !slices.Contains(c.WatchedBy, cp):
			c.WatchedBy = append(c.WatchedBy, cp)
		}
	}
	cp.findIgnored()
}

// Candidates are all objects that are meant to be gateways; see istio.View.
func (cp *ControlPlane) Candidates() []istio.Candidate { return cp.candidates() }

// Gateways are those of all networks that the control plane knows, as far as host names
// were resolved; see istio.View. The list is not to be changed.
func (cp *ControlPlane) Gateways() []istio.Gateway { return cp.gateways() }

// Prediction is the view that foresees what proxies get: an address stands for each host
// name that nobody resolved. Mesh.HostOf turns it back.
func (cp *ControlPlane) Prediction() *istio.View { return cp.prediction().view }

// PredictedGateways are the gateways of Prediction. The list is not to be changed.
func (cp *ControlPlane) PredictedGateways() []istio.Gateway { return cp.prediction().gateways }

// NameOf is the control plane's name for a cluster, the first where it watches it by
// several; false where it does not watch it.
func (cp *ControlPlane) NameOf(c *Cluster) (string, bool) {
	for _, w := range cp.Watches {
		if w.Cluster == c {
			return w.ID, true
		}
	}
	return "", false
}

// IDOf is NameOf, and "" for a cluster that is not watched.
func (cp *ControlPlane) IDOf(c *Cluster) string {
	id, _ := cp.NameOf(c)
	return id
}

// Names are all names that the control plane has for a cluster.
func (cp *ControlPlane) Names(c *Cluster) []string {
	var out []string
	for _, w := range cp.Watches {
		if w.Cluster == c {
			out = append(out, w.ID)
		}
	}
	return out
}

// ClusterOf is the cluster that has a name for the control plane; nil where there is
// none, or nothing is known of it.
func (cp *ControlPlane) ClusterOf(id string) *Cluster {
	for _, w := range cp.Watches {
		if w.ID == id {
			return w.Cluster
		}
	}
	return nil
}

// WatchedClusters are the clusters that were reached and that it watches, each once, its
// own first.
func (cp *ControlPlane) WatchedClusters() []*Cluster {
	var out []*Cluster
	for _, w := range cp.Watches {
		if w.Cluster != nil && !slices.Contains(out, w.Cluster) {
			out = append(out, w.Cluster)
		}
	}
	return out
}

// Configures reports whether the proxies of a cluster are this control plane's: those of
// its own cluster, and of clusters that it watches and that have no control plane.
func (cp *ControlPlane) Configures(c *Cluster) bool {
	if cp.Cluster == c {
		return true
	}
	_, watches := cp.NameOf(c)
	return watches && c.WithoutControlPlane()
}

// ManagedBy is the control plane that manages the proxies of the cluster: the first that
// configures them, or should; nil where there is none, or it is not known.
func (c *Cluster) ManagedBy() *ControlPlane {
	for _, cp := range c.mesh.ControlPlanes {
		if cp.Configures(c) {
			return cp
		}
	}
	return c.meantFor()
}

// meantFor is the control plane of a remote cluster that none watches: the one that its
// system namespace names, or that of the only primary
// (pilot/pkg/serviceregistry/kube/controller/multicluster.go, checkShouldLead).
func (c *Cluster) meantFor() *ControlPlane {
	if !c.Remote() || !resources.Webhooks.Of(c.Cluster).Known() {
		return nil
	}
	single := len(c.mesh.Primaries()) == 1
	for _, cp := range c.mesh.ControlPlanes {
		if single || slices.Contains(c.NamedControlPlanes(), cp.Istiod.ClusterID()) {
			return cp
		}
	}
	return nil
}

// NamedControlPlanes are the cluster IDs in the annotation of the system namespace of a
// remote cluster that says whose it is; "*" is everybody.
func (c *Cluster) NamedControlPlanes() []string {
	ns := c.Namespace(c.SystemNamespace)
	if ns == nil || ns.Annotations[istio.AnnotationControlPlanes] == "" {
		return nil
	}
	return strings.Split(ns.Annotations[istio.AnnotationControlPlanes], ",")
}

// RegistryNetworks are the networks that the control plane's meshNetworks give to a
// cluster, by any of its names, sorted. istiod takes one of them without an order.
func (cp *ControlPlane) RegistryNetworks(c *Cluster) []string {
	names := cp.Names(c)
	var out []string
	for network, n := range cp.MeshNetworks.Networks {
		if slices.ContainsFunc(n.Endpoints, func(e istio.NetworkEndpoints) bool {
			return e.FromRegistry != "" && slices.Contains(names, e.FromRegistry)
		}) {
			out = append(out, network)
		}
	}
	slices.Sort(out)
	return out
}

// IsExternal reports whether the control plane takes another cluster for its own than the
// one in which it runs.
func (cp *ControlPlane) IsExternal() bool { return cp.Istiod.IsExternal(cp.RunsIn.Cluster) }

// IsHost reports whether the cluster only runs control planes that take other clusters for
// their own: it needs no network, no CA and no gateways, and has no workloads of the mesh.
func (c *Cluster) IsHost() bool {
	return len(c.ControlPlanes) > 0 && !slices.ContainsFunc(c.ControlPlanes, func(cp *ControlPlane) bool {
		return !cp.IsExternal() || cp.Watches[0].Cluster == c
	})
}

// isConfigOf reports whether a control plane that runs in another cluster takes the cluster
// for its own.
func (c *Cluster) isConfigOf(host *Cluster) bool {
	return c != host && slices.ContainsFunc(host.ControlPlanes, func(cp *ControlPlane) bool { return cp.Cluster == c })
}

// PodNetwork is the network of a pod as an endpoint, "" for none.
func (cp *ControlPlane) PodNetwork(c *Cluster, p *facts.Pod) string {
	return cp.NetworkOf(cp.IDOf(c), p.IP(), p.Labels).Name
}

// SeesSeveral reports whether the clusters that the control plane watches are on more
// than one network.
func (cp *ControlPlane) SeesSeveral() bool { return cp.several() }

func (cp *ControlPlane) seesSeveral() bool {
	var names []string
	for _, candidate := range cp.Candidates() {
		names = append(names, candidate.Network)
	}
	for _, c := range cp.WatchedClusters() {
		names = append(names, c.NamespaceLabels(cp.Istiod.Namespace)[istio.LabelNetwork])
		names = append(names, c.ClientNetworks()...)
	}
	for name := range cp.MeshNetworks.Networks {
		names = append(names, name)
	}
	return len(distinct(names)) > 1
}

// UnreadOf is what the predictions need of a cluster that the control plane watches, and
// that was not read. Of those of which nothing was read, see Watches.
func (cp *ControlPlane) UnreadOf(c *Cluster) []Unread {
	needs := []resource.Resource{
		resources.Namespaces,
		resources.Services,
		resources.EndpointSlices,
		resources.Pods,
		resources.Nodes,
		resources.KubernetesGateways,
	}
	if cp.Istiod.On(istio.EnvMCSDiscovery) {
		needs = append(needs, resources.ServiceExports)
	}
	if cp.Cluster == c {
		needs = append(needs, resources.MeshConfigs, resources.RemoteSecrets, resources.PeerAuthentications, resources.DestinationRules)
	}
	return c.Unread(needs...)
}
