package endpoints

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/gloo/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/rule"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// Map draws the management clusters with those that they manage, the gateways, and a route for each two meshes that a
// VirtualMesh federates.
func Map(m *model.Mesh, found finding.Result) view.NetworkMap {
	out := view.NetworkMap{
		Clusters: []view.MapCluster{}, Networks: []view.MapNetwork{}, Unreached: []string{}, Routes: []view.Route{}, Gaps: []view.Gap{},
	}
	all := view.MapNetwork{Mesh: "Gloo Mesh", Drives: true, Clusters: []string{}, Gateways: []view.Gateway{}}
	for _, f := range m.Facts().Clusters {
		if f.Unreached != nil {
			out.Unreached = append(out.Unreached, f.Context)
			out.Gaps = append(out.Gaps, view.Gap{Cluster: f.Context, Reason: finding.ClusterUnreached.Text})
		}
	}
	for _, c := range m.Clusters {
		out.Clusters = append(out.Clusters, view.MapCluster{Cluster: c.Context, InMesh: true})
		all.Clusters = append(all.Clusters, c.Context)
	}
	for _, p := range m.Planes {
		for _, member := range p.Members {
			for _, g := range member.Gateways() {
				all.Gateways = append(all.Gateways, gateway(member, g, found))
			}
		}
		for _, r := range p.Registrations {
			if r.Target == nil && r.Unreached == "" {
				out.Gaps = append(out.Gaps, view.Gap{
					Cluster: p.Cluster.Context, Reason: "cluster " + r.Name + " of Gloo Mesh is not among those that were read",
				})
			}
		}
	}
	if len(all.Clusters) > 0 {
		out.Networks = append(out.Networks, all)
	}
	for _, w := range ways(m, withoutTrust(found)) {
		if w.from.Target() != nil && w.to.Target() != nil {
			out.Routes = append(out.Routes, w.route())
		}
	}
	return out
}

// withoutTrust takes out of a result that rules about certificates did not run since nobody asked for what they read: a map
// is of networks, and draws what is known of certificates besides.
func withoutTrust(found finding.Result) finding.Result {
	var unknowns []finding.Unknown
	for _, u := range found.Unknowns {
		if u.Reason.Kind == finding.NotRead {
			u.Codes = slices.DeleteFunc(slices.Clone(u.Codes), func(c finding.Code) bool { return rule.Area(c) == "CERT" })
		}
		unknowns = append(unknowns, u)
	}
	found.Unknowns = unknowns
	return found
}

// gateway is how other clusters come in to a mesh.
func gateway(m *model.Member, g *model.Gateway, found finding.Result) view.Gateway {
	created := g.CreationTimestamp.UTC()
	out := view.Gateway{
		Cluster: g.Cluster.Context, NetworkFrom: "discovered by Gloo Mesh", Object: g.Object(), Type: string(g.Spec.Type),
		Addresses: []view.GatewayAddress{}, Created: &created, VisibleTo: []string{}, Status: view.StatusOK, Codes: []finding.Code{},
	}
	for _, r := range m.Recorded() {
		for _, a := range r.Addresses {
			out.Addresses = append(out.Addresses, view.GatewayAddress{Address: a, From: m.Discovered().String()})
		}
		if r.Port > 0 && r.Port < 1<<16 {
			out.Port, out.PortFrom = uint32(r.Port), m.Discovered().String()
		}
	}
	if resources.Pods.Of(g.Cluster.Cluster).Known() {
		pods, ready := len(g.Cluster.Selected(g.Namespace, g.Spec.Selector)), len(g.Ready())
		out.Pods, out.Ready = &pods, &ready
	}
	for _, v := range m.VirtualMeshes {
		for _, other := range v.Members {
			if other != m {
				out.VisibleTo = append(out.VisibleTo, other.Called())
			}
		}
	}
	out.VisibleTo = finding.Distinct(out.VisibleTo)
	for _, f := range found.Findings {
		own := slices.Contains(f.Clusters, g.Cluster.Context) && f.Object == g.Object()
		recorded := slices.Contains(f.Clusters, m.Plane.Cluster.Context) && f.Object == m.Discovered() &&
			slices.Contains([]finding.Code{"NET204", "NET206"}, f.Code)
		if f.Severity == finding.Note || !own && !recorded {
			continue
		}
		out.Blame(f)
	}
	if len(out.Addresses) == 0 && out.Status == view.StatusOK {
		out.Status, out.Severity = "no address", finding.Note
	}
	return out
}

// route is how clients get to services by their federated names. What is said of one of many is broken in part.
func (w *way) route() view.Route {
	r := view.Route{
		From: w.from.Called(), To: w.to.Called(), Via: view.ThroughGateway, Through: []view.Hop{}, Status: view.RouteOK,
		Codes: []finding.Code{}, Instead: w.instead(),
	}
	if w.by.Flat() {
		r.Via = view.Direct
	} else {
		w.through(&r)
	}
	if r.Via == view.ThroughGateway && len(r.Through) == 0 {
		r.Via = view.NoWay
	}
	services := w.services()
	for _, s := range w.steps() {
		for _, f := range w.foundAt(s) {
			status := view.RoutePartial
			if stops(f) && (f.Code != "EP206" && f.Code != "EP207" || len(w.leads()) == 0) {
				status = view.RouteBroken
			}
			root := w.found.Root(f)
			r.Block(status, said(root), []finding.Finding{root, f})
		}
	}
	for _, u := range w.unknowns() {
		r.Block(view.RouteUnknown, u.Cluster+": "+u.Reason.Text, nil)
	}
	if len(services) == 0 && r.Status == view.RouteOK {
		r.Via, r.Reason = view.NoWay, "no service of "+w.to.Called()+" is federated to it"
		if f, ok := w.refusal(); ok {
			r.Block(view.RouteBroken, said(f), []finding.Finding{f})
		}
	}
	return r
}

// through adds the addresses to which the ServiceEntries of the clients lead.
func (w *way) through(r *view.Route) {
	for _, l := range w.leads() {
		name := ""
		for _, g := range w.to.Gateways() {
			if slices.Contains(g.Addresses(), l.Address) {
				name = view.GatewayID(g.Cluster.Context, g.Object())
			}
		}
		if l.Port >= 0 && l.Port < 1<<16 {
			r.Through = append(r.Through, view.Hop{Gateway: name, Address: l.Address, Port: uint32(l.Port)})
		}
	}
}

// refusal is the error that says why nothing is federated on the way.
func (w *way) refusal() (finding.Finding, bool) {
	for _, code := range []finding.Code{"EP201", "EP204", "EP209", "EP203", "NET208", "NET201", "NET202", "NET203", "CP201", "CP204"} {
		for _, f := range w.found.Findings {
			if f.Code != code || f.Severity != finding.Error {
				continue
			}
			about := []finding.Object{w.by.Called(), w.from.Discovered(), w.to.Discovered()}
			for _, m := range []*model.Member{w.from, w.to} {
				if m.Registration != nil {
					about = append(about, m.Registration.Registered())
				}
			}
			management := slices.Contains(f.Clusters, w.by.Plane.Cluster.Context)
			gateway := w.to.Target() != nil && slices.Contains(f.Clusters, w.to.Target().Context) &&
				slices.Contains([]finding.Code{"NET201", "NET202", "NET203"}, code)
			if gateway || management && (code == "CP201" || slices.Contains(about, f.Object)) {
				return w.found.Root(f), true
			}
		}
	}
	return finding.Finding{}, false
}
