package model

import (
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// settledGateways is how old everything is by which a replica of istiod and a cluster are held to have
// the same gateways. Config maps get to pods within a minute or two.
const settledGateways = 2 * time.Minute

// GatewayDrift is how the gateways of networks that a replica of istiod has of a cluster differ from
// those that the cluster has.
type GatewayDrift struct {
	Plane *ControlPlane
	// Of is the cluster, as the control plane knows it.
	Of Watched
	// Lacks are addresses of gateways that the replica does not have.
	Lacks []LackedGateway
	// Stale are those that it has, and that neither a Service nor a node nor a Gateway has any more.
	Stale []facts.NetworkGateway
	// StaleSure: Stale is what two looks show, with what was read of the clusters each time.
	StaleSure bool
	young     bool
}

// LackedGateway is an address of a gateway that a replica of istiod does not have.
type LackedGateway struct {
	istio.CandidateRef
	Network, Address string
	Port, HBONEPort  uint32
	// NoOther: the replica has no other gateway of the network.
	NoOther bool
	// Sure: it is no change that is under way. Two looks show it, or the gateway and the replica are known
	// to have been as they are for some time; and neither is known to be young.
	Sure  bool
	young bool
}

// CrossesNetworks reports whether a control plane of the cluster has clients of one network, and clusters
// on another one.
func (c *Cluster) CrossesNetworks() bool {
	return slices.ContainsFunc(c.ControlPlanes, func(cp *ControlPlane) bool {
		return cp.SeesSeveral() && slices.ContainsFunc(c.mesh.Networks(), cp.hasClientsOutside)
	})
}

// GatewayDrifts are those of the clusters that the replica watches; none of one that is not known well
// enough.
func (v *IstiodReplica) GatewayDrifts() []GatewayDrift {
	at := v.planeAt()
	if at < 0 || v.Networks.State != facts.OK || v.First != nil && v.First.Networks.State != facts.OK {
		return nil
	}
	cp := v.In.ControlPlanes[at]
	var out []GatewayDrift
	for _, w := range cp.Watches {
		if !v.canCompare(cp, w) {
			continue
		}
		d := GatewayDrift{Plane: cp, Of: w, young: v.isYoung() || w.Secret != nil && !v.In.isSettled(w.Secret.Modified)}
		said := v.Networks.Value
		if v.First != nil {
			said = v.First.Networks.Value
		}
		d.Lacks, d.Stale = cp.lackedGateways(v, w, said), cp.staleGateways(w, said)
		if v.First != nil {
			d.stillSo(v, at)
		}
		for n := range d.Lacks {
			d.Lacks[n].Sure = d.Lacks[n].Sure && !d.Lacks[n].young && !d.young
		}
		if len(d.Lacks)+len(d.Stale) > 0 {
			out = append(out, d)
		}
	}
	return out
}

// stillSo leaves of the difference what the second look shows too, held against what was read of the
// clusters then.
func (d *GatewayDrift) stillSo(v *IstiodReplica, at int) {
	again := v.In.mesh.Seen.Again.Gateways[d.Of.Cluster.Context]
	read := resources.Services.Of(&again).State == facts.OK && resources.KubernetesGateways.Of(&again).Known() &&
		resources.Nodes.Of(&again).State == facts.OK && resources.Namespaces.Of(&again).State == facts.OK
	later := d.Plane
	if in := Derived(v.In.mesh, findLater).Cluster(v.In.Context); read && in != nil && at < len(in.ControlPlanes) {
		later = in.ControlPlanes[at]
	}
	i := slices.IndexFunc(later.Watches, func(w Watched) bool { return w.ID == d.Of.ID })
	if i < 0 || later.Watches[i].Cluster == nil {
		d.Lacks, d.Stale = nil, nil
		return
	}
	lacks, stale := later.lackedGateways(v, later.Watches[i], v.Networks.Value), later.staleGateways(later.Watches[i], v.Networks.Value)
	d.Lacks = slices.DeleteFunc(d.Lacks, func(l LackedGateway) bool {
		return !slices.ContainsFunc(lacks, func(o LackedGateway) bool { return o.Network == l.Network && o.Address == l.Address })
	})
	for n := range d.Lacks {
		d.Lacks[n].Sure = d.Lacks[n].Sure || read
	}
	d.Stale = slices.DeleteFunc(d.Stale, func(g facts.NetworkGateway) bool { return !slices.Contains(stale, g) })
	d.StaleSure = read && !d.young
}

// laterMesh is the fleet as it was read at the second look.
type laterMesh struct{ *Mesh }

func findLater(m *Mesh) laterMesh {
	fleet := *m.Fleet
	fleet.Clusters = slices.Clone(fleet.Clusters)
	for i := range fleet.Clusters {
		c := &fleet.Clusters[i]
		if read, ok := m.Seen.Again.Gateways[c.Context]; ok {
			readAgain(resources.Services, c, &read)
			readAgain(resources.Namespaces, c, &read)
			readAgain(resources.Nodes, c, &read)
			readAgain(resources.KubernetesGateways, c, &read)
		}
	}
	options := m.Options
	options.Seen.Again = nil
	return laterMesh{New(&fleet, options)}
}

// readAgain sets what was read of a row later, where it could be.
func readAgain[T any](row *resource.Row[T], c, later *facts.Cluster) {
	if read := row.Of(later); read.State == facts.OK {
		row.Set(c, read)
	}
}

// planeAt is which of the control planes in its cluster the replica belongs to; -1 where that is not known.
func (v *IstiodReplica) planeAt() int {
	planes := v.In.ControlPlanes
	if len(planes) == 1 {
		return 0
	}
	pod, out := v.pod(), -1
	for i, cp := range planes {
		if pod == nil || pod.Labels[istio.LabelRevision] != cp.Istiod.Revision {
			continue
		}
		if out >= 0 {
			return -1
		}
		out = i
	}
	return out
}

func (v *IstiodReplica) pod() *facts.Pod {
	pods := resources.IstiodPods.Of(v.In.Cluster).Value
	for i := range pods {
		if pods[i].Name == v.Pod {
			return &pods[i]
		}
	}
	return nil
}

// started is when the replica did; zero where that is not known.
func (v *IstiodReplica) started() time.Time {
	pod := v.pod()
	if pod == nil {
		return time.Time{}
	}
	out := pod.Started
	for _, s := range pod.Statuses {
		if s.Name == istio.DiscoveryContainer && s.Started.After(out) {
			out = s.Started
		}
	}
	return out
}

// isYoung reports whether the replica has just started, or its configuration was just written.
func (v *IstiodReplica) isYoung() bool {
	if started := v.started(); !started.IsZero() && !v.In.isSettled(started) {
		return true
	}
	configs := resources.MeshConfigs.Of(v.In.Cluster).Value
	return slices.ContainsFunc(configs, func(m corev1.ConfigMap) bool {
		written, _ := writtenAt(&m.ObjectMeta)
		return !v.In.isSettled(written)
	})
}

func (c *Cluster) isSettled(since time.Time) bool {
	return c.mesh.Fleet.At.Sub(since) >= settledGateways
}

// writtenAt is when an object was last written, and whether that is known for certain: else it is when
// it was made.
func writtenAt(m *metav1.ObjectMeta) (at time.Time, known bool) {
	at = m.CreationTimestamp.Time
	for _, f := range m.ManagedFields {
		if f.Time != nil {
			known = true
			if f.Time.After(at) {
				at = f.Time.Time
			}
		}
	}
	return at, known
}

// canCompare reports whether the replica follows a cluster, by what it says, and all is known by which
// gateways are compared.
func (v *IstiodReplica) canCompare(cp *ControlPlane, w Watched) bool {
	if w.Cluster == nil {
		return false
	}
	if r := w.Secret; r != nil {
		if !r.Sure() || v.StateOf(r) != Synced {
			return false
		}
		if v.First != nil && (&IstiodReplica{IstiodView: *v.First, In: v.In}).StateOf(r) != Synced {
			return false
		}
	}
	_, doubt := cp.RunsIn.MeshConfigDoubt()
	return !doubt && !lacksGatewayRows(w.Cluster)
}

// lacksGatewayRows reports whether something was not read that makes gateways of a cluster.
func lacksGatewayRows(c *Cluster) bool {
	return len(c.Unread(resources.Namespaces, resources.Services, resources.Nodes, resources.KubernetesGateways)) > 0
}

// lackedGateways are the addresses of gateways of a cluster that the control plane uses, by what was read
// of the cluster, and that are not among those that a replica has. Names are left out: they are
// resolved at other times, by other name servers. So is what meshNetworks make a gateway, as they get
// to istiod by a file.
func (cp *ControlPlane) lackedGateways(v *IstiodReplica, w Watched, said []facts.NetworkGateway) []LackedGateway {
	var out []LackedGateway
	for _, c := range cp.Candidates() {
		object := w.Cluster.labeledGateway(c)
		if c.Cluster != w.ID || c.Problem != "" || object == nil || cp.IsWaypoint(c.CandidateRef) || !cp.hasClientsOutside(c.Network) {
			continue
		}
		written, known := writtenAt(object)
		settled := known && !v.started().IsZero() && len(cp.Mesh.DiscoverySelectors) == 0
		for _, a := range c.Addresses {
			address, err := netip.ParseAddr(a.Address)
			if err != nil || slices.ContainsFunc(said, func(g facts.NetworkGateway) bool {
				return g.Network == c.Network && g.Cluster == c.Cluster && AddressOf(g.Address) == address
			}) {
				continue
			}
			out = append(out, LackedGateway{
				CandidateRef: c.CandidateRef, Network: c.Network, Address: a.Address, Port: c.Port, HBONEPort: c.HBONEPort,
				NoOther: !slices.ContainsFunc(said, func(g facts.NetworkGateway) bool { return g.Network == c.Network }),
				Sure:    settled && a.Node == "", young: !v.In.isSettled(written),
			})
		}
	}
	return out
}

// labeledGateway is the metadata of the object of a candidate, where a label makes it a gateway.
func (c *Cluster) labeledGateway(candidate istio.Candidate) *metav1.ObjectMeta {
	switch candidate.Kind {
	case "Service":
		if s := c.Service(candidate.Namespace, candidate.Name); s != nil && s.Labels[istio.LabelNetwork] == candidate.Network {
			return &s.ObjectMeta
		}
	case "Gateway":
		gateways := resources.KubernetesGateways.Of(c.Cluster).Value
		for i := range gateways {
			if gateways[i].Namespace == candidate.Namespace && gateways[i].Name == candidate.Name {
				return &gateways[i].ObjectMeta
			}
		}
	}
	return nil
}

// staleGateways are the gateways of a cluster that a replica has, and whose addresses nobody has. Where
// meshNetworks or host names make gateways it is not known whose they are.
func (cp *ControlPlane) staleGateways(w Watched, said []facts.NetworkGateway) []facts.NetworkGateway {
	if len(cp.MeshNetworks.Networks) > 0 {
		return nil
	}
	byName := map[string]bool{}
	for _, c := range cp.Candidates() {
		byName[c.Network] = byName[c.Network] || slices.ContainsFunc(c.Addresses, func(a istio.CandidateAddress) bool {
			return !AddressOf(a.Address).IsValid()
		})
	}
	var out []facts.NetworkGateway
	for _, g := range said {
		address := AddressOf(g.Address)
		if g.Cluster != w.ID || byName[g.Network] || !address.IsValid() || !cp.hasClientsOutside(g.Network) ||
			cp.Cluster.mesh.hasAddress(address) {
			continue
		}
		out = append(out, g)
	}
	return out
}

// hasAddress reports whether a Service, a node or a Gateway of the fleet has an address.
func (m *Mesh) hasAddress(address netip.Addr) bool {
	is := func(text string) bool { return AddressOf(text) == address }
	for _, c := range m.Clusters {
		services := resources.Services.Of(c.Cluster).Value
		for n := range services {
			s := &services[n]
			for _, i := range s.Status.LoadBalancer.Ingress {
				if is(i.IP) {
					return true
				}
			}
			if slices.ContainsFunc(s.Spec.ExternalIPs, is) || slices.ContainsFunc(s.Spec.ClusterIPs, is) {
				return true
			}
		}
		nodes := resources.Nodes.Of(c.Cluster).Value
		for n := range nodes {
			for _, a := range nodes[n].Status.Addresses {
				if is(a.Address) {
					return true
				}
			}
		}
		gateways := resources.KubernetesGateways.Of(c.Cluster).Value
		for n := range gateways {
			for _, a := range slices.Concat(gateways[n].Spec.Addresses, gateways[n].Status.Addresses) {
				if is(a.Value) {
					return true
				}
			}
		}
	}
	return false
}
