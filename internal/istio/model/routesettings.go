package model

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

func portText(port uint32) string { return strconv.FormatUint(uint64(port), 10) }

// configured: proxies of a cluster that their control plane does not let in, or that do not
// find it, get no configuration and no certificates. Those that have them keep them for a while.
func (r *routing) configured(c *Cluster) {
	by := c.ConfiguredBy()
	r.some(NameUnknown, c, c.counts().unknownID, "", finding.Kind("sidecars"))
	r.some(NoIstiodService, c, c.counts().lost, "", finding.Kind("sidecars"))
	if c.hasIstiod() || len(by) == 0 {
		return // a control plane elsewhere has others to look after
	}
	objects := []finding.Object{
		finding.Kind("reader"), finding.Kind("istiod"), finding.In("configmap", c.SystemNamespace, istio.RootCertConfigMap),
	}
	for _, s := range c.ControlPlaneServices() {
		if !LeadsOut(s) {
			continue
		}
		objects = append(objects, finding.In("service", s.Namespace, s.Name))
		for _, cp := range by {
			if s := cp.RunsIn.ServiceAt(c.sliceAddresses(s)); s != nil {
				objects = append(objects, finding.In("service", s.Namespace, s.Name))
			}
		}
	}
	for _, o := range objects {
		r.DependsOn = append(r.DependsOn, Dependence{c, o})
	}
}

// accepted: a control plane elsewhere does not let in the proxies of the clients where its
// remote secret names their cluster by another ID, or does not let it review their tokens.
func (r *routing) accepted() {
	if r.By.Cluster == r.From {
		return
	}
	if w := r.mesh.Watch(r.By.Cluster, r.From); w.Why == ProxiesRefused || w.Status == Impaired && w.Why == RightsMissing {
		r.block(notWatched(w, Some))
	}
}

// accepts reports whether the control plane has an ID for a cluster, or takes it for one.
func (cp *ControlPlane) accepts(c *Cluster, id string) bool {
	return slices.ContainsFunc(cp.Names(c), func(name string) bool { return id == name || cp.Istiod.Aliases[id] == name })
}

// sliceAddresses are the addresses to which a Service leads.
func (c *Cluster) sliceAddresses(s *corev1.Service) []string {
	var out []string
	for _, slice := range c.Slices(s.Namespace, s.Name) {
		for _, e := range slice.Endpoints {
			out = append(out, e.Addresses...)
		}
	}
	return out
}

// meshNetworks: what is written there is not used, or only by some control planes.
func (r *routing) meshNetworks() {
	if r.Via != ThroughGateway {
		return
	}
	cp := r.By
	ids := map[string][]string{}
	for name, n := range cp.MeshNetworks.Networks {
		for _, e := range n.Endpoints {
			if e.FromRegistry != "" && !slices.Contains(ids[e.FromRegistry], name) {
				ids[e.FromRegistry] = append(ids[e.FromRegistry], name)
			}
		}
	}
	invalid := len(cp.Problems) > 0
	homeless := slices.ContainsFunc(cp.WatchedClusters(), func(c *Cluster) bool { return len(c.Network().Homes()) == 0 })
	for id, networks := range ids {
		nobodys := !slices.ContainsFunc(cp.Watches, func(w Watched) bool { return w.ID == id })
		invalid = invalid || len(networks) > 1 || nobodys && homeless
	}
	if invalid {
		r.block(Blocker{Kind: MeshNetworksInvalid, Extent: Some, Clusters: []*Cluster{cp.RunsIn}, Objects: []finding.Object{cp.ConfigMap()}})
	}
	differing, meanings := []*Cluster{cp.RunsIn}, r.mesh.routeFacts().meanings
	for _, o := range r.mesh.ControlPlanes {
		if r.mesh.Same(o.Cluster, cp.Cluster) && !slices.Equal(meanings[cp], meanings[o]) {
			differing = append(differing, o.RunsIn)
		}
	}
	if len(differing) > 1 && len(cp.RunsIn.Unread(resources.MeshConfigs)) == 0 {
		r.block(Blocker{Kind: MeshNetworksDiffer, Extent: Unclarified, Clusters: differing})
	}
}

// meshNetworksMeaning is what meshNetworks say, by the contexts of clusters in place of
// the names that one control plane has for them.
func (cp *ControlPlane) meshNetworksMeaning() []string {
	var out []string
	for name, n := range cp.MeshNetworks.Networks {
		for _, e := range n.Endpoints {
			switch {
			case e.FromRegistry != "":
				out = append(out, strings.Join([]string{name, "registry", cp.contextOf(e.FromRegistry)}, "\n"))
			case e.FromCIDR != "":
				out = append(out, strings.Join([]string{name, "range", e.FromCIDR}, "\n"))
			}
		}
		for _, g := range n.Gateways {
			out = append(out, strings.Join([]string{name, cmp.Or(g.Address, g.RegistryServiceName), portText(g.Port)}, "\n"))
		}
	}
	return distinct(out)
}

// kinds: sidecars and ambient proxies each need a gateway of their kind. It is the end of
// the route where the cluster has no clients of another kind.
func (r *routing) kinds() {
	n, reached := r.From.counts(), r.To.counts().hasAmbient
	sidecars, ambient, sidecarsElsewhere := n.hasSidecars, n.hasAmbient, false
	for own := range n.sidecars {
		sidecarsElsewhere = sidecarsElsewhere || own != "" && own != r.ToNetwork
	}
	extent := map[bool]Extent{true: Some, false: Whole}
	add := func(kind BlockerKind, extent Extent, object finding.Object, clusters ...*Cluster) {
		r.block(Blocker{Kind: kind, Extent: extent, Clusters: clusters, Objects: []finding.Object{object}, Network: r.ToNetwork})
	}
	network := finding.Named("network", r.ToNetwork)
	if known := len(r.By.gatewaysUnread()) == 0; known {
		all := r.By.GatewaysOf(r.ToNetwork)
		if sidecarsElsewhere && !slices.ContainsFunc(all, func(g istio.Gateway) bool { return g.Port != 0 && g.Port != g.HBONEPort }) {
			add(NoSidecarGateway, extent[ambient], network, r.From)
		}
		label := r.From.Network().Namespace
		if ambient && reached && label != "" && label != r.ToNetwork && r.By.Istiod.On(istio.EnvAmbientMultiNetwork) &&
			!r.By.leadsAmbient(r.ToNetwork) {
			add(NoAmbientGateway, extent[sidecars], network, r.From)
		}
	}
	if reached {
		r.ambientTrust(r.To, extent[sidecars], add)
		if k := r.To.misplacedEastWest(r.By); k != nil {
			add(AmbientAddress, extent[sidecars], GatewayObject(k), r.To)
		}
		r.global(add)
	}
	if !ambient {
		return
	}
	r.ambientTrust(r.From, extent[sidecars], add)
	if p := r.From.misplacedZtunnel(); p != nil {
		w := istio.WorkloadOf(p)
		add(ZtunnelMisplaced, extent[sidecars], finding.In(w.Kind, w.Namespace, w.Name), r.From)
	}
	if !r.By.TellsAmbient() && slices.ContainsFunc(r.mesh.Members(), func(c *Cluster) bool { return len(c.EastWest()) > 0 }) {
		add(AmbientOff, extent[sidecars], finding.In("deployment", r.By.Istiod.Namespace, r.By.Istiod.Name), r.By.Cluster)
	}
	for _, h := range r.Through {
		for _, g := range h.In.NetworkGateways() {
			if _, unmapped := g.UnmappedHBONE(); unmapped && g.Object() == h.Object {
				r.block(Blocker{
					Kind: GatewayFault, Fault: FaultNoHBONE, Extent: extent[sidecars], Clusters: []*Cluster{h.In}, Objects: []finding.Object{h.Object},
				})
				return
			}
		}
	}
}

// TellsAmbient reports whether the control plane tells ambient workloads of other networks
// (pilot/pkg/features/ambient.go).
func (cp *ControlPlane) TellsAmbient() bool {
	return cp.Istiod.On(istio.EnvAmbient) && cp.Istiod.On(istio.EnvAmbientMultiNetwork)
}

// ownAmbient is the control plane in the cluster that tells ambient workloads of other
// networks; nil where there is none.
func (c *Cluster) ownAmbient() *ControlPlane {
	for _, cp := range c.ControlPlanes {
		if cp.TellsAmbient() {
			return cp
		}
	}
	return nil
}

// ambientTrust: ztunnel has certificates, and both clusters the same trust domain.
func (r *routing) ambientTrust(c *Cluster, extent Extent, add func(BlockerKind, Extent, finding.Object, ...*Cluster)) {
	if x, y := r.From.ownAmbient(), r.To.ownAmbient(); x != nil && y != nil && x.Mesh.TrustDomain != y.Mesh.TrustDomain &&
		!slices.ContainsFunc(r.Blocked, func(b Blocker) bool { return b.Kind == AmbientTrustDomains }) {
		add(AmbientTrustDomains, extent, finding.Kind("trust domain"), r.From, r.To)
	}
	pods := c.Ztunnels()
	if len(pods) == 0 {
		return
	}
	account := pods[0].Namespace + "/" + cmp.Or(pods[0].ServiceAccount, istio.ZtunnelName)
	for _, cp := range c.ConfiguredBy() {
		trusted := strings.Split(cp.Istiod.Env(istio.EnvTrustedNodeAccounts), ",")
		isOne := func(s string) bool { return strings.TrimSpace(s) == account }
		if cp.Istiod.Setting(istio.EnvEnableCAServer, true) && !slices.ContainsFunc(trusted, isOne) {
			add(ZtunnelRefused, extent, finding.In("deployment", cp.Istiod.Namespace, cp.Istiod.Name), c, cp.RunsIn)
			return
		}
	}
}

// misplacedZtunnel is a pod of ztunnel that says that it is of another network or cluster
// than it is; nil where there is none.
func (c *Cluster) misplacedZtunnel() *facts.Pod {
	pods, by := c.Ztunnels(), c.ConfiguredBy()
	if len(pods) == 0 || len(by) == 0 {
		return nil
	}
	label, id := c.Network().Namespace, Variable(pods[0], istio.EnvProxyClusterID)
	network := c.mesh.Several() && slices.ContainsFunc(by, (*ControlPlane).TellsAmbient) && label != "" &&
		Variable(pods[0], istio.EnvZtunnelNetwork) != label
	if network || id != "" && !slices.ContainsFunc(by, func(cp *ControlPlane) bool { return cp.accepts(c, id) }) {
		return pods[0]
	}
	return nil
}

// usesEastWest reports whether istiod uses the Gateway of an ambient network
// (pilot/pkg/serviceregistry/ambient/networks.go).
func usesEastWest(k *api.KubernetesGateway) bool {
	listens := slices.ContainsFunc(k.Spec.Listeners, func(l api.Listener) bool {
		return l.Protocol == "HBONE" && k.Spec.GatewayClassName != api.ClassEastWest || istio.IsEastWestListener(l)
	})
	return k.Labels[istio.LabelNetwork] != "" && listens && slices.ContainsFunc(k.Status.Addresses, istio.IsGatewayAddress)
}

// leadsAmbient reports whether the control plane tells ambient workloads of a gateway to a
// network: of class istio-east-west elsewhere, istio-remote in its own cluster.
func (cp *ControlPlane) leadsAmbient(network string) bool {
	for _, c := range cp.WatchedClusters() {
		class := api.ClassEastWest
		if c == cp.Cluster {
			class = api.ClassRemote
		}
		for i := range resources.KubernetesGateways.Of(c.Cluster).Value {
			k := &resources.KubernetesGateways.Of(c.Cluster).Value[i]
			if k.Spec.GatewayClassName == class && k.Labels[istio.LabelNetwork] == network && usesEastWest(k) {
				return true
			}
		}
	}
	return false
}

// misplacedEastWest is a Gateway of an ambient network that istiod of another cluster uses
// at an address inside of this one, or that listens on another port than clients connect
// to; nil where there is none.
func (c *Cluster) misplacedEastWest(cp *ControlPlane) *api.KubernetesGateway {
	if cp.Cluster == c || !cp.TellsAmbient() {
		return nil
	}
	for _, k := range c.EastWest() {
		if !usesEastWest(k) || cp.Cluster.Network().Namespace == k.Labels[istio.LabelNetwork] {
			continue
		}
		at := slices.IndexFunc(k.Spec.Listeners, istio.IsEastWestListener)
		if k.Spec.Listeners[at].Port != istio.HBONEPort || slices.ContainsFunc(k.Status.Addresses, func(a api.GatewayAddress) bool {
			return istio.IsGatewayAddress(a) && c.isInside(k, a.Value)
		}) {
			return k
		}
	}
	return nil
}

// isInside reports whether an address is one of a Gateway's Service within the cluster.
func (c *Cluster) isInside(k *api.KubernetesGateway, address string) bool {
	return slices.ContainsFunc(resources.Services.Of(c.Cluster).Value, func(s corev1.Service) bool {
		return s.Namespace == k.Namespace && s.Labels[istio.LabelGatewayName] == k.Name &&
			(address == s.Spec.ClusterIP || slices.Contains(s.Spec.ClusterIPs, address) ||
				strings.HasPrefix(address, s.Name+"."+s.Namespace+".svc."))
	})
}

// global: ambient workloads see services of other clusters only if these are global
// (pilot/pkg/serviceregistry/ambient/services.go, matchServiceScope).
func (r *routing) global(add func(BlockerKind, Extent, finding.Object, ...*Cluster)) {
	if own := r.To.ownAmbient(); own != nil && len(r.To.localByConfig(own)) > 0 {
		add(NotGlobal, Some, own.ConfigMap(), r.To)
		return
	}
	for _, pair := range [][2]*Cluster{{r.From, r.To}, {r.To, r.From}} {
		a, b := pair[0], pair[1]
		x, y := a.ownAmbient(), b.ownAmbient()
		if x == nil || y == nil || a.Network().Namespace == b.Network().Namespace {
			continue
		}
		for i := range resources.Services.Of(b.Cluster).Value {
			s := &resources.Services.Of(b.Cluster).Value[i]
			o := a.Service(s.Namespace, s.Name)
			if o == nil || s.Labels[istio.LabelGlobal] != "" || y.isGlobal(b, s) || !x.isGlobal(b, s) || !x.isGlobal(a, o) {
				continue
			}
			if b.HasAmbientPods(s) && a.HasAmbientPods(o) {
				add(NotGlobal, Some, finding.Named("serviceScopeConfigs of", b.Context), b, a)
				return
			}
		}
	}
}

func (cp *ControlPlane) isGlobal(c *Cluster, s *corev1.Service) bool {
	return cp.Mesh.IsGlobal(c.NamespaceLabels(s.Namespace), s.Labels)
}

// localByConfig are the Services of the cluster that are labeled as global, and that the
// mesh config makes local.
func (c *Cluster) localByConfig(cp *ControlPlane) []*corev1.Service {
	var out []*corev1.Service
	for i := range resources.Services.Of(c.Cluster).Value {
		s := &resources.Services.Of(c.Cluster).Value[i]
		if s.Labels[istio.LabelGlobal] == "true" && !cp.isGlobal(c, s) {
			out = append(out, s)
		}
	}
	return out
}
