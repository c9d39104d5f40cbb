package endpoints

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// gateway is a Service between networks and one of its proxies.
type gateway struct {
	in      *cluster
	service *corev1.Service
	proxy   istio.Source
}

func (g gateway) object() finding.Object {
	return finding.In(kindService, g.service.Namespace, g.service.Name)
}

// gatewaysOf are the Services behind an address, with a proxy of each.
func (w *walk) gatewaysOf(e istio.Endpoint) []gateway {
	var out []gateway
	for _, g := range w.v.gateways {
		if g.Address != e.Address || g.Port != e.Port {
			continue
		}
		for _, c := range g.Candidates {
			in := w.by[w.contextOf(c.Cluster)]
			if c.Kind != "Service" || in == nil || in.services[key(c.Namespace, c.Name)] == nil || in.view == nil {
				continue
			}
			s := in.services[key(c.Namespace, c.Name)]
			for _, name := range in.podNames(c.Namespace) {
				p := in.pods[name]
				if len(s.Spec.Selector) == 0 || !covered(s.Spec.Selector, p.Labels) {
					continue
				}
				proxy, ok := in.view.SourceOf(in.view.ids[in.Context], p.Namespace, p.Name)
				if !ok {
					continue
				}
				proxy.Gateway = true
				out = append(out, gateway{in, s, proxy})
				break
			}
		}
	}
	return out
}

// podNames are the keys of the pods of a namespace.
func (c *cluster) podNames(namespace string) []string {
	return c.byNamespace.get(namespace, func() (out []string) {
		for k, p := range c.pods {
			if p.Namespace == namespace {
				out = append(out, k)
			}
		}
		slices.Sort(out)
		return out
	})
}

// gatewayFaults are what other rules find about a gateway that istiod announces and
// that does not work.
var gatewayFaults = []string{"GW010", "GW011", "GW012", "GW013", "GW014", "GW018", "GW019", "GW031", "GW034", "NET012", "NET013"}

// receives: the gateway knows the service, by the port's number as the client has it,
// and has endpoints for it that take mutual TLS
// (pilot/pkg/networking/core/gateway.go; pilot/pkg/xds/endpoints/endpoint_builder.go).
func (w *walk) receives() bool {
	through := false
	passed := w.each(stepGateway, func(p *port) (finding.Finding, bool) {
		for _, e := range p.via {
			for _, g := range w.gatewaysOf(e) {
				through = true
				if f, ok := w.receivesBy(g, p); !ok {
					return f, false
				}
			}
		}
		return finding.Finding{}, true
	})
	if !passed {
		return false
	}
	if through {
		return w.ok(stepGateway, "%s", w.way())
	}
	return true
}

func (w *walk) receivesBy(g gateway, p *port) (finding.Finding, bool) {
	for _, code := range gatewayFaults {
		if cause := w.knows(g.object(), []string{g.in.Context}, code); cause != "" {
			return finding.Finding{
				Code: "EP032", Severity: finding.Error, Clusters: []string{g.in.Context}, Object: g.object(),
				Title:    fmt.Sprintf("requests for services in %s go through a gateway that does not work", w.to.Context),
				Evidence: []finding.Evidence{{Cluster: w.source.Context, Field: "clients get", Value: w.way()}},
				Effect:   fmt.Sprintf("requests from %s to %s are refused, reset or time out", w.source.Context, w.to.Context),
				Fix:      byItsCause(), CausedBy: cause,
			}, false
		}
	}
	w.doubt(g.in.Context, "EP032", gatewayFaults...)
	v := g.in.view
	if why := v.unread[g.in.Context]; len(why) > 0 || v.ids[w.to.Context] == "" {
		return finding.Finding{}, true // what the gateway knows is not known
	}
	given := w.ask(question{v, g.in.Context, g.object().String(), "", p.number}, g.proxy)
	switch given.Reason {
	case istio.NoService:
		if in := w.by[w.to.Context]; !v.Sees(v.ids[w.to.Context], w.service.namespace) {
			return w.hidden(v, in), false
		}
		return finding.Finding{}, true
	case istio.NotVisible:
		s := w.to.services[w.service.key]
		if own := g.in.services[w.service.key]; own != nil {
			s = own
		}
		f := w.unexported(g.in.Context, v, "its gateway in namespace "+g.service.Namespace, g.service.Namespace, s)
		f.Effect = fmt.Sprintf("the gateway of %s does not know the service, and resets connections from %s", g.in.Context, w.source.Context)
		return f, false
	case istio.NoPort:
		counts := w.by[w.contextOf(p.given.Definition)]
		if o, ok := named(w.to.services[w.service.key], p.name); ok && int(o.Port) != p.number {
			return w.otherNumber(counts, p), false
		}
		return w.noPort(counts, p), false
	case istio.OtherName, istio.HiddenBySidecar:
		return finding.Finding{}, true
	}
	var plain []istio.Dropped
	for _, e := range given.Endpoints {
		if e.Gateway() || e.Cluster != v.ids[w.to.Context] {
			continue
		}
		if e.MTLS {
			return w.subsets(g, p)
		}
		plain = append(plain, istio.Dropped{Backend: istio.Backend{Cluster: e.Cluster, Address: e.Address, Port: e.Port, Pod: e.Pod}, Reason: istio.NoMTLS, Detail: e.Plain.Text, Plain: e.Plain})
	}
	if len(plain) > 0 {
		f := w.plain(v, plain)
		f.Effect = fmt.Sprintf("the gateway of %s has no endpoints for the service, and requests from %s fail", g.in.Context, w.source.Context)
		return f, false
	}
	return w.subsets(g, p)
}

// subsets: a gateway knows those that the DestinationRules of its own control plane define
// (pilot/pkg/networking/core/cluster.go, buildOutboundSniDnatClusters).
func (w *walk) subsets(g gateway, p *port) (finding.Finding, bool) {
	own := w.by[w.v.Context]
	if g.in.view == w.v || !judgeable(w, own, resources.VirtualServices.Of(own.Cluster), "virtualservices", "EP010") {
		return finding.Finding{}, true
	}
	for i := range resources.VirtualServices.Of(own.Cluster).Value {
		vs := &resources.VirtualServices.Of(own.Cluster).Value[i]
		for _, t := range vs.Targets() {
			if t.Subset == "" || istio.FullHost(t.Host, vs.Namespace) != p.given.Host ||
				!w.v.HasSubset(w.from.proxy, w.service.namespace, w.service.name, t.Subset) ||
				g.in.view.HasSubset(g.proxy, w.service.namespace, w.service.name, t.Subset) {
				continue
			}
			f := finding.Finding{
				Code: "EP010", Severity: finding.Error, Clusters: finding.Distinct([]string{w.v.Context, g.in.view.Context}), Object: w.service.object(),
				Title: fmt.Sprintf("subset %s of %s is defined in %s and not for the gateway of %s", t.Subset, w.service, w.v.Context, g.in.Context),
				Evidence: []finding.Evidence{
					{Cluster: w.v.Context, Field: "virtualservice " + key(vs.Namespace, vs.Name), Value: "routes to subset " + t.Subset},
					{Cluster: w.v.Context, Field: "destinationrule", Value: cmp.Or(finding.List(p.given.Rules), "none")},
					{Cluster: g.in.view.Context, Field: "destinationrule with subset " + t.Subset, Value: "none that the gateway sees"},
				},
				Effect: fmt.Sprintf("the gateway of %s resets the connections of requests for the subset", g.in.Context),
			}
			var copies []finding.Command
			for _, name := range p.given.Rules {
				copies = append(copies, copyRule(name, w.v.Context, g.in.view.Context))
			}
			f.Fix = []finding.Step{finding.Say("Copy the DestinationRule to %s:", g.in.view.Context).By(copies...)}
			return f, false
		}
	}
	return finding.Finding{}, true
}

// copyRule is the command that makes a DestinationRule of one cluster in another.
func copyRule(key, from, to string) finding.Command {
	namespace, name := cut(key)
	head := fmt.Sprintf(`{"apiVersion":"networking.istio.io/v1","kind":"DestinationRule","metadata":%s,"spec":`,
		compact(map[string]string{"name": name, "namespace": namespace}))
	return specOf(finding.In("destinationrule", namespace, name), from, head, "}").To(finding.Kubectl(to, "apply", "-f", "-"))
}
