package network

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// judgeExposure: the gateway to which a remote cluster's Service of istiod leads has
// to have its ports, listen there, and pass on to istiod
// (samples/multicluster/expose-istiod.yaml).
func judgeExposure(j *judgement, members []*member) {
	for _, m := range members {
		planes := m.serving()
		if !m.isRemote() || len(planes) == 0 || !resources.SystemSlices.Of(m.Cluster).Known() {
			continue
		}
		for _, s := range m.controlPlaneServices() {
			if !isBridge(s) || s.Namespace != m.SystemNamespace {
				continue
			}
			addresses, ports := m.endpointsOf(s)
			for _, v := range planes {
				if !slices.Contains(members, v.own) {
					continue
				}
				ports := slices.DeleteFunc(slices.Clone(ports), func(p int) bool { return j.trusted(m, p, addresses) })
				if g := v.gatewayAt(addresses); g != nil && len(ports) > 0 {
					j.exposure(m, v, g, ports)
				}
			}
		}
	}
}

// gatewayAt is the Service of the control plane's cluster that has one of the addresses
// or host names.
func (v *view) gatewayAt(addresses []string) *gateway {
	for i := range resources.Services.Of(v.own.Cluster).Value {
		s := &resources.Services.Of(v.own.Cluster).Value[i]
		theirs, names := external(s)
		if slices.ContainsFunc(slices.Concat(theirs, names), func(a string) bool { return slices.Contains(addresses, a) }) {
			return v.own.newGateway(s, s.Labels[istio.LabelNetwork], false)
		}
	}
	return nil
}

func (j *judgement) exposure(m *member, v *view, g *gateway, ports []int) {
	if len(g.pods) == 0 || slices.ContainsFunc(g.pods, func(p *facts.Pod) bool { return p.Labels[istio.LabelGatewayName] != "" }) {
		j.NotChecked(m.Context, finding.Reason{
			Kind: finding.NotRead, Text: fmt.Sprintf("what %s of %s passes on is not among what is read", g.object(), v.Context),
		}, "PR006")
		return
	}
	straight := slices.ContainsFunc(g.pods, func(p *facts.Pod) bool { return "app="+p.Labels["app"] == istio.IstiodSelector })
	var evidence []finding.Evidence
	bad := func(field, value string) {
		evidence = append(evidence, finding.Evidence{Cluster: v.Context, Field: field, Value: value})
	}
	for _, port := range []int{portDiscovery, portInjection} {
		if !slices.Contains(ports, port) {
			continue
		}
		if !g.has(port) {
			bad(g.at("ports"), "no "+fmt.Sprint(port)+"; there are "+portsOf(g.service))
			continue
		}
		if straight {
			continue
		}
		servers := v.serversAt(g, port)
		if len(servers) == 0 {
			bad(fmt.Sprintf("Gateways with port %d for the pods of %s", port, g.object()), "none")
			continue
		}
		if !resources.VirtualServices.Of(v.own.Cluster).Known() {
			j.NotChecked(m.Context, lack("virtualservices in "+v.Context, resources.VirtualServices.Of(v.own.Cluster)), "PR006")
			continue
		}
		if value := v.unrouted(servers, port); value != "" {
			bad(fmt.Sprintf("virtualservices of %s, port %d", servers[0].object(), port), value)
		}
	}
	if len(evidence) == 0 {
		return
	}
	j.Gather(finding.Finding{
		Code: "PR006", Severity: finding.Error, Clusters: finding.Distinct([]string{m.Context, v.Context}), Object: g.object(),
		Title:    "the gateway to which the remote cluster goes does not lead to istiod",
		Evidence: evidence,
		Effect:   fmt.Sprintf("proxies of %s get no configuration and no certificates, or pods there are not injected", m.Context),
		Fix: []finding.Step{
			finding.Say("Give the Service of the gateway ports %d and %d.", portDiscovery, portInjection),
			finding.Say("Apply the Gateway and the VirtualService of the release's samples; for a revision take expose-istiod-rev.yaml.tmpl:").
				By(finding.Kubectl(v.Context, "-n", v.Istiod.Namespace, "apply", "-f", "samples/multicluster/expose-istiod.yaml")),
		},
	})
}

// serversAt are the listeners of the pods of a gateway at a port of its Service.
func (v *view) serversAt(g *gateway, port int) []server {
	at := *g
	service := g.service.DeepCopy()
	service.Labels = map[string]string{istio.LabelGatewayPort: fmt.Sprint(port)}
	at.service, at.labelled = service, true
	var out []server
	for i := range resources.Gateways.Of(v.own.Cluster).Value {
		gw := &resources.Gateways.Of(v.own.Cluster).Value[i]
		if v.Istiod.On(istio.EnvScopeGateways) && gw.Namespace != g.service.Namespace {
			continue
		}
		for _, s := range gw.Spec.Servers {
			if s.Port == nil || !at.bound(s.Bind) || !at.listensFor(int(s.Port.Number)) {
				continue
			}
			if len(gw.Spec.Selector) == 0 || slices.ContainsFunc(g.pods, func(p *facts.Pod) bool { return selects(gw.Spec.Selector, p.Labels) }) {
				out = append(out, server{gateway: gw, server: s})
			}
		}
	}
	return out
}

// unrouted says why what comes to listeners is not passed on to istiod; "" where it is.
func (v *view) unrouted(servers []server, port int) string {
	value := "none routes to istiod"
	for _, vs := range resources.VirtualServices.Of(v.own.Cluster).Value {
		if !slices.ContainsFunc(servers, func(s server) bool {
			return slices.Contains(vs.Spec.Gateways, s.gateway.Namespace+"/"+s.gateway.Name) || vs.Namespace == s.gateway.Namespace && slices.Contains(vs.Spec.Gateways, s.gateway.Name)
		}) {
			continue
		}
		for _, r := range slices.Concat(vs.Spec.TLS, vs.Spec.TCP, vs.Spec.HTTP) {
			if len(r.Match) > 0 && !slices.ContainsFunc(r.Match, func(m api.RouteMatch) bool { return m.Port == 0 || int(m.Port) == port }) {
				continue
			}
			for _, d := range r.Route {
				if d.Destination == nil {
					continue
				}
				name := istio.ObjectName{Namespace: vs.Namespace, Name: d.Destination.Host}
				if parts := strings.Split(d.Destination.Host, "."); len(parts) > 1 {
					name = istio.ObjectName{Namespace: parts[1], Name: parts[0]}
				}
				if !strings.HasPrefix(name.Name, "istiod") {
					continue
				}
				if v.own.service(name) != nil || !resources.Services.Of(v.own.Cluster).Known() {
					return ""
				}
				value = "virtualservice " + vs.Namespace + "/" + vs.Name + " routes to " + d.Destination.Host + ", which does not exist"
			}
		}
	}
	return value
}
