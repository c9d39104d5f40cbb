package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// Membership says whether a cluster is part of a mesh, and why.
type Membership struct {
	State  MembershipState
	Reason MembershipReason
	// Links are those to other clusters of the mesh.
	Links []Link
	// Unread is what was not read and would tell whether there are further links; only
	// where there is none.
	Unread []Unread
}

// MembershipState is whether a cluster is part of a mesh.
type MembershipState string

// The states.
const (
	Member  MembershipState = "member"
	Outside MembershipState = "outside" // not part of the mesh
	Unclear MembershipState = "unclear"
)

// MembershipReason is what decides a state.
type MembershipReason string

// The reasons.
const (
	// Linked: it has to do with other clusters of the fleet, by Links.
	Linked MembershipReason = "linked"
	// OnlyCluster: no other cluster of the fleet was reached.
	OnlyCluster MembershipReason = "only cluster"
	// WatchesUnknown: it has a remote secret that leads out of the fleet, or of which it
	// is not known where it leads.
	WatchesUnknown MembershipReason = "watches a cluster that is not known"
	// OwnNetwork: whether it is linked is not known, and it has a network of its own.
	OwnNetwork MembershipReason = "has a network"
	// NothingOfIstio: nothing of Istio is in it, and no control plane watches it.
	NothingOfIstio MembershipReason = "nothing of Istio"
	// NotLinked: it has nothing to do with any other cluster of the fleet.
	NotLinked MembershipReason = "not linked"
	// HostsControlPlane: it only runs control planes that take other clusters for their own.
	HostsControlPlane MembershipReason = "hosts an external control plane"
	// NotRead: what would tell was not read.
	NotRead MembershipReason = "not read"
)

// String says the reason to people.
func (m Membership) String() string {
	switch m.Reason {
	case Linked:
		return m.Links[0].String()
	case OnlyCluster:
		return "no other cluster of the fleet was reached"
	case WatchesUnknown:
		return "it has a remote secret for a cluster that is not known here"
	case NothingOfIstio:
		return "nothing of Istio is in it, and no control plane watches it"
	case HostsControlPlane:
		return "it only runs the control plane of other clusters"
	case NotLinked:
		return "it has no remote secret, root or control plane in common with another cluster"
	default: // OwnNetwork, NotRead
		var why []string
		for _, u := range m.Unread {
			why = append(why, u.String()+" in "+u.Context)
		}
		return "whether it is part of the same mesh is not known: " + strings.Join(why, ", ")
	}
}

// Link is a reason for which two clusters are of one mesh, or ought to be.
type Link struct {
	A, B *Cluster
	By   LinkKind
	// Secret is the remote secret of A that leads to B; only of LinkSecret.
	Secret *RemoteSecret
}

// LinkKind is the kind of a link.
type LinkKind string

// The kinds.
const (
	// LinkSecret: a remote secret of the one leads to the other.
	LinkSecret LinkKind = "remote secret"
	// LinkRoot: they trust a published root in common.
	LinkRoot LinkKind = "root"
	// LinkControlPlane: the control plane of the one is meant for the other, a remote
	// cluster: it is the only one, or the system namespace there names it.
	LinkControlPlane LinkKind = "control plane"
	// LinkSettings: they have one mesh ID and one trust domain, and a network each.
	LinkSettings LinkKind = "settings"
)

// String says it to people.
func (l Link) String() string {
	switch l.By {
	case LinkSecret:
		return fmt.Sprintf("a remote secret of %s leads to %s", l.A.Context, l.B.Context)
	case LinkRoot:
		return fmt.Sprintf("%s and %s trust a root in common", l.A.Context, l.B.Context)
	case LinkControlPlane:
		return fmt.Sprintf("the control plane of %s is meant for %s", l.A.Context, l.B.Context)
	default:
		return fmt.Sprintf("%s and %s have the same mesh ID and trust domain, and networks", l.A.Context, l.B.Context)
	}
}

// Links are all reasons for which clusters are of one mesh.
func (m *Mesh) Links() []Link { return slices.Clone(m.links) }

// Same reports whether two clusters are of one mesh, or ought to be.
func (m *Mesh) Same(a, b *Cluster) bool { return m.group[a] == m.group[b] }

// KnownApart reports whether two clusters are not of one mesh, and nothing that was not read
// could say otherwise. Of nil, a cluster that was not reached, that is not known.
func (m *Mesh) KnownApart(a, b *Cluster) bool {
	return a != nil && b != nil && !m.Same(a, b) && len(a.Membership.Unread)+len(b.Membership.Unread) == 0
}

// join puts the clusters into meshes.
func (m *Mesh) join() {
	m.group = make(map[*Cluster]int, len(m.Clusters))
	for i, c := range m.Clusters {
		m.group[c] = i
	}
	for _, r := range m.RemoteSecrets {
		if r.To != nil && r.To != r.In {
			m.link(Link{A: r.In, B: r.To, By: LinkSecret, Secret: r})
		}
	}
	primaries := m.Primaries()
	for i, a := range m.Clusters {
		for _, p := range primaries {
			if a.Remote() && (len(primaries) == 1 || a.isNamedBy(p)) {
				m.link(Link{A: p, B: a, By: LinkControlPlane})
			}
		}
		for _, b := range m.Clusters[i+1:] {
			if a.SharesRoot(b) {
				m.link(Link{A: a, B: b, By: LinkRoot})
			}
			if ought, unread := oughtToBeOne(a, b); ought && len(unread) == 0 {
				m.link(Link{A: a, B: b, By: LinkSettings})
			}
		}
	}
	for _, c := range m.Clusters {
		c.Membership = m.membershipOf(c)
	}
}

func (m *Mesh) link(l Link) {
	m.links = append(m.links, l)
	from, to := m.group[l.A], m.group[l.B]
	for c, n := range m.group {
		if n == from {
			m.group[c] = to
		}
	}
}

// isNamedBy reports whether the system namespace names a control plane of a primary by
// its cluster ID. Several primaries can have the same ID: a root of the other one tells.
func (c *Cluster) isNamedBy(primary *Cluster) bool {
	return slices.ContainsFunc(c.NamedControlPlanes(), primary.IsOwnID) && c.MayShareRoot(primary)
}

// isOfNothing reports whether it is known that nothing of Istio is in the cluster, and
// no control plane watches it.
func (c *Cluster) isOfNothing() bool {
	return !c.HasIstio() && len(c.WatchedBy) == 0 && len(c.Unread(resources.Istiods, resources.Webhooks)) == 0
}

func (m *Mesh) membershipOf(c *Cluster) Membership {
	if c.isOfNothing() {
		return Membership{State: Outside, Reason: NothingOfIstio}
	}
	if c.IsHost() {
		return Membership{State: Outside, Reason: HostsControlPlane}
	}
	if len(m.Clusters) < 2 {
		return Membership{State: Member, Reason: OnlyCluster}
	}
	var links []Link
	for _, l := range m.links {
		if l.A == c && !l.B.isOfNothing() || l.B == c && !l.A.isOfNothing() {
			links = append(links, l)
		}
	}
	if len(links) > 0 {
		return Membership{State: Member, Reason: Linked, Links: links}
	}
	if slices.ContainsFunc(c.Remotes, func(r *RemoteSecret) bool { return r.To == nil }) {
		return Membership{State: Member, Reason: WatchesUnknown}
	}
	switch unread := m.linksUnread(c); {
	case len(unread) == 0:
		return Membership{State: Outside, Reason: NotLinked}
	case c.Network().Home() != "":
		return Membership{State: Member, Reason: OwnNetwork, Unread: unread}
	default:
		return Membership{State: Unclear, Reason: NotRead, Unread: unread}
	}
}

// linksUnread is what was not read and would tell whether a cluster that is not linked
// is so.
func (m *Mesh) linksUnread(c *Cluster) []Unread {
	var out []Unread
	for _, o := range m.Clusters {
		out = append(out, o.Unread(resources.Istiods, resources.RemoteSecrets)...)
	}
	if c.WithoutControlPlane() {
		out = append(out, c.Undecided()...) // it may be a remote cluster
	}
	for _, o := range m.Clusters {
		out = append(out, o.refused(resources.RootCert)...)
	}
	for _, o := range m.Clusters {
		if o == c {
			continue
		}
		if ought, unread := oughtToBeOne(c, o); ought {
			for _, u := range unread {
				if !slices.Contains(out, u) {
					out = append(out, u)
				}
			}
		}
	}
	return out
}

// oughtToBeOne reports whether two primaries ought to be of one mesh: they have the same
// mesh ID and trust domain, and a network each. A cluster ID is no sign: clusters that
// stand alone have one as well. What was not read and may deny it is in unread.
func oughtToBeOne(a, b *Cluster) (ought bool, unread []Unread) {
	if !a.hasIstiod() || !b.hasIstiod() {
		return false, nil
	}
	for _, c := range []*Cluster{a, b} {
		set, missing := c.networkSet()
		if !set && len(missing) == 0 {
			return false, nil
		}
		unread = append(unread, missing...)
	}
	configs := slices.Concat(a.Unread(resources.MeshConfigs), b.Unread(resources.MeshConfigs))
	if len(configs) == 0 && !slices.ContainsFunc(a.trustDomains(), func(d string) bool { return slices.Contains(b.trustDomains(), d) }) {
		return false, nil
	}
	x, xKnown := a.meshID()
	y, yKnown := b.meshID()
	if xKnown && yKnown && x != y {
		return false, nil
	}
	return true, append(unread, configs...)
}

// networkSet reports whether somebody has set a network for the cluster; else what was
// not read that would tell.
func (c *Cluster) networkSet() (set bool, unread []Unread) {
	value, known := c.injector()
	if c.NamespaceLabels(c.SystemNamespace)[istio.LabelNetwork] != "" || value != "" {
		return true, nil
	}
	if unread = c.Unread(resources.Namespaces); len(unread) == 0 && !known {
		unread = c.refused(resources.Injectors)
	}
	return false, unread
}

func (c *Cluster) trustDomains() []string {
	var out []string
	for _, cp := range c.ControlPlanes {
		out = append(out, cp.Mesh.TrustDomain)
	}
	return out
}

// findMeshID is the mesh ID in the values of the injectors, "" for the default; not known
// where those of one are not, or they differ. It is a name for telemetry, so that one that
// is not known tells no meshes apart.
func (c *Cluster) findMeshID() (id string, known bool) {
	for n, i := range c.istiods {
		values, ok := istio.InjectorValuesOf(c.Cluster, i)
		if !ok || n > 0 && values.Global.MeshID != id {
			return "", false
		}
		id, known = values.Global.MeshID, true
	}
	return id, known
}

// Expects reports whether it is known that the control plane of a cluster should watch
// another one: one of its mesh. Between primaries each should watch the other, unless the
// mesh is one of a hub and its edges.
func (m *Mesh) Expects(from, to *Cluster) bool {
	if from == to || !from.Primary() || !to.HasIstio() || len(to.Undecided()) > 0 || !m.Same(from, to) || sameUID(from, to) {
		return false
	}
	if from.SecretFor(to) != nil {
		return true
	}
	why, what := m.chosen(from, to)
	return why == "" && len(what) == 0
}

// sameUID reports whether two contexts lead to one cluster.
func sameUID(a, b *Cluster) bool { return a.UID != "" && a.UID == b.UID }
