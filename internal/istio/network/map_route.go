package network

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// drawing is what routes are judged by.
type drawing struct {
	*world
	result finding.Result
	rows   []Gateway
}

func (d *drawing) member(context string) *member {
	for _, m := range d.members {
		if m.Context == context {
			return m
		}
	}
	return nil
}

// placeOf is the network on which a cluster is drawn.
func (w *world) placeOf(m *member) string {
	for _, v := range m.viewers {
		if network := v.endpointNetwork(m); network != "" || !w.several {
			return cmp.Or(network, m.home())
		}
	}
	if len(m.viewers) > 0 && resources.Pods.Of(m.Cluster).Known() && resources.Namespaces.Of(m.Cluster).Known() {
		return ""
	}
	return m.home()
}

// endpointNetwork is the network of most workloads of a cluster as others see
// them; where there are none, that which one would be on.
func (v *view) endpointNetwork(m *member) string {
	counts := map[string]int{}
	for i := range resources.Pods.Of(m.Cluster).Value {
		p := &resources.Pods.Of(m.Cluster).Value[i]
		if proxy := isProxy(p); !proxy && (!runs(p) || !isAmbient(m.namespaces[p.Namespace])) || m.isGatewayPod(p) || p.IP() == "" {
			continue
		}
		counts[v.network(m, p)]++
	}
	if len(counts) == 0 {
		return cmp.Or(v.NetworkOf(v.ids[m], "", nil).Name, m.injected)
	}
	return mostOf(counts)
}

// clientNetwork is the network on which most proxies of a cluster take themselves to be.
func (m *member) clientNetwork() string {
	counts := map[string]int{}
	for _, p := range m.proxies {
		if !m.isGatewayPod(p) {
			counts[variable(p, istio.EnvProxyNetwork)]++
		}
	}
	if len(counts) == 0 {
		return m.home()
	}
	return mostOf(counts)
}

// mostOf is the name that was counted most often; of several the first.
func mostOf(counts map[string]int) string {
	best, n := "", -1
	for name, k := range counts {
		if k > n || k == n && name < best {
			best, n = name, k
		}
	}
	return best
}

// route judges how clients of a get to workloads of b: as each control plane
// that programs proxies of a sees it. What only one of several sees broken is
// broken in part.
func (d *drawing) route(a, b *member) Route {
	r := Route{From: a.Context, To: b.Context, Way: NoWay, Through: []Hop{}, Status: RouteUnknown, Codes: []finding.Code{}}
	if a.doubt != nothing || b.doubt != nothing {
		r.Reason = cmp.Or(a.doubt, b.doubt).Text
		return r
	}
	var each []Route
	for _, v := range d.views {
		if v.programs(a) {
			each = append(each, d.seenBy(v, a, b))
		}
	}
	if len(each) == 0 {
		r.Reason = cmp.Or(a.lacks(istiods).Text, "no control plane that was read programs the proxies of "+a.Context)
		return r
	}
	r = each[0]
	for _, o := range each[1:] {
		same := r.Status == o.Status
		worse := o.Status.worse(r.Status)
		hops := r.Through
		for _, h := range o.Through {
			if !slices.Contains(hops, h) {
				hops = append(hops, h)
			}
		}
		if worse {
			r = o
		}
		if r.Through = hops; len(hops) > 0 {
			r.Way = Through
		}
		if !same && r.Status == RouteBroken {
			r.Status = RoutePartly
		}
	}
	return r
}

// seenBy is the route as one control plane programs it
// (pilot/pkg/xds/endpoints/ep_filters.go, EndpointsByNetworkFilter).
func (d *drawing) seenBy(v *view, a, b *member) Route {
	r := Route{From: a.Context, To: b.Context, Way: NoWay, Through: []Hop{}, Status: RouteOK, Codes: []finding.Code{}}
	if v.ids[b] == "" {
		r.Status, r.Reason = RouteBroken, v.name()+" has no remote secret for "+b.Context
		if why := v.own.lacks(remoteSecrets); why != nothing {
			r.Status, r.Reason = RouteUnknown, within(why, v.Context).Text
		} else if v.readsStrangers() {
			r.Status, r.Reason = RouteUnknown, v.name()+" has remote secrets for clusters that were not recognized"
		}
		return r
	}
	r.FromNetwork, r.ToNetwork = a.clientNetwork(), v.endpointNetwork(b)
	switch {
	case !d.several || r.FromNetwork == r.ToNetwork:
		r.Way = Direct
		d.explain(&r, RouteBroken, func(f finding.Finding) bool {
			return f.Code == "NET007" && slices.Contains(f.Clusters, a.Context) && slices.Contains(f.Clusters, b.Context)
		})
		d.explain(&r, RoutePartly, about(a, "NET003", "NET004", "NET030"), about(b, "NET003", "NET006", "NET030", "NET011"))
		d.doubt(&r, unjudged(a, "NET003", "NET004", "NET007"), unjudged(b, "NET003", "NET006", "NET007", "NET011"))
	case r.ToNetwork == "":
		r.Way, r.Status, r.Reason = Direct, RouteBroken, "the workloads of "+b.Context+" have no network"
		if why := b.lacks(pods | namespaces); why != nothing {
			r.Way, r.Status, r.Reason = NoWay, RouteUnknown, within(why, b.Context).Text
			break
		}
		d.cite(&r, finding.Warning, about(b, "NET001"))
	case r.FromNetwork == "" && a.lacks(pods) != nothing:
		r.Status, r.Reason = RouteUnknown, within(a.lacks(pods), a.Context).Text
	case r.FromNetwork == "" && !v.Istiod.AtLeast("1.30.0"):
		r.Way, r.Status, r.Reason = Direct, RouteBroken, "the proxies of "+a.Context+" do not know their network"
		d.cite(&r, finding.Warning, about(a, "NET002", "NET005"))
	default:
		d.byGateway(v, a, b, &r)
	}
	d.explain(&r, RoutePartly, refused(a), refused(b))
	return r
}

// refused picks the findings with which proxies of a cluster get no configuration and
// no certificates. Those that have them keep them for a while.
func refused(m *member) func(finding.Finding) bool {
	codes := []finding.Code{"NET032", "PR010"}
	if len(m.istiods) == 0 { // the control plane elsewhere has others to look after
		codes = append(codes, "PR001", "PR006", "PR007", "PR008", "PR013")
	}
	return about(m, codes...)
}

// readsStrangers reports whether a control plane reads clusters which are not
// known to be, or not to be, in the fleet.
func (v *view) readsStrangers() bool {
	for _, context := range v.contexts {
		if context == "" {
			return true
		}
	}
	return false
}

// byGateway is a route between networks. Clients are given the gateways in the
// cluster of the endpoint, or, where it has none, all of its network.
func (d *drawing) byGateway(v *view, a, b *member, r *Route) {
	var same, all []istio.Gateway
	for _, g := range v.gateways {
		if g.Network == r.ToNetwork {
			all = append(all, g)
			if g.Cluster == v.ids[b] {
				same = append(same, g)
			}
		}
	}
	if len(same) > 0 {
		all = same
	}
	r.Way = Through
	if len(all) == 0 {
		d.withoutGateway(v, r)
		return
	}
	broken, faults := 0, finding.Result{}
	var where []*member
	for _, g := range all {
		bad := true
		for _, c := range g.Candidates {
			row := d.rowOf(v, c)
			if row == nil {
				bad = false
				continue
			}
			h := Hop{Gateway: row.ID(), Address: g.Address, Port: max(g.Port, g.HBONEPort)}
			if !slices.Contains(r.Through, h) {
				r.Through = append(r.Through, h)
			}
			where = append(where, d.member(row.Cluster))
			found := d.faultsOf(row)
			faults.Merge(finding.Result{Findings: found})
			bad = bad && len(found) > 0
		}
		if bad {
			broken++
		}
	}
	theirs := func(f finding.Finding) bool {
		return slices.ContainsFunc(faults.Findings, func(o finding.Finding) bool { return o.ID() == f.ID() })
	}
	switch {
	case broken == len(all):
		d.explain(r, RouteBroken, theirs)
	case len(faults.Findings) > 0:
		d.explain(r, RoutePartly, theirs)
	}
	d.kinds(v, a, b, r)
	toNetwork := func(f finding.Finding) bool {
		return f.Code == "GW018" && f.Object == finding.Named("network", r.ToNetwork) && slices.Contains(f.Clusters, a.Context)
	}
	d.explain(r, RoutePartly, toNetwork, about(a, "NET002", "NET003", "NET004", "NET005", "NET030"), about(b, "NET001", "NET003", "NET004", "NET006", "NET030", "NET011"))
	d.explain(r, RoutePartly, about(v.own, "NET009"))
	d.explain(r, RouteUnknown, about(v.own, "NET010"))
	checks := []func(finding.Unknown) finding.Code{unjudged(a, "NET002", "NET003", "NET004", "GW018"), unjudged(b, "NET001", "NET003", "NET004", "NET006", "NET011")}
	for _, m := range where {
		if m != nil {
			checks = append(checks, unjudged(m, "GW010", "GW012", "GW019", "GW031"))
		}
	}
	d.doubt(r, checks...)
}

// withoutGateway is a route to a network for which the control plane has no
// gateway, unless a host name leads to one.
func (d *drawing) withoutGateway(v *view, r *Route) {
	if v.leadsTo(r.ToNetwork) {
		r.Status, r.Reason = RouteUnknown, "the host name was not tried"
		if v.Hosts != nil {
			r.Reason = "the host name has no address here; istiod resolves it by name servers of its own"
		}
		for _, c := range v.candidates {
			row := d.rowOf(v, c.CandidateRef)
			if c.Network != r.ToNetwork || c.Problem != "" || row == nil {
				continue
			}
			for _, address := range c.Addresses {
				if h := (Hop{Gateway: row.ID(), Address: address.Address, Port: max(c.Port, c.HBONEPort)}); !slices.Contains(r.Through, h) {
					r.Through = append(r.Through, h)
				}
			}
		}
		return
	}
	r.Way, r.Status, r.Reason = NoWay, RouteBroken, "network "+r.ToNetwork+" has no gateway"
	decisive := []istio.Part{istio.PartEverything, istio.PartServices, istio.PartNodes, istio.PartMeshConfig, istio.PartKubernetesGateways}
	for _, u := range v.Unread() {
		if slices.Contains(decisive, u.Part) {
			r.Status = RouteUnknown
			r.Reason += fmt.Sprintf(" that was seen, and not read: %s of %s", u.What, cmp.Or(v.contexts[u.Cluster], u.Cluster))
			for _, g := range d.rows {
				for _, f := range d.faultsOf(&g) {
					if g.Network == r.ToNetwork && !slices.Contains(r.Codes, f.Code) {
						r.Codes = append(r.Codes, f.Code)
					}
				}
			}
			return
		}
	}
	for _, f := range d.result.Findings {
		if f.Code != "GW001" || f.Object != finding.Named("network", r.ToNetwork) {
			continue
		}
		if cause := d.root(f); cause.ID() != f.ID() {
			r.Reason += ": " + cause.Title
			r.Codes = append(r.Codes, cause.Code)
		}
		r.Codes = append(r.Codes, f.Code)
	}
}

// kinds: sidecars and ambient proxies each need a gateway of their kind. It is
// the end of the route where the cluster has no clients of another kind.
func (d *drawing) kinds(v *view, a, b *member, r *Route) {
	sidecars, ambient := a.workloads()
	_, reached := b.workloads()
	lack := func(code finding.Code) func(finding.Finding) bool {
		return func(f finding.Finding) bool {
			return f.Code == code && f.Object == finding.Named("network", r.ToNetwork) && slices.Contains(f.Clusters, a.Context)
		}
	}
	status := map[bool]RouteStatus{true: RouteBroken, false: RoutePartly}
	d.explain(r, status[!ambient], lack("AMB008"))
	d.explain(r, status[!sidecars], lack("AMB010"))
	if reached {
		d.explain(r, status[!sidecars], about(b, "AMB006", "AMB011"))
		d.explain(r, status[!sidecars], about(b, "AMB030"))
		d.explain(r, RoutePartly, about(b, "AMB002"))
	}
	if ambient {
		d.explain(r, status[!sidecars], about(a, "AMB005", "AMB006", "AMB011"), about(v.own, "AMB001"), func(f finding.Finding) bool {
			return f.Code == "GW009" && slices.ContainsFunc(r.Through, func(h Hop) bool {
				return h.Gateway == (Gateway{Cluster: f.Clusters[0], Object: f.Object}).ID()
			})
		})
	}
}

// workloads says of which kinds a cluster has any.
func (m *member) workloads() (sidecars, ambient bool) {
	for i := range resources.Pods.Of(m.Cluster).Value {
		p := &resources.Pods.Of(m.Cluster).Value[i]
		sidecars = sidecars || isProxy(p) && !m.isGatewayPod(p)
		ambient = ambient || runs(p) && !isProxy(p) && isAmbient(m.namespaces[p.Namespace])
	}
	return sidecars, ambient
}

// rowOf is the row of a gateway in the listing; nil where there is none.
func (d *drawing) rowOf(v *view, c istio.CandidateRef) *Gateway {
	context, object := cmp.Or(v.contexts[c.Cluster], v.Context), refObject(v, c)
	if c.Kind == "MeshNetworks" {
		context = v.Context
	}
	for i := range d.rows {
		if g := &d.rows[i]; g.Cluster == context && g.Object == object && (c.Kind != "MeshNetworks" || g.Network == c.Name) {
			return g
		}
	}
	return nil
}

// faultsOf are the findings with which nobody gets through a gateway. GW009 is
// one for ambient clients alone, GW017 one for control planes that do not see it, and PR006
// one for what goes through it to istiod.
func (d *drawing) faultsOf(g *Gateway) []finding.Finding {
	var out []finding.Finding
	for _, f := range d.result.Findings {
		stray := f.Code == "NET014" && slices.Contains(g.Codes, f.Code) && slices.Contains(f.Clusters, g.Cluster)
		if f.Severity == finding.Error && !slices.Contains([]finding.Code{"GW009", "GW017", "PR006"}, f.Code) && (stray || d.isAbout(g, f)) {
			out = append(out, f)
		}
	}
	return out
}

// explain gives a route that is better than status that one, where a finding
// that is an error is one of those that matter.
func (d *drawing) explain(r *Route, status RouteStatus, matter ...func(finding.Finding) bool) {
	for _, f := range d.result.Findings {
		if f.Severity != finding.Error || !slices.ContainsFunc(matter, func(m func(finding.Finding) bool) bool { return m(f) }) {
			continue
		}
		if status.worse(r.Status) {
			r.Status = status
		}
		if r.Reason == "" {
			r.Reason = f.Title
			if len(f.Clusters) == 1 {
				r.Reason = f.Clusters[0] + ": " + f.Title
			}
		}
		if !slices.Contains(r.Codes, f.Code) {
			r.Codes = append(r.Codes, f.Code)
		}
	}
}

// cite names the findings of a severity or worse that matter.
func (d *drawing) cite(r *Route, severity finding.Severity, matter func(finding.Finding) bool) {
	for _, f := range d.result.Findings {
		if f.Severity.AtLeast(severity) && matter(f) && !slices.Contains(r.Codes, f.Code) {
			r.Codes = append(r.Codes, f.Code)
		}
	}
}

// doubt makes a route that is ok unknown where a rule that matters was not checked.
func (d *drawing) doubt(r *Route, matter ...func(finding.Unknown) finding.Code) {
	if r.Status != RouteOK {
		return
	}
	for _, u := range d.result.Unknowns {
		for _, m := range matter {
			if code := m(u); code != "" && r.Status == RouteOK {
				r.Status, r.Reason = RouteUnknown, within(u.Reason, u.Cluster).Text
			}
		}
	}
}

// about picks the findings with some codes about a cluster.
func about(m *member, codes ...finding.Code) func(finding.Finding) bool {
	return func(f finding.Finding) bool {
		return slices.Contains(codes, f.Code) && slices.Contains(f.Clusters, m.Context)
	}
}

// unjudged is the first of some codes that was not checked in a cluster; "" for none.
func unjudged(m *member, codes ...finding.Code) func(finding.Unknown) finding.Code {
	return func(u finding.Unknown) finding.Code {
		for _, c := range codes {
			if u.Cluster == m.Context && slices.Contains(u.Codes, c) {
				return c
			}
		}
		return ""
	}
}

// root is the finding at the beginning of what causes another one.
func (d *drawing) root(f finding.Finding) finding.Finding {
	for range d.result.Findings {
		i := slices.IndexFunc(d.result.Findings, func(o finding.Finding) bool { return o.ID() == f.CausedBy })
		if f.CausedBy == "" || i < 0 {
			break
		}
		f = d.result.Findings[i]
	}
	return f
}
