package view

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/ways"
)

// NetworkMap is the fleet as a picture: what is on which network, and who reaches whom.
type NetworkMap struct {
	// Clusters are those that were reached.
	Clusters []MapCluster `json:"clusters"`
	Networks []MapNetwork `json:"networks"`
	// Unreached are clusters of which nothing was read.
	Unreached []string `json:"unreached"`
	// Routes are one for each ordered pair of clusters of one mesh.
	Routes []Route `json:"routes"`
	Gaps   []Gap   `json:"gaps"`
}

// MapCluster says whether a cluster is part of the mesh.
type MapCluster struct {
	Cluster string `json:"cluster"`
	InMesh  bool   `json:"inMesh"`
	// Reason says why it is not, or why that is not known; "" where it is.
	Reason string `json:"reason,omitempty"`
}

// Outside are the clusters that are not part of the mesh.
func (m NetworkMap) Outside() []string {
	var out []string
	for _, c := range m.Clusters {
		if !c.InMesh {
			out = append(out, c.Cluster)
		}
	}
	return out
}

// Merge adds what another mesh has.
func (m *NetworkMap) Merge(with NetworkMap) {
	for _, c := range with.Clusters {
		i := slices.IndexFunc(m.Clusters, func(o MapCluster) bool { return o.Cluster == c.Cluster })
		switch {
		case i < 0:
			m.Clusters = append(m.Clusters, c)
		case c.InMesh && !m.Clusters[i].InMesh:
			m.Clusters[i] = c
		}
	}
	for _, name := range with.Unreached {
		if !slices.Contains(m.Unreached, name) {
			m.Unreached = append(m.Unreached, name)
		}
	}
	for _, n := range with.Networks {
		if n.Drives {
			m.place(&n)
		}
		if len(n.Clusters) > 0 {
			m.Networks = append(m.Networks, n)
		}
	}
	for _, r := range with.Routes {
		if r.Instead {
			m.Routes = slices.DeleteFunc(m.Routes, func(o Route) bool { return o.From == r.From && o.To == r.To })
		}
		if !slices.ContainsFunc(m.Routes, func(o Route) bool { return o.From == r.From && o.To == r.To && o.Status == RouteUnknown }) {
			m.Routes = append(m.Routes, r)
		}
	}
	for _, g := range with.Gaps {
		if !slices.Contains(m.Gaps, g) {
			m.Gaps = append(m.Gaps, g)
		}
	}
}

// place draws the clusters of a network, and their gateways, on those on which they already are.
func (m *NetworkMap) place(n *MapNetwork) {
	n.Clusters = slices.DeleteFunc(slices.Clone(n.Clusters), func(cluster string) bool {
		at := slices.IndexFunc(m.Networks, func(o MapNetwork) bool { return slices.Contains(o.Clusters, cluster) })
		if at < 0 {
			return false
		}
		n.Gateways = slices.DeleteFunc(slices.Clone(n.Gateways), func(g Gateway) bool {
			if g.Cluster == cluster {
				g.Network = m.Networks[at].Network
				m.Networks[at].Gateways = append(m.Networks[at].Gateways, g)
			}
			return g.Cluster == cluster
		})
		return true
	})
}

// MapNetwork is a network with what is on it.
type MapNetwork struct {
	// Network is its name; "" for that of clusters whose network nothing names.
	Network string `json:"network"`
	// Mesh is that of the clusters, where it knows no networks; "" where it does.
	Mesh string `json:"mesh,omitempty"`
	// Clusters are those on which most pods are on it, by their context.
	Clusters []string `json:"clusters"`
	// Gateways lead to it.
	Gateways []Gateway `json:"gateways"`

	// Drives: Mesh drives another one, which has networks for most of these clusters.
	Drives bool `json:"-"`
}

// RouteStatus says whether requests arrive, as far as API objects tell.
type RouteStatus string

// The statuses.
const (
	RouteOK      RouteStatus = "ok"
	RouteUnknown RouteStatus = "unknown" // it could not be checked
	RoutePartial RouteStatus = "partial" // some requests do not arrive
	RouteBroken  RouteStatus = "broken"
)

// RouteStatuses are all of them, the worst last.
var RouteStatuses = []RouteStatus{RouteOK, RouteUnknown, RoutePartial, RouteBroken}

// Worse reports whether s is worse than another one.
func (s RouteStatus) Worse(than RouteStatus) bool {
	return slices.Index(RouteStatuses, s) > slices.Index(RouteStatuses, than)
}

// Route is how clients in one cluster get to workloads in another.
type Route struct {
	From string `json:"from"`
	To   string `json:"to"`
	// FromNetwork is that of most clients, ToNetwork that of most workloads, as
	// the clients' control plane sees it.
	FromNetwork string `json:"fromNetwork,omitempty"`
	ToNetwork   string `json:"toNetwork,omitempty"`
	// Via is how requests travel.
	Via     Via         `json:"route"`
	Through []Hop       `json:"through"`
	Status  RouteStatus `json:"status"`
	// Reason is a few words on a status that is not ok.
	Reason string `json:"reason,omitempty"`
	// Codes are of the findings that explain it, root causes first.
	Codes []finding.Code `json:"codes"`

	// Instead: it is of a mesh that drives another one, which has no way of its own between these
	// clusters by design.
	Instead bool `json:"-"`
}

// Hop is an address of a gateway to which clients are sent.
type Hop struct {
	// Gateway is its name, as ID of Gateway has it.
	Gateway string `json:"gateway"`
	// Address is an IP address, or a host name that nobody resolved.
	Address string `json:"address"`
	Port    uint32 `json:"port"`
}

func (h Hop) String() string {
	return net.JoinHostPort(h.Address, strconv.FormatUint(uint64(h.Port), 10))
}

// On is the network of a name, which is made where it is not there.
func (m *NetworkMap) On(name string) *MapNetwork {
	i := slices.IndexFunc(m.Networks, func(n MapNetwork) bool { return n.Network == name })
	if i < 0 {
		i = len(m.Networks)
		m.Networks = append(m.Networks, MapNetwork{Network: name, Clusters: []string{}, Gateways: []Gateway{}})
	}
	return &m.Networks[i]
}

// Add puts a gateway on the network. An address of meshNetworks is drawn once, however
// many control planes have it.
func (n *MapNetwork) Add(g Gateway) {
	if g.IsStatic() {
		for i := range n.Gateways {
			if o := &n.Gateways[i]; o.IsStatic() && o.Where() == g.Where() && o.Port == g.Port {
				o.same = append(o.same, g.ID())
				o.VisibleTo = finding.Distinct(append(o.VisibleTo, g.VisibleTo...))
				return
			}
		}
	}
	n.Gateways = append(n.Gateways, g)
}

// Leads reports whether it is the gateway of a hop.
func (r *Gateway) Leads(h Hop) bool {
	return (r.ID() == h.Gateway || slices.Contains(r.same, h.Gateway)) && slices.ContainsFunc(r.Addresses, func(a GatewayAddress) bool {
		return a.Address == h.Address || slices.Contains(a.Resolved, h.Address)
	})
}

// Arrow gathers routes that are alike.
type Arrow struct {
	Group ways.Group
	Route // one of them
}

// Arrows are the routes, those that are alike together, in the order of the
// clusters they lead to; what is broken first. Of clusters that were not reached
// nothing is known, and they have none.
func (m NetworkMap) Arrows() []Arrow {
	routes := slices.DeleteFunc(slices.Clone(m.Routes), func(r Route) bool {
		return slices.Contains(m.Unreached, r.From) || slices.Contains(m.Unreached, r.To)
	})
	alike := func(i, j int) bool {
		a, b := routes[i], routes[j]
		return a.Via == b.Via && a.Status == b.Status && a.Reason == b.Reason &&
			slices.Equal(a.Through, b.Through) && slices.Equal(a.Codes, b.Codes)
	}
	var out []Arrow
	for _, g := range ways.Gather(len(routes), func(i int) (from, to string) { return routes[i].From, routes[i].To }, alike) {
		out = append(out, Arrow{g, routes[g.At[0]]})
	}
	slices.SortStableFunc(out, func(a, b Arrow) int {
		return slices.Index(RouteStatuses, b.Status) - slices.Index(RouteStatuses, a.Status)
	})
	return out
}

// Restore gives a copy of a map, which went through JSON with other names, what JSON leaves out;
// rename is what was done to names.
func (m *NetworkMap) Restore(from NetworkMap, rename func(string) string) {
	for i, n := range from.Networks {
		for k, g := range n.Gateways {
			to := &m.Networks[i].Gateways[k]
			to.Severity, to.Accidental = g.Severity, g.Accidental
			for _, id := range g.same {
				to.same = append(to.same, rename(id))
			}
		}
	}
}

// Block gives the route a status where that is worse than its own, with the reason, and
// the codes of what was found.
func (r *Route) Block(status RouteStatus, reason string, found []finding.Finding) {
	if status.Worse(r.Status) {
		r.Status, r.Reason = status, reason
	}
	for _, f := range found {
		if !slices.Contains(r.Codes, f.Code) {
			r.Codes = append(r.Codes, f.Code)
		}
	}
}

// Where says how the route leads, and what is wrong with it.
func (r Route) Where() string {
	var parts []string
	switch r.Via {
	case Direct:
		parts = append(parts, "direct")
	case ThroughGateway:
		hops := make([]string, len(r.Through))
		for i, h := range r.Through {
			hops[i] = h.String()
		}
		parts = append(parts, "through "+strings.Join(hops, ", "))
	case NoWay: // the reason says it
	}
	if r.Reason != "" {
		parts = append(parts, r.Reason)
	}
	text := strings.Join(parts, ": ")
	if len(r.Codes) > 0 {
		text += " (" + r.CodeList() + ")"
	}
	return text
}

// CodeList joins the codes.
func (r Route) CodeList() string {
	out := make([]string, len(r.Codes))
	for i, c := range r.Codes {
		out[i] = string(c)
	}
	return strings.Join(out, ", ")
}

// Gateway is one of them, as the control planes see it.
type Gateway struct {
	// Cluster is the context of the cluster in which it is; of an entry of meshNetworks,
	// that of the control plane which has it.
	Cluster string `json:"cluster"`
	Network string `json:"network"`
	// NetworkFrom says what makes it the gateway of that network.
	NetworkFrom string `json:"networkFrom"`
	// Object is what it is: a service, a gateway of the Gateway API, or a configmap.
	Object finding.Object `json:"object"`
	// Type is that of the Service, or the class of the Gateway.
	Type      string           `json:"type,omitempty"`
	Addresses []GatewayAddress `json:"addresses"`
	// Port is for sidecars, HBONEPort for ambient proxies; 0 for none.
	Port      uint32 `json:"port"`
	HBONEPort uint32 `json:"hbonePort"`
	PortFrom  string `json:"portFrom,omitempty"`
	// Pods run behind it, and so many of them are ready; only of Services.
	Pods  *int `json:"pods,omitempty"`
	Ready *int `json:"ready,omitempty"`
	// Created is when the object was made.
	Created *time.Time `json:"created,omitempty"`
	// VisibleTo are the contexts of the control planes that use it.
	VisibleTo []string `json:"visibleTo"`
	// Status is "ok" or a few words on what is wrong; Codes are of the findings about it.
	Status string         `json:"status"`
	Codes  []finding.Code `json:"codes"`

	// Severity is how bad Status is; "" where it is ok.
	Severity finding.Severity `json:"-"`
	// Accidental: the label that makes it a gateway got there by accident.
	Accidental bool `json:"-"`
	// same are the IDs of the entries of other meshNetworks that are this one, on a map.
	same []string
}

// GatewayAddress is an address of a gateway.
type GatewayAddress struct {
	Address string `json:"address"`
	// From is the field that has it, and Node whose it is.
	From string `json:"from"`
	Node string `json:"node,omitempty"`
	// Resolved are the addresses of a host name, where it was resolved.
	Resolved []string `json:"resolved,omitempty"`
}

// Gap is what could not be shown.
type Gap struct {
	Cluster string `json:"cluster"`
	Reason  string `json:"reason"`
}

// StatusOK is the status of a gateway with which nothing is wrong.
const StatusOK = "ok"

// IsStatic reports whether it is an address of meshNetworks.
func (r *Gateway) IsStatic() bool { return r.Object.Kind == "configmap" }

// Where joins the addresses of a gateway.
func (r Gateway) Where() string {
	var out []string
	for _, a := range r.Addresses {
		text := a.Address
		if len(a.Resolved) > 0 {
			text += " (" + strings.Join(a.Resolved, ", ") + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// ID names a gateway for scripts.
func (r Gateway) ID() string { return GatewayID(r.Cluster, r.Object) }

// GatewayID names what is the gateway in a cluster.
func GatewayID(context string, object finding.Object) string {
	return fmt.Sprintf("%s/%s", context, strings.ReplaceAll(object.String(), " ", "/"))
}

// Via is how requests travel.
type Via string

// The ways.
const (
	Direct         Via = "direct"  // to the addresses of pods
	ThroughGateway Via = "gateway" // to the gateways of the other network
	NoWay          Via = "none"    // there is none, or it is not known
)
