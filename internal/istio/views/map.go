package views

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
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

// MapNetwork is a network with what is on it.
type MapNetwork struct {
	// Network is its name; "" for that of clusters whose network nothing names.
	Network string `json:"network"`
	// Clusters are those on which most pods are on it, by their context.
	Clusters []string `json:"clusters"`
	// Gateways lead to it.
	Gateways []Gateway `json:"gateways"`
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

// worse reports whether s is worse than another one.
func (s RouteStatus) worse(than RouteStatus) bool {
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
	Via     model.Via   `json:"route"`
	Through []Hop       `json:"through"`
	Status  RouteStatus `json:"status"`
	// Reason is a few words on a status that is not ok.
	Reason string `json:"reason,omitempty"`
	// Codes are of the findings that explain it, root causes first.
	Codes []finding.Code `json:"codes"`
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

// Map draws the mesh, with the codes of what rules found.
func Map(m *model.Mesh, result finding.Result) NetworkMap {
	list := Gateways(m, result)
	d := &drawing{mesh: m, results: results{result}}
	out := NetworkMap{
		Clusters: []MapCluster{}, Networks: []MapNetwork{}, Unreached: []string{}, Routes: []Route{}, Gaps: list.Gaps,
	}
	for _, g := range unreached(m) {
		out.Unreached = append(out.Unreached, g.Cluster)
	}
	for _, b := range m.Fleet.Beyond {
		name := b.ClusterID
		if b.Server != "" {
			name += " at " + b.Server
		}
		out.Gaps = append(out.Gaps, Gap{name, "no context leads there; secret " + b.Secret + " of " + b.Context + " names it"})
	}
	for _, c := range m.Clusters {
		drawn := MapCluster{Cluster: c.Context, InMesh: c.Membership.State != model.Outside}
		if c.Membership.State != model.Member {
			drawn.Reason = c.Membership.String()
		}
		out.Clusters = append(out.Clusters, drawn)
		if !drawn.InMesh {
			continue
		}
		for _, u := range c.Unread(resources.Pods, resources.Namespaces) {
			out.Gaps = append(out.Gaps, Gap{c.Context, u.Text})
		}
		n := out.on(c.Place())
		n.Clusters = append(n.Clusters, c.Context)
	}
	for _, g := range list.Gateways {
		if m.Cluster(g.Cluster).Membership.State != model.Outside && (!g.accidental || len(g.VisibleTo) > 0) {
			out.on(g.Network).add(g)
		}
	}
	slices.SortStableFunc(out.Networks, func(a, b MapNetwork) int { return strings.Compare(a.Network, b.Network) })
	out.Routes = d.routes(out.Unreached)
	return out
}

// on is the network of a name, which is made where it is not there.
func (m *NetworkMap) on(name string) *MapNetwork {
	i := slices.IndexFunc(m.Networks, func(n MapNetwork) bool { return n.Network == name })
	if i < 0 {
		i = len(m.Networks)
		m.Networks = append(m.Networks, MapNetwork{Network: name, Clusters: []string{}, Gateways: []Gateway{}})
	}
	return &m.Networks[i]
}

// add puts a gateway on the network. An address of meshNetworks is drawn once, however
// many control planes have it.
func (n *MapNetwork) add(g Gateway) {
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
	return (r.ID() == h.Gateway || slices.Contains(r.same, h.Gateway)) && slices.ContainsFunc(r.Addresses, func(a Address) bool {
		return a.Address == h.Address || slices.Contains(a.Resolved, h.Address)
	})
}

// Arrow gathers routes that are alike: from each of From to each of To.
type Arrow struct {
	From, To []string
	// AllOthers: they are from all clusters of the map but the one at the other end.
	AllOthers bool
	Route     // of one of them
}

// Arrows are the routes, those that are alike together, in the order of the
// clusters they lead to; what is broken first. Of clusters that were not reached
// nothing is known, and they have none.
func (m NetworkMap) Arrows() []Arrow {
	var clusters []string
	routes := slices.DeleteFunc(slices.Clone(m.Routes), func(r Route) bool {
		return slices.Contains(m.Unreached, r.From) || slices.Contains(m.Unreached, r.To)
	})
	for _, r := range routes {
		if !slices.Contains(clusters, r.From) {
			clusters = append(clusters, r.From)
		}
	}
	alike := func(a, b Route) bool {
		return a.Via == b.Via && a.Status == b.Status && a.Reason == b.Reason &&
			slices.Equal(a.Through, b.Through) && slices.Equal(a.Codes, b.Codes)
	}
	var byTarget []Arrow
	for _, r := range routes {
		i := slices.IndexFunc(byTarget, func(a Arrow) bool { return a.To[0] == r.To && alike(a.Route, r) })
		if i < 0 {
			byTarget = append(byTarget, Arrow{From: []string{r.From}, To: []string{r.To}, Route: r})
			continue
		}
		byTarget[i].From = append(byTarget[i].From, r.From)
	}
	slices.SortStableFunc(byTarget, func(a, b Arrow) int { return slices.Index(clusters, a.To[0]) - slices.Index(clusters, b.To[0]) })
	var out []Arrow
	for _, a := range byTarget {
		a.AllOthers = len(clusters) > 2 && len(a.From) == len(clusters)-1
		i := slices.IndexFunc(out, func(o Arrow) bool {
			return alike(o.Route, a.Route) && (o.AllOthers && a.AllOthers || slices.Equal(o.From, a.From))
		})
		if i < 0 {
			out = append(out, a)
			continue
		}
		out[i].To = append(out[i].To, a.To...)
	}
	slices.SortStableFunc(out, func(a, b Arrow) int {
		return slices.Index(RouteStatuses, b.Status) - slices.Index(RouteStatuses, a.Status)
	})
	return out
}

// Where says how the route leads, and what is wrong with it.
func (r Route) Where() string {
	var parts []string
	switch r.Via {
	case model.Direct:
		parts = append(parts, "direct")
	case model.ThroughGateway:
		hops := make([]string, len(r.Through))
		for i, h := range r.Through {
			hops[i] = h.String()
		}
		parts = append(parts, "through "+strings.Join(hops, ", "))
	case model.NoWay: // the reason says it
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
