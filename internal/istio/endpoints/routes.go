package endpoints

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// routeTo is a subset of the service to which a VirtualService sends requests for a port.
type routeTo struct {
	by     istio.ObjectName // the VirtualService; zero where none is for the port
	subset string
	// conditional: only certain requests go there.
	conditional bool
}

// routesOf are where requests of the source for a port of the service go: to the service itself
// where no VirtualService is for them, or one that sends them to other services only.
func (w *walk) routesOf(p corev1.ServicePort) []routeTo {
	q := routeKey{w.cp, w.from.Cluster, w.from.Pod, w.from.Network, int(p.Port)}
	if known, ok := w.routed[q]; ok {
		return known
	}
	host := istio.Host(w.service.namespace, w.service.name)
	var out []routeTo
	add := func(routes []istio.RoutedTo) {
		for _, r := range routes {
			known := slices.ContainsFunc(out, func(o routeTo) bool { return o.subset == r.Subset && (!o.conditional || r.Conditional) })
			if !known && r.Host == host && (r.Port == 0 || r.Port == int(p.Port)) {
				out = append(out, routeTo{r.By, r.Subset, r.Conditional})
			}
		}
	}
	if w.from.proxy.Gateway {
		add(w.from.routes[host])
	} else {
		add(w.cp.Prediction().Routes(w.from.proxy, w.service.namespace, w.service.name, p))
	}
	if len(out) == 0 {
		out = []routeTo{{}}
	}
	if !w.from.proxy.Gateway {
		add(w.cp.Prediction().RoutesTo(w.from.proxy, w.service.namespace, w.service.name))
	}
	w.routed[q] = out
	return out
}

// routeKey names a source and a port of the service.
type routeKey struct {
	cp             *model.ControlPlane
	context, proxy string
	network        string
	port           int
}

// subsets: where VirtualServices send requests to subsets of the service, these have endpoints,
// and some in the cluster (pilot/pkg/xds/endpoints/endpoint_builder.go, BuildClusterLoadAssignment).
func (w *walk) subsets() Verdict {
	left := w.ports[:0:0]
	var keeps *port
	for _, p := range w.ports {
		switch {
		case p.route.subset == "":
			left = append(left, p)
		case w.isEmpty(p):
			w.blame(stepSubsets, w.emptySubset(p))
		case p.all(istio.OtherSubset):
			keeps = p
		default:
			left = append(left, p)
		}
	}
	switch {
	case len(left) > 0:
		w.ports = left
		return goesOn
	case keeps == nil:
		return Broken
	default:
		return w.answer(stepSubsets, w.routedElsewhere(keeps))
	}
}

// isEmpty reports whether a subset has no endpoint for the source in any cluster, though the
// service has some: because of its labels, or as no DestinationRule defines it.
func (w *walk) isEmpty(p *port) bool {
	if p.given.Absent != "" {
		return false
	}
	if !p.given.SubsetKnown {
		return w.read(w.cp.Cluster, resources.DestinationRules, "EP036")
	}
	others := slices.ContainsFunc(p.given.Dropped, func(d istio.Dropped) bool {
		return d.Reason != istio.OtherSubset && d.Reason != istio.OtherPort && d.Reason != istio.OtherCluster && d.Reason != istio.NotGlobal
	})
	return len(p.given.Endpoints) == 0 && !others && slices.ContainsFunc(p.given.Dropped, func(d istio.Dropped) bool {
		return d.Reason == istio.OtherSubset
	})
}

// emptySubset is the finding about a route that leads to a subset without endpoints. What only
// certain requests ask for, such as a preview that is scaled to nothing, is not worth an alarm,
// unless the subset is of a cluster that the control plane does not know.
func (w *walk) emptySubset(p *port) finding.Finding {
	subset, rule, defined := w.subsetOf(p)
	f := finding.Finding{
		Code: "EP036", Severity: finding.Error, Clusters: []string{w.cp.Context},
		Object: finding.In("virtualservice", p.route.by.Namespace, p.route.by.Name),
		Evidence: []finding.Evidence{
			{Cluster: w.cp.Context, Field: fmt.Sprintf("virtualservice %s/%s", p.route.by.Namespace, p.route.by.Name),
				Value: fmt.Sprintf("sends requests for %s to subset %s", w.service, p.route.subset)},
		},
	}
	if p.route.conditional {
		f.Severity = w.when(finding.Note)
	}
	if !defined {
		f.Title = fmt.Sprintf("a route leads to subset %s of %s, which no DestinationRule defines", p.route.subset, w.service)
		f.Effect = "clients answer those requests with 503: they have no such cluster"
		f.Evidence = append(f.Evidence, finding.Evidence{
			Cluster: w.cp.Context, Field: "destinationrules for " + w.service.String(), Value: orNone(finding.List(p.given.Rules)),
		})
		f.Fix = []finding.Step{finding.Say("Define the subset in a DestinationRule, or send the requests to another one:").By(
			edit(w.cp.Context, "virtualservice", p.route.by.Namespace, p.route.by.Name))}
		return f
	}
	f.Title = fmt.Sprintf("a route leads to subset %s of %s, which has no endpoint", p.route.subset, w.service)
	f.Effect = "clients answer those requests with 503 (no healthy upstream)"
	f.Evidence = append(f.Evidence, finding.Evidence{
		Cluster: w.cp.Context, Field: fmt.Sprintf("destinationrule %s, labels of subset %s", rule, p.route.subset), Value: inline(subset.Labels),
	})
	f.Fix = []finding.Step{finding.Say("Give the pods the labels of the subset, or send the requests to another one:").By(
		edit(w.cp.Context, "virtualservice", p.route.by.Namespace, p.route.by.Name))}
	id, byCluster := subset.Labels[istio.LabelCluster]
	if !byCluster || w.cp.ClusterOf(id) != nil {
		return f
	}
	f.Severity = finding.Error
	var ids []string
	for _, watched := range w.cp.Watches {
		ids = append(ids, watched.ID)
	}
	f.Evidence = append(f.Evidence, finding.Evidence{
		Cluster: w.cp.Context, Field: "cluster IDs that " + istiodOf(w.cp) + " knows", Value: finding.List(ids),
	})
	f.Effect += fmt.Sprintf(": istiod labels endpoints with the key of the remote secret, and none has %s=%s", istio.LabelCluster, id)
	namespace, name := cut(rule)
	f.Fix = []finding.Step{finding.Say("Use one of these IDs in the subset:").By(edit(w.cp.Context, "destinationrule", namespace, name))}
	for _, c := range w.clusters {
		if c.ID != id {
			continue
		}
		if f.CausedBy = w.known.ofWatching(w.cp.Context, c.Context, "SEC004"); f.CausedBy == "" {
			f.CausedBy = w.known.warningOfWatching(w.cp.Context, c.Context, "SEC004")
		}
		if f.CausedBy != "" {
			f.Fix = []finding.Step{finding.Say("Fix the cause: the endpoints then have the label.")}
		}
	}
	return f
}

// subsetOf is the subset to which a route leads, as the rules that apply define it, and the name
// of the first that does.
func (w *walk) subsetOf(p *port) (subset api.Subset, rule string, defined bool) {
	rules := resources.DestinationRules.Of(w.cp.Cluster.Cluster).Value
	for _, name := range p.given.Rules {
		for i := range rules {
			if key(rules[i].Namespace, rules[i].Name) != name {
				continue
			}
			at := slices.IndexFunc(rules[i].Spec.Subsets, func(s api.Subset) bool { return s.Name == p.route.subset })
			if at >= 0 && p.given.SubsetKnown {
				return rules[i].Spec.Subsets[at], name, true
			}
		}
	}
	return api.Subset{}, "", p.given.SubsetKnown
}

// routedElsewhere is the note about a VirtualService that keeps the requests of the source from
// a cluster.
func (w *walk) routedElsewhere(p *port) finding.Finding {
	subset, rule, _ := w.subsetOf(p)
	vs := finding.In("virtualservice", p.route.by.Namespace, p.route.by.Name)
	return finding.Finding{
		Code: "EP039", Clusters: []string{w.cp.Context}, Object: w.service.object(),
		Title: fmt.Sprintf("requests are kept from %s on purpose: %s sends them to subset %s", w.to.Context, vs, p.route.subset),
		Evidence: []finding.Evidence{
			{Cluster: w.cp.Context, Field: vs.String(), Value: "sends requests to subset " + p.route.subset},
			{Cluster: w.cp.Context, Field: "destinationrule " + rule + ", labels of the subset", Value: inline(subset.Labels)},
		},
		Effect: fmt.Sprintf("clients in %s get no endpoint of %s", w.source.Context, w.to.Context),
		Fix:    []finding.Step{finding.Say("If that is not intended, change the routes:").By(edit(w.cp.Context, vs.Kind, vs.Namespace, vs.Name))},
	}
}

// otherServerName: a DestinationRule sets the name by which clients ask for a service, and
// gateways between networks know the service by another
// (pilot/pkg/networking/core/cluster_tls.go, buildUpstreamTLSSettings).
func (w *walk) otherServerName(p *port) (finding.Finding, bool) {
	mine := slices.DeleteFunc(slices.Clone(p.via), func(e istio.Endpoint) bool { return e.HBONE })
	if p.given.SNI == "" || len(mine) == 0 || strings.HasPrefix(p.given.SNI, "outbound_.") {
		return finding.Finding{}, false
	}
	namespace, name := cut(p.given.Rules[0])
	f := finding.Finding{
		Code: "EP037", Severity: finding.Error, Clusters: []string{w.cp.Context}, Object: finding.In("destinationrule", namespace, name),
		Title: fmt.Sprintf("DestinationRule %s sets a server name that gateways between networks do not know", finding.List(p.given.Rules)),
		Evidence: []finding.Evidence{
			{Cluster: w.cp.Context, Field: "destinationrule " + p.given.Rules[0] + ", tls.sni", Value: p.given.SNI},
			{
				Cluster: w.source.Context, Field: fmt.Sprintf("gateways ask for port %d by", p.number),
				Value: fmt.Sprintf("outbound_.%d_.%s_.%s", p.number, p.route.subset, p.given.Host),
			},
		},
		Effect: fmt.Sprintf("the gateway resets connections from %s to %s; those within the cluster work", w.source.Context, w.to.Context),
	}
	local := finding.Say("Keep the service in each cluster: add {settings: {clusterLocal: true}, hosts: [%s]} to serviceSettings of "+
		"the mesh config:", p.given.Host).By(edit(w.cp.Context, "configmap", w.cp.Istiod.Namespace, w.cp.Istiod.MeshConfigMap()))
	if w.behindGateway() {
		// A gateway chooses what it serves by the name, so that it has to stay.
		f.Fix = []finding.Step{local}
		return f, true
	}
	f.Fix = []finding.Step{
		finding.Say("Remove tls.sni:").By(edit(w.cp.Context, "destinationrule", namespace, name)),
		finding.Say("Do this instead if the name has to stay."), local,
	}
	return f, true
}

// behindGateway reports whether the pods of the service in the cluster of the source are those of a
// gateway of the mesh, such as an egress gateway.
func (w *walk) behindGateway() bool {
	s := w.service.in(w.source)
	if s == nil {
		return false
	}
	gateways := resources.Gateways.Of(w.cp.Cluster.Cluster).Value
	return slices.ContainsFunc(w.source.SelectedPods(s), func(p *facts.Pod) bool {
		return slices.ContainsFunc(gateways, func(g api.Gateway) bool {
			return len(g.Spec.Selector) > 0 && covered(g.Spec.Selector, p.Labels)
		})
	})
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
