package gateways

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// gap is a network on which there are pods, to which clients on other networks have no
// gateway.
type gap struct {
	network string
	// by are the control planes that have no gateway of it.
	by []*model.ControlPlane
	// in are how many pods there are on it, and from those on others, by cluster.
	in, from map[*model.Cluster]int
}

// clusters are those with pods on the network, in the order of the fleet.
func (g gap) clusters(m *model.Mesh) []*model.Cluster {
	return slices.DeleteFunc(slices.Clone(m.Clusters), func(c *model.Cluster) bool { return g.in[c] == 0 })
}

// gaps are those of all control planes of which all that they watch can be checked, by
// network. unread are the control planes that watch clusters which were not read: one of
// them may have a gateway.
func gaps(p pass, unread func(cp *model.ControlPlane, network string)) []gap {
	by := map[string]gap{}
	if !p.Model.Several() {
		return nil
	}
	for _, cp := range model.AbleControlPlanes(p) {
		if !model.AbleWatched(p, cp) {
			continue
		}
		demand := cp.Demand()
		for _, network := range slices.Sorted(maps.Keys(demand.Endpoints)) {
			from := demand.Clients.Off(network)
			if len(from) == 0 || !slices.Contains(p.Model.Networks(), network) || cp.LeadsTo(network) {
				continue
			}
			if !watchesKnown(p, cp) {
				unread(cp, network)
				continue
			}
			g, ok := by[network]
			if !ok {
				g = gap{network: network, in: map[*model.Cluster]int{}, from: map[*model.Cluster]int{}}
			}
			g.by = append(g.by, cp)
			maps.Copy(g.in, demand.Endpoints[network])
			maps.Copy(g.from, from)
			by[network] = g
		}
	}
	var out []gap
	for _, network := range slices.Sorted(maps.Keys(by)) {
		out = append(out, by[network])
	}
	return out
}

// unlabeled: the Service of the gateway of a network lacks the label that makes it one, and
// nothing else explains that the network has none.
func unlabeled(p pass) {
	for _, gap := range gaps(p, func(*model.ControlPlane, string) {}) {
		if gap.why(p) != "" {
			continue
		}
		g, ok := gap.candidate(p.Model)
		if !ok {
			continue
		}
		f := g.finding("GW033", finding.Error, "the Service of the gateway lacks the label that says to which network it leads")
		f.Evidence = []finding.Evidence{evidence.Label(g.Object().String(), ""), g.ports(), evidence.SystemLabel(g.Cluster)}
		f.Effect = g.lost()
		f.Fix = []finding.Step{finding.Say("Give the Service the label:").By(g.kubectl("label", istio.LabelNetwork+"="+gap.network))}
		p.Gather(f)
	}
}

// candidate is a Service in a cluster of the network that looks like its gateway and lacks
// the label; false where there is none, or another Service has the label.
func (g gap) candidate(m *model.Mesh) (gateway, bool) {
	for _, c := range m.Clusters {
		if slices.ContainsFunc(c.IntendedGateways(), func(o *model.Gateway) bool { return o.Network == g.network }) {
			return gateway{}, false
		}
	}
	for _, c := range g.clusters(m) {
		for i := range resources.Services.Of(c.Cluster).Value {
			s := &resources.Services.Of(c.Cluster).Value[i]
			listens := slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == istio.DefaultGatewayPort })
			if s.Labels[istio.LabelNetwork] == "" && (listens || s.Labels["istio"] == "eastwestgateway") {
				return gateway{c.AsGateway(s, g.network)}, true
			}
		}
	}
	return gateway{}, false
}

// noGateway: there are pods on a network, clients on others, and no gateway to it.
func noGateway(p pass) {
	for _, g := range gaps(p, func(cp *model.ControlPlane, network string) {
		why := "clusters that it watches were not read here: one of them may have a gateway to " + network
		p.NotChecked(cp.Context, finding.Reason{Kind: finding.NotRead, Text: why})
	}) {
		f := finding.Finding{
			Code: "GW001", Severity: finding.Error, Object: finding.Named("network", g.network),
			Title:    fmt.Sprintf("network %s has no gateway", g.network),
			Evidence: g.evidence(p.Model),
			Effect: fmt.Sprintf("clients on other networks are given addresses of pods on %s, and their requests time out; "+
				"ambient ones are given none", g.network),
			CausedBy: g.why(p), Fix: remedy.ByItsCause(),
		}
		in := g.clusters(p.Model)
		for _, c := range in {
			f.Clusters = append(f.Clusters, c.Context)
		}
		slices.Sort(f.Clusters)
		if service, ok := g.candidate(p.Model); ok && f.CausedBy == "" {
			f.CausedBy = service.cause(p, "GW033")
		}
		if slices.ContainsFunc(in, func(c *model.Cluster) bool { return model.Cause(p, c.Context, finding.Object{}, "AMB030") != "" }) {
			f.Effect = fmt.Sprintf("clients on other networks are given addresses within %s, and their requests fail",
				strings.Join(f.Clusters, ", "))
		}
		if f.CausedBy == "" {
			f.Fix = g.install(in)
		}
		p.Report(f)
	}
}

// evidence is who is on the network, who is not, and who has no gateway.
func (g gap) evidence(m *model.Mesh) []finding.Evidence {
	var out []finding.Evidence
	for _, c := range g.clusters(m) {
		out = append(out, finding.Evidence{Cluster: c.Context, Field: "on " + g.network, Value: finding.Plural(g.in[c], "pod")})
	}
	for _, c := range m.Clusters {
		if n := g.from[c]; n > 0 {
			out = append(out, finding.Evidence{Cluster: c.Context, Field: "on other networks", Value: finding.Plural(n, "pod")})
		}
	}
	for _, cp := range g.by {
		none := evidence.Gateways(cp, g.network)
		none.Cluster = cp.Context
		out = append(out, none)
	}
	return out
}

// install are the steps that give the network a gateway.
func (g gap) install(in []*model.Cluster) []finding.Step {
	list := finding.Say("See which Services are labeled as gateways there:")
	for _, c := range in {
		list = list.By(finding.Kubectl(c.Context, "get", "services", "-A", "-l", istio.LabelNetwork))
	}
	return []finding.Step{
		finding.Say("Install an east-west gateway there. Its Service needs label %s=%s and port %d.", istio.LabelNetwork, g.network,
			istio.DefaultGatewayPort), list,
	}
}

// why is the ID of the finding that explains that the network has no gateway: what is wrong
// with what is meant to be one, or should have been; "" where there is none.
func (g gap) why(p pass) string {
	in := g.clusters(p.Model)
	for _, code := range whyUnused() {
		for _, c := range p.Model.Clusters {
			for _, m := range c.NetworkGateways() {
				if m.Network == g.network || slices.Contains(in, c) {
					if id := (gateway{m}).cause(p, code); id != "" {
						return id
					}
				}
			}
		}
	}
	for _, c := range p.Model.Clusters {
		for i := range resources.KubernetesGateways.Of(c.Cluster).Value {
			if k := &resources.KubernetesGateways.Of(c.Cluster).Value[i]; k.Labels[istio.LabelNetwork] == g.network {
				if id := model.Cause(p, c.Context, model.GatewayObject(k), "GW016"); id != "" {
					return id
				}
			}
		}
		if slices.Contains(in, c) {
			if id := model.Cause(p, c.Context, finding.Object{}, "AMB003"); id != "" {
				return id
			}
		}
	}
	for _, cp := range p.Model.ControlPlanes {
		if _, ok := cp.MeshNetworks.Networks[g.network]; ok || len(cp.Problems) > 0 {
			if id := model.Cause(p, cp.Context, cp.ConfigMap(), "NET009"); id != "" {
				return id
			}
		}
	}
	return ""
}
