package model

import (
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/pki"
)

// Cluster is one cluster that was reached. The reads are those of facts.Cluster; what
// follows from them has names of its own, so that none of the reads is hidden.
type Cluster struct {
	*facts.Cluster
	// ID is the name that the mesh has for the cluster; "" where nothing says it.
	ID string
	// UID is that of namespace kube-system; "" where it is not known.
	UID string
	// ControlPlanes are those that run in it, in the system namespace.
	ControlPlanes []*ControlPlane
	// WatchedBy are the control planes that watch it, its own among them, each once.
	WatchedBy []*ControlPlane
	// Remotes are the data keys of its remote secrets in the order in which istiod takes
	// them; none of a cluster without a control plane.
	Remotes []*RemoteSecret
	// SecretsElsewhere is the one of its control planes that reads the remote secrets of
	// another cluster and not those here; nil where there is none.
	SecretsElsewhere *ControlPlane
	// Membership says whether it is part of a mesh.
	Membership Membership

	mesh     *Mesh
	istiods  []istio.Istiod
	replicas func() []*IstiodReplica
	hooks    func() []Hook

	roots          func() []string
	injector       func() (network string, known bool)
	meshID         func() (id string, known bool)
	network        func() Network
	networkGateway func() []*Gateway
	gatewayPods    func() map[*facts.Pod]bool
	proxyPods      func() []*facts.Pod
	clients        func() clients
	ipv6           func() bool
	addresses      func() facts.Addresses

	namespaces     func() map[string]*corev1.Namespace
	services       func() map[istio.ObjectName]*corev1.Service
	endpointSlices func() map[istio.ObjectName][]*discoveryv1.EndpointSlice
	pods           func() map[istio.ObjectName]*facts.Pod
	podsIn         func() map[string][]*facts.Pod
	podsWith       func() map[label][]*facts.Pod
}

func newCluster(m *Mesh, f *facts.Cluster) *Cluster {
	c := &Cluster{Cluster: f, mesh: m, istiods: istio.Istiods(f), ID: istio.ClusterID(f)}
	for i := range resources.Namespaces.Of(f).Value {
		if ns := &resources.Namespaces.Of(f).Value[i]; ns.Name == "kube-system" {
			c.UID = string(ns.UID)
		}
	}
	if side := m.Seen.Sides[f.Context]; c.UID == "" && side.Value.UID.State == facts.OK {
		c.UID = side.Value.UID.Value
	}
	c.roots = sync.OnceValue(c.findRoots)
	c.replicas = sync.OnceValue(c.findReplicas)
	c.hooks = sync.OnceValue(c.findHooks)
	c.injector = sync.OnceValues(c.injectorNetwork)
	c.meshID = sync.OnceValues(c.findMeshID)
	c.network = sync.OnceValue(c.findNetwork)
	c.networkGateway = sync.OnceValue(c.findGateways)
	c.gatewayPods = sync.OnceValue(c.findGatewayPods)
	c.proxyPods = sync.OnceValue(c.findProxyPods)
	c.clients = sync.OnceValue(c.findClients)
	c.ipv6 = sync.OnceValue(c.isIPv6)
	c.addresses = sync.OnceValue(c.findAddresses)
	c.index()
	return c
}

// hasIstiod reports whether there is a Deployment of istiod in the system namespace.
func (c *Cluster) hasIstiod() bool { return len(c.istiods) > 0 }

// Primary reports whether the cluster is known to have a control plane.
func (c *Cluster) Primary() bool { return c.hasIstiod() }

// WithoutControlPlane reports whether it is known that the cluster has none.
func (c *Cluster) WithoutControlPlane() bool {
	return resources.Istiods.Of(c.Cluster).Known() && !c.hasIstiod()
}

// Remote reports whether the pods of the cluster are injected by a control plane
// elsewhere. Whether one watches it is another matter: see WatchedBy.
func (c *Cluster) Remote() bool { return istio.IsRemote(c.Cluster) }

// HasIstio reports whether anything of Istio is known to be in the cluster: a control
// plane, or a webhook that injects.
func (c *Cluster) HasIstio() bool {
	return c.hasIstiod() || len(resources.Webhooks.Of(c.Cluster).Value) > 0
}

// Undecided is what was not read of the cluster that would tell whether it has Istio,
// and whether it is a primary.
func (c *Cluster) Undecided() []Unread {
	if u := c.Unread(resources.Istiods); len(u) > 0 || c.hasIstiod() {
		return u
	}
	return c.Unread(resources.Webhooks)
}

// OnlyInjects reports whether the control plane in the cluster does nothing but inject:
// the proxies are connected to a primary elsewhere. The remote profile of Istio makes a
// Service istiod-remote for that.
func (c *Cluster) OnlyInjects() bool {
	return c.hasIstiod() && c.Service(c.SystemNamespace, "istiod-remote") != nil
}

// Installed are the installations of istiod in the cluster, one for each of ControlPlanes.
func (c *Cluster) Installed() []istio.Istiod { return slices.Clone(c.istiods) }

// IsOwnID reports whether a cluster ID is that of the cluster for one of its own
// control planes.
func (c *Cluster) IsOwnID(id string) bool {
	return slices.ContainsFunc(c.istiods, func(i istio.Istiod) bool { return i.ClusterID() == id })
}

// ConfiguredBy are the control planes that configure proxies of the cluster.
func (c *Cluster) ConfiguredBy() []*ControlPlane {
	var out []*ControlPlane
	for _, cp := range c.WatchedBy {
		if cp.Configures(c) {
			out = append(out, cp)
		}
	}
	return out
}

// Roots are the SHA-256 fingerprints of the certificates in the published root, sorted;
// none where it was not read, or holds none.
func (c *Cluster) Roots() []string { return c.roots() }

func (c *Cluster) findRoots() []string {
	if resources.RootCert.Of(c.Cluster).State != facts.OK || resources.RootCert.Of(c.Cluster).Value == nil {
		return nil
	}
	var out []string
	for _, certificate := range pki.ParseBundle([]byte(resources.RootCert.Of(c.Cluster).Value.Data[istio.RootCertKey])).Certificates {
		out = append(out, certificate.SHA256)
	}
	return distinct(out)
}

// SharesRoot reports whether two clusters are known to trust a root in common.
func (c *Cluster) SharesRoot(o *Cluster) bool {
	return slices.ContainsFunc(c.Roots(), func(f string) bool { return slices.Contains(o.Roots(), f) })
}

// MayShareRoot reports whether two clusters may trust a root in common: only where both
// are known to have none in common they do not.
func (c *Cluster) MayShareRoot(o *Cluster) bool {
	return len(c.Roots()) == 0 || len(o.Roots()) == 0 || c.SharesRoot(o)
}

// external is the control plane that is one for another cluster, where it looks for
// remote secrets (pilot/pkg/bootstrap/server.go, initMulticluster).
func (c *Cluster) external() *ControlPlane {
	for _, cp := range c.ControlPlanes {
		if !cp.Istiod.On(istio.EnvExternalIstiod) || cp.Istiod.On(istio.EnvLocalSecretWatcher) {
			continue
		}
		loose := func(s facts.LooseSecret) bool { return s.Name == istio.ExternalKubeconfig }
		remote := func(s facts.RemoteSecret) bool { return s.Name == istio.ExternalKubeconfig }
		if slices.ContainsFunc(resources.SystemSecrets.Of(c.Cluster).Value, loose) ||
			slices.ContainsFunc(resources.RemoteSecrets.Of(c.Cluster).Value, remote) {
			return cp
		}
	}
	return nil
}
