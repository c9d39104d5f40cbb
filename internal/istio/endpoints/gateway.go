package endpoints

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// gateway is a Service between networks and one of its proxies.
type gateway struct {
	in      *model.Cluster
	cp      *model.ControlPlane // the one that manages it
	service *corev1.Service
	proxy   istio.Source
}

func (g gateway) object() finding.Object {
	return finding.In(kindService, g.service.Namespace, g.service.Name)
}

// gatewayKey is an address of gateways as a control plane knows it.
type gatewayKey struct {
	cp      *model.ControlPlane
	address string
	port    uint32
}

// gatewaysOf are the Services behind an address, with a proxy of each.
func (w *walk) gatewaysOf(e istio.Endpoint) []gateway {
	k := gatewayKey{w.cp, e.Address, e.Port}
	return w.gateways.get(k, func() []gateway { return w.findGateways(k) })
}

func (e *evaluator) findGateways(k gatewayKey) []gateway {
	var out []gateway
	for _, g := range k.cp.PredictedGateways() {
		if g.Address != k.address || g.Port != k.port {
			continue
		}
		for _, candidate := range g.Candidates {
			in := k.cp.ClusterOf(candidate.Cluster)
			if candidate.Kind != "Service" || in == nil || e.managedBy[in] == nil {
				continue
			}
			s := in.Service(candidate.Namespace, candidate.Name)
			if s == nil {
				continue
			}
			if proxy, ok := e.proxyOf(in, s); ok {
				out = append(out, gateway{in, e.managedBy[in], s, proxy})
			}
		}
	}
	return out
}

// proxyOf is a proxy that a Service selects, the first by name.
func (e *evaluator) proxyOf(c *model.Cluster, s *corev1.Service) (istio.Source, bool) {
	if len(s.Spec.Selector) == 0 {
		return istio.Source{}, false
	}
	pods := slices.Clone(c.PodsIn(s.Namespace))
	pods = slices.DeleteFunc(pods, func(p *facts.Pod) bool { return !covered(s.Spec.Selector, p.Labels) })
	slices.SortFunc(pods, func(a, b *facts.Pod) int { return strings.Compare(a.Name, b.Name) })
	cp := e.managedBy[c]
	for _, p := range pods {
		if proxy, ok := cp.Prediction().SourceOf(cp.IDOf(c), p.Namespace, p.Name); ok {
			proxy.Gateway = true
			return proxy, true
		}
	}
	return istio.Source{}, false
}

// throughGateways: the gateway knows the service, by the port's number as the client has
// it, and has endpoints for it that take mutual TLS
// (pilot/pkg/networking/core/gateway.go; pilot/pkg/xds/endpoints/endpoint_builder.go).
func (w *walk) throughGateways() Verdict {
	through, way := false, w.way()
	if v := w.each(stepGateway, func(p *port) (finding.Finding, bool) {
		through = through || len(p.via) > 0
		if f, wrong := w.otherServerName(p); wrong {
			if len(p.direct) == 0 {
				return f, true
			}
			w.blame(stepGateway, f)
		}
		if f, none := w.leaveBroken(p, way); none {
			return f, true
		}
		for _, e := range p.via {
			for _, g := range w.gatewaysOf(e) {
				if f, wrong := w.stoppedBy(g, p); wrong {
					return f, true
				}
			}
		}
		return finding.Finding{}, false
	}); v != goesOn {
		return v
	}
	if through {
		return w.ok(stepGateway, "%s", w.way())
	}
	return goesOn
}

// hopsKey is an address of gateways of a network.
type hopsKey struct {
	gatewayKey
	network string
}

// leaveBroken leaves out the gateways that do not work. Where the port has nothing else the
// finding about one of them stops its requests, and else some of them.
func (w *walk) leaveBroken(p *port, way string) (finding.Finding, bool) {
	var works []istio.Endpoint
	var found []finding.Finding
	for _, e := range p.via {
		if f, broken := w.brokenAt(e, way); broken {
			found = append(found, f)
		} else {
			works = append(works, e)
		}
	}
	if len(found) == 0 {
		return finding.Finding{}, false
	}
	if p.via = works; p.reached() == 0 {
		return found[0], true
	}
	for _, f := range found {
		f.Effect = "some of the " + f.Effect
		w.blame(stepGateway, f)
	}
	return finding.Finding{}, false
}

// brokenAt is the finding about an address at which no gateway works.
func (w *walk) brokenAt(e istio.Endpoint, way string) (finding.Finding, bool) {
	k := hopsKey{gatewayKey{w.cp, e.Address, e.Port}, e.Network}
	hops := w.hops.get(k, func() []model.Hop { return k.cp.HopsAt(k.network, k.address, k.port) })
	var found []finding.Finding
	for _, h := range hops {
		cause := w.known.ofGateway(h)
		if cause == "" && len(h.Blocked) == 0 {
			return finding.Finding{}, false
		}
		found = append(found, w.goesThroughBroken(h, cause, way))
	}
	if len(found) == 0 {
		return finding.Finding{}, false
	}
	return found[0], true
}

// goesThroughBroken is the finding about a gateway that does not work.
func (w *walk) goesThroughBroken(h model.Hop, cause, way string) finding.Finding {
	f := finding.Finding{
		Code: "EP032", Severity: finding.Error, Clusters: []string{h.In.Context}, Object: h.Object,
		Title:    fmt.Sprintf("requests for services in %s go through a gateway that does not work", w.to.Context),
		Evidence: []finding.Evidence{{Cluster: w.source.Context, Field: "clients get", Value: way}},
		Effect:   fmt.Sprintf("requests from %s to %s are refused, reset or time out", w.source.Context, w.to.Context),
		Fix:      remedy.ByItsCause(), CausedBy: cause,
	}
	if cause == "" {
		f.Evidence = append(f.Evidence, finding.Evidence{
			Cluster: h.In.Context, Field: h.Object.String(), Value: h.Blocked[0].String(),
		})
		f.Fix = []finding.Step{finding.Say("See what is wrong with the gateway:").By(
			finding.Kubectl(h.In.Context, "-n", h.Object.Namespace, "describe", h.Object.Kind+"/"+h.Object.Name))}
	}
	return f
}

// stoppedBy is the finding about a gateway that has no endpoints for the port of the service.
func (w *walk) stoppedBy(g gateway, p *port) (finding.Finding, bool) {
	w.doubt(g.in.Context, "EP032", gatewayFaults...)
	w.read(g.cp.Cluster, resources.Gateways, "EP032")
	id, watched := g.cp.NameOf(w.to)
	if len(w.unread[g.cp][g.in]) > 0 || !watched {
		return finding.Finding{}, false // what the gateway knows is not known
	}
	given := w.ask(question{g.cp, g.in.Context, g.object().String(), "", p.number, ""}, g.proxy)
	switch given.Reason {
	case istio.NoService:
		return w.hidden(g.cp, w.to), !g.cp.Sees(id, w.service.namespace)
	case istio.NotVisible:
		s := w.service.in(w.to)
		if own := w.service.in(g.in); own != nil {
			s = own
		}
		f := w.unexported(g.in.Context, g.cp, "its gateway in namespace "+g.service.Namespace, g.service.Namespace, s)
		f.Effect = fmt.Sprintf("the gateway of %s does not know the service, and resets connections from %s", g.in.Context, w.source.Context)
		return f, true
	case istio.NoPort:
		used := w.cp.ClusterOf(p.given.Definition)
		if o, ok := named(w.service.in(w.to), p.name); ok && int(o.Port) != p.number {
			return w.otherNumber(used, p), true
		}
		return w.noPort(used, p), true
	case istio.OtherName, istio.HiddenBySidecar:
		return finding.Finding{}, false
	}
	if plain := plainOf(given, id); len(plain) > 0 && !w.isMeant(plain, p, false) {
		f := w.plain(g.cp, plain, p)
		f.Effect = fmt.Sprintf("the gateway of %s has no endpoints for the service, and requests from %s fail", g.in.Context, w.source.Context)
		return f, true
	}
	return w.missingSubset(g, p)
}

// plainOf are the endpoints of a cluster that a gateway is given where none of them takes
// mutual TLS.
func plainOf(given istio.Endpoints, id string) []istio.Dropped {
	var out []istio.Dropped
	for _, e := range given.Endpoints {
		if e.Gateway() || e.Cluster != id {
			continue
		}
		if e.MTLS {
			return nil
		}
		out = append(out, istio.Dropped{
			Backend: istio.Backend{Cluster: e.Cluster, Address: e.Address, Port: e.Port, Pod: e.Pod},
			Reason:  istio.NoMTLS, Detail: e.Plain.Text, Plain: e.Plain,
		})
	}
	return out
}

// missingSubset: a gateway knows those subsets that the DestinationRules of its own control
// plane define (pilot/pkg/networking/core/cluster.go, buildOutboundSniDnatClusters).
func (w *walk) missingSubset(g gateway, p *port) (finding.Finding, bool) {
	if g.cp == w.cp || !w.read(w.cp.Cluster, resources.VirtualServices, "EP010") {
		return finding.Finding{}, false
	}
	services := resources.VirtualServices.Of(w.cp.Cluster.Cluster).Value
	for i := range services {
		vs := &services[i]
		if !w.cp.Istiod.Reads(vs.Labels) {
			continue
		}
		for _, t := range vs.Targets() {
			if t.Subset == "" || t.Subset != p.route.subset || istio.FullHost(t.Host, vs.Namespace) != p.given.Host ||
				!w.cp.Prediction().HasSubset(w.from.proxy, w.service.namespace, w.service.name, t.Subset) ||
				g.cp.Prediction().HasSubset(g.proxy, w.service.namespace, w.service.name, t.Subset) {
				continue
			}
			return w.noSubset(g, p, key(vs.Namespace, vs.Name), t.Subset), true
		}
	}
	return finding.Finding{}, false
}

// noSubset is the finding about a subset to which a VirtualService routes and that the
// gateway does not have.
func (w *walk) noSubset(g gateway, p *port, virtualService, subset string) finding.Finding {
	f := finding.Finding{
		Code: "EP010", Severity: finding.Error, Clusters: finding.Distinct([]string{w.cp.Context, g.cp.Context}), Object: w.service.object(),
		Title: fmt.Sprintf("subset %s of %s is defined in %s and not for the gateway of %s", subset, w.service, w.cp.Context, g.in.Context),
		Evidence: []finding.Evidence{
			{Cluster: w.cp.Context, Field: "virtualservice " + virtualService, Value: "routes to subset " + subset},
			{Cluster: w.cp.Context, Field: "destinationrule", Value: cmp.Or(finding.List(p.given.Rules), "none")},
			{Cluster: g.cp.Context, Field: "destinationrule with subset " + subset, Value: "none that the gateway sees"},
		},
		Effect: fmt.Sprintf("the gateway of %s resets the connections of requests for the subset", g.in.Context),
	}
	var copies []finding.Command
	for _, name := range p.given.Rules {
		copies = append(copies, copyRule(name, w.cp.Context, g.cp.Context))
	}
	f.Fix = []finding.Step{finding.Say("Copy the DestinationRule to %s:", g.cp.Context).By(copies...)}
	return f
}
