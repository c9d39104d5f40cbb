package views

import (
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

type (
	// What a map is made of, which is the same for every mesh.

	// NetworkMap is that of every mesh.
	NetworkMap = view.NetworkMap
	// MapCluster is that of every mesh.
	MapCluster = view.MapCluster
	// MapNetwork is that of every mesh.
	MapNetwork = view.MapNetwork
	// Route is that of every mesh.
	Route = view.Route
	// RouteStatus is that of every mesh.
	RouteStatus = view.RouteStatus
	// Hop is that of every mesh.
	Hop = view.Hop
	// Arrow is that of every mesh.
	Arrow = view.Arrow
	// Gateway is that of every mesh.
	Gateway = view.Gateway
	// Address is that of every mesh.
	Address = view.GatewayAddress
	// Gap is that of every mesh.
	Gap = view.Gap
)

// The statuses of routes, and that of a gateway with which nothing is wrong.
const (
	RouteOK      = view.RouteOK
	RouteUnknown = view.RouteUnknown
	RoutePartial = view.RoutePartial
	RouteBroken  = view.RouteBroken
	StatusOK     = view.StatusOK
)

// RouteStatuses are all statuses of routes, the worst last.
var RouteStatuses = view.RouteStatuses

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
		out.Gaps = append(out.Gaps, Gap{Cluster: name, Reason: "no context leads there; secret " + b.Secret + " of " + b.Context + " names it"})
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
			out.Gaps = append(out.Gaps, Gap{Cluster: c.Context, Reason: u.Text})
		}
		n := out.On(c.Place())
		n.Clusters = append(n.Clusters, c.Context)
	}
	for _, g := range list.Gateways {
		if m.Cluster(g.Cluster).Membership.State != model.Outside && (!g.Accidental || len(g.VisibleTo) > 0) {
			out.On(g.Network).Add(g)
		}
	}
	slices.SortStableFunc(out.Networks, func(a, b MapNetwork) int { return strings.Compare(a.Network, b.Network) })
	out.Routes = d.routes(out.Unreached)
	return out
}
