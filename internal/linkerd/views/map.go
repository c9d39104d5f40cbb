// Package views is what maps and comparisons show of a Linkerd fleet. It reads the model, and
// names the codes of what rules found. Everything in it is pure.
package views

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/endpoints"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/linkerd/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// Map draws clusters, their gateways, and a route for each pair of linked clusters.
func Map(m *model.Mesh, found finding.Result) view.NetworkMap {
	out := view.NetworkMap{
		Clusters: []view.MapCluster{}, Networks: []view.MapNetwork{}, Unreached: []string{}, Routes: []view.Route{}, Gaps: []view.Gap{},
	}
	all := view.MapNetwork{Mesh: "Linkerd", Clusters: []string{}, Gateways: []view.Gateway{}}
	for _, f := range m.Facts().Clusters {
		if f.Unreached != nil {
			out.Unreached = append(out.Unreached, f.Context)
			out.Gaps = append(out.Gaps, view.Gap{Cluster: f.Context, Reason: finding.ClusterUnreached.Text})
		}
	}
	for _, c := range m.Clusters {
		drawn := view.MapCluster{Cluster: c.Context, InMesh: true}
		if state, why := model.Installed(c.Cluster); state == model.Maybe {
			drawn.Reason = why.Text
		}
		out.Clusters = append(out.Clusters, drawn)
		all.Clusters = append(all.Clusters, c.Context)
		for _, g := range c.Gateways {
			all.Gateways = append(all.Gateways, gateway(g, found))
		}
		for _, row := range []rule.Need{resources.Links, resources.Services} {
			if why, lacks := rule.Lacks(c.Cluster, row); lacks {
				out.Gaps = append(out.Gaps, view.Gap{Cluster: c.Context, Reason: why.Text})
			}
		}
	}
	if len(all.Clusters) > 0 {
		out.Networks = append(out.Networks, all)
	}
	for _, l := range m.Links {
		if l.Target == nil {
			out.Gaps = append(out.Gaps, view.Gap{
				Cluster: l.Source.Context,
				Reason:  l.Object().String() + " leads to cluster " + l.TargetName() + ", which is not among those that were read",
			})
			continue
		}
		out.Routes = append(out.Routes, route(l, found))
	}
	return out
}

// gateway is how other clusters come in.
func gateway(g *model.Gateway, found finding.Result) view.Gateway {
	created := g.CreationTimestamp.UTC()
	out := view.Gateway{
		Cluster: g.Cluster.Context, NetworkFrom: "annotation " + resources.AnnotationGateway, Object: g.Object(), Type: string(g.Spec.Type),
		Addresses: []view.GatewayAddress{}, Port: uint32(g.Port(resources.PortGateway)), PortFrom: "port " + resources.PortGateway,
		Created: &created, VisibleTo: []string{}, Status: view.StatusOK, Codes: []finding.Code{},
	}
	for _, a := range g.Balanced() {
		out.Addresses = append(out.Addresses, view.GatewayAddress{Address: a, From: "status.loadBalancer"})
	}
	if resources.Pods.Of(g.Cluster.Cluster).Known() {
		pods, ready := len(g.Pods), len(g.Ready())
		out.Pods, out.Ready = &pods, &ready
	}
	objects := []finding.Object{g.Object(), g.Workload()}
	for _, l := range g.Cluster.Incoming {
		if l.Gateway() == g {
			out.VisibleTo = append(out.VisibleTo, l.Source.Context)
		}
	}
	for _, f := range found.Findings {
		if f.Severity == finding.Note || !slices.Contains(f.Clusters, g.Cluster.Context) || !slices.Contains(objects, f.Object) {
			continue
		}
		out.Blame(f)
	}
	if len(out.Addresses) == 0 && len(g.Addresses()) == 0 && out.Status == view.StatusOK {
		out.Status, out.Severity = "no address", finding.Note
	}
	return out
}

// route is how clients get to services by a Link: through the gateway, to pods by remote discovery, or
// both. What only one of both has broken is broken in part.
func route(l *model.Link, found finding.Result) view.Route {
	r := view.Route{
		From: l.Source.Context, To: l.Target.Context, Via: view.Direct, Through: []view.Hop{}, Status: view.RouteOK, Codes: []finding.Code{},
	}
	var modes []model.Mode
	if l.HasGateway() {
		modes = append(modes, model.ByGateway)
		r.Via = view.ThroughGateway
		through(l, &r)
	}
	if len(l.UsesDestination()) > 0 || !l.HasGateway() {
		modes = append(modes, model.RemoteDiscovery)
	}
	broken := 0
	var faults []finding.Finding
	for _, mode := range modes {
		found, all := endpoints.LinkFaults(l, found, mode)
		if faults = append(faults, found...); all {
			broken++
		}
	}
	status := view.RoutePartial
	if broken == len(modes) {
		status = view.RouteBroken
	}
	for _, f := range faults {
		r.Block(status, f.Title, []finding.Finding{f})
	}
	for _, mode := range modes {
		for _, u := range endpoints.LinkUnknowns(l, found, mode) {
			r.Block(view.RouteUnknown, u.Cluster+": "+u.Reason.Text, nil)
		}
	}
	return r
}

// through adds the addresses of the gateway, as the Link has them.
func through(l *model.Link, r *view.Route) {
	name := ""
	if g := l.Gateway(); g != nil {
		name = view.GatewayID(l.Target.Context, g.Object())
	}
	port, _ := strconv.ParseUint(cmp.Or(l.Spec.GatewayPort, "0"), 10, 16)
	for _, a := range l.GatewayAddresses() {
		r.Through = append(r.Through, view.Hop{Gateway: name, Address: a, Port: uint32(port)})
	}
}
