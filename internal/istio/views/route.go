package views

import (
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/view"
)

// drawing is what routes are drawn from.
type drawing struct {
	mesh    *model.Mesh
	results results
}

// routes are those between the clusters that may be of one mesh, and between them and the
// clusters that were not reached, of which nothing is known.
func (d *drawing) routes(unreached []string) []Route {
	out := []Route{}
	var members []string
	for _, from := range d.mesh.Members() {
		members = append(members, from.Context)
		for _, to := range d.mesh.Members() {
			if from != to && d.mayBeOne(from, to) {
				out = append(out, d.route(from, to))
			}
		}
	}
	all := slices.Concat(members, unreached)
	for _, from := range all {
		for _, to := range all {
			if from != to && (slices.Contains(unreached, from) || slices.Contains(unreached, to)) {
				r := newRoute(from, to)
				r.Reason = "not reached from here"
				out = append(out, r)
			}
		}
	}
	return out
}

// mayBeOne reports whether two clusters are of one mesh, or may be.
func (d *drawing) mayBeOne(a, b *model.Cluster) bool {
	return !d.mesh.KnownApart(a, b)
}

// newRoute is one of which nothing is known.
func newRoute(from, to string) Route {
	return Route{From: from, To: to, Via: model.NoWay, Through: []Hop{}, Status: RouteUnknown, Codes: []finding.Code{}}
}

// route is how clients of a cluster get to workloads of another one, as each control plane
// that configures the clients has it. What only one of several has broken is broken in part.
func (d *drawing) route(from, to *model.Cluster) Route {
	for _, c := range []*model.Cluster{from, to} {
		if c.Membership.State == model.Unclear {
			r := newRoute(from.Context, to.Context)
			r.Reason = c.Membership.Doubt().Text
			return r
		}
	}
	var out Route
	for i, of := range d.mesh.Routes(from, to) {
		o := d.draw(of)
		if i == 0 {
			out = o
			continue
		}
		same, hops := out.Status == o.Status, out.Through
		for _, h := range o.Through {
			if !slices.Contains(hops, h) {
				hops = append(hops, h)
			}
		}
		if o.Status.Worse(out.Status) {
			out = o
		}
		if out.Through = hops; len(hops) > 0 {
			out.Via = model.ThroughGateway
		}
		if !same && out.Status == RouteBroken {
			out.Status = RoutePartial
		}
	}
	return out
}

// extents are the statuses to which blockers of an extent lead.
var extents = map[model.Extent]RouteStatus{
	model.Whole: RouteBroken, model.Some: RoutePartial, model.Unclarified: RouteUnknown,
}

// draw is the route as one control plane has it, with the codes beside what blocks it.
func (d *drawing) draw(of model.Route) Route {
	r := newRoute(of.From.Context, of.To.Context)
	r.FromNetwork, r.ToNetwork, r.Via, r.Status = of.FromNetwork, of.ToNetwork, of.Via, RouteOK
	d.through(of, &r)
	for _, b := range of.Blocked {
		r.Block(extents[b.Extent], b.String(), d.results.of(b))
	}
	for _, o := range of.DependsOn {
		for _, f := range d.results.about([]string{o.In.Context}, o.Object) {
			if f.Severity == finding.Error {
				r.Block(RoutePartial, o.In.Context+": "+f.Title, []finding.Finding{f})
			}
		}
	}
	return r
}

// through adds the gateways, and what is wrong with them: nothing arrives where no address
// is left.
func (d *drawing) through(of model.Route, r *Route) {
	type fault struct {
		reason string
		found  []finding.Finding
	}
	var faults []fault
	works := map[string]bool{}
	for _, h := range of.Through {
		hop := Hop{Gateway: view.GatewayID(h.In.Context, h.Object), Address: h.Address, Port: h.Port}
		r.Through = append(r.Through, hop)
		var own []fault
		for _, b := range h.Blocked {
			own = append(own, fault{b.String(), d.results.of(b)})
		}
		// Rules know more of gateways than the model does.
		found := d.results.errorsOf(h)
		if len(own) == 0 && len(found) > h.OtherFaults {
			own = append(own, fault{h.In.Context + ": " + found[0].Title, found})
		}
		works[hop.String()] = works[hop.String()] || len(own) == 0
		faults = append(faults, own...)
	}
	status := RouteBroken
	for _, is := range works {
		if is {
			status = RoutePartial
		}
	}
	for _, f := range faults {
		r.Block(status, f.reason, f.found)
	}
}
