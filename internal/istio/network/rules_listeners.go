package network

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

const autoPassthrough = "AUTO_PASSTHROUGH"

// server is one listener of a Gateway that may be meant for the pods of a network's gateway.
type server struct {
	gateway *api.Gateway
	server  api.Server
	// foreign: istiod takes only Gateways of the pods' namespace, and it is in another one.
	foreign bool
}

func (s server) mode() string {
	if s.server.TLS == nil {
		return "none"
	}
	return cmp.Or(s.server.TLS.Mode, "PASSTHROUGH")
}

func (s server) object() finding.Object {
	return finding.In("gateway", s.gateway.Namespace, s.gateway.Name)
}

// coversMesh reports whether the hosts of the server are Services of the mesh.
func (s server) coversMesh() bool {
	return slices.ContainsFunc(s.server.Hosts, func(h string) bool {
		h = withoutNamespace(h)
		return h == "*" || strings.HasSuffix(h, ".local")
	})
}

func withoutNamespace(host string) string {
	if _, after, ok := strings.Cut(host, "/"); ok {
		return after
	}
	return host
}

// judgeListeners: the pods of a gateway listen on its port only where a Gateway
// says so, and pass on what is for a Service of the mesh only with
// AUTO_PASSTHROUGH (pilot/pkg/networking/core/gateway.go, builtAutoPassthroughFilterChains).
func judgeListeners(j *judgement, members []*member) {
	for _, g := range j.meant(members) {
		if len(g.pods) == 0 || !g.has(g.port()) || g.kubernetesListener() {
			continue
		}
		planes, why := g.configuration()
		if planes == nil {
			j.NotChecked(g.member.Context, why, "GW010", "GW011", "GW019")
			continue
		}
		var on, beside, elsewhere []server // where the Service sends to, on other ports of its pods, and for other pods
		for _, v := range planes {
			for i := range resources.Gateways.Of(v.own.Cluster).Value {
				gw := &resources.Gateways.Of(v.own.Cluster).Value[i]
				for _, s := range gw.Spec.Servers {
					switch found := (server{gw, s, v.Istiod.On(istio.EnvScopeGateways) && gw.Namespace != g.service.Namespace}); {
					case s.Port == nil || !g.bound(s.Bind):
					case found.foreign:
						if found.mode() == autoPassthrough && g.listensFor(int(s.Port.Number)) {
							elsewhere = append(elsewhere, found)
						}
					case len(gw.Spec.Selector) == 0 || slices.ContainsFunc(g.pods, func(p *facts.Pod) bool { return selects(gw.Spec.Selector, p.Labels) }):
						if g.listensFor(int(s.Port.Number)) {
							on = append(on, found)
						} else if found.mode() == autoPassthrough && found.coversMesh() {
							beside = append(beside, found)
						}
					case found.mode() == autoPassthrough && g.listensFor(int(s.Port.Number)):
						elsewhere = append(elsewhere, found)
					}
				}
			}
		}
		passing := slices.DeleteFunc(slices.Clone(on), func(s server) bool { return s.mode() != autoPassthrough })
		switch {
		case slices.ContainsFunc(passing, server.coversMesh):
		case len(on) == 0 && len(beside) > 0:
			j.Add(g.otherPort(planes[0].own, beside))
		default:
			j.Add(g.noListener(planes[0].own, on, passing, elsewhere))
		}
		j.twice(g, planes[0].own, passing)
	}
}

// bound reports whether a server that is bound to an address listens where the
// Service sends to.
func (g *gateway) bound(address string) bool {
	if address == "" {
		return true
	}
	ip, err := netip.ParseAddr(address)
	return err == nil && (ip.IsUnspecified() || slices.ContainsFunc(g.pods, func(p *facts.Pod) bool {
		return slices.Contains(p.IPs, address)
	}))
}

// otherPort is the finding of a gateway whose Service sends to another port than
// the one on which its pods listen.
func (g *gateway) otherPort(config *member, beside []server) finding.Finding {
	target, _ := g.target(g.port())
	f := g.finding("GW019", finding.Error, fmt.Sprintf("the gateway's Service sends to port %d of its pods, and they listen on another one", target))
	f.Clusters = finding.Distinct([]string{g.member.Context, config.Context})
	f.Evidence = []finding.Evidence{{Cluster: g.member.Context, Field: fmt.Sprintf("%s, targetPort of %d", g.object(), g.port()), Value: fmt.Sprint(target)}}
	for _, s := range beside {
		f.Evidence = append(f.Evidence, finding.Evidence{
			Cluster: config.Context, Field: s.object().String() + ", port with " + autoPassthrough, Value: fmt.Sprint(s.server.Port.Number),
		})
	}
	f.Effect = fmt.Sprintf("connections from other networks to %s are refused", g.network)
	for i, p := range g.service.Spec.Ports {
		if int(p.Port) == g.port() {
			path := fmt.Sprintf("/spec/ports/%d/targetPort", i)
			patch := []any{map[string]any{"op": "replace", "path": path, "value": beside[0].server.Port.Number}}
			f.Fix = []finding.Step{
				finding.Say("Send to the port on which the pods listen:").By(g.kubectl("patch", "--type=json", "-p", document(patch))),
			}
		}
	}
	return f
}

// configuration are the control planes that tell the gateway's pods what to do;
// nil, and why, where what they tell was not read.
func (g *gateway) configuration() ([]*view, finding.Reason) {
	var out []*view
	for _, v := range g.member.viewers {
		if !v.programs(g.member) || slices.ContainsFunc(out, func(o *view) bool { return o.own == v.own }) {
			continue
		}
		if why := v.own.lacks(gateways); why != nothing {
			return nil, within(why, v.Context)
		}
		out = append(out, v)
	}
	if out == nil {
		return nil, finding.Because("no control plane that was read programs the gateway")
	}
	return out, nothing
}

// labelDirectPorts keeps istiod from taking the port of a Gateway for that of a Service.
const labelDirectPorts = "experimental.istio.io/disable-gateway-port-translation"

// listensFor reports whether a server of this port makes the pods listen where
// the Service sends: the port is that of a Service of the pods, which is translated, and
// only otherwise the pods' own (pilot/pkg/model/gateway.go, resolvePorts).
func (g *gateway) listensFor(number int) bool {
	target, known := g.target(g.port())
	if !known {
		return true // a name; the pods know its port
	}
	translated := false
	for i := range resources.Services.Of(g.member.Cluster).Value {
		s := &resources.Services.Of(g.member.Cluster).Value[i]
		if _, direct := s.Labels[labelDirectPorts]; direct || s.Namespace != g.service.Namespace {
			continue
		}
		if !slices.ContainsFunc(g.pods, func(p *facts.Pod) bool { return selects(s.Spec.Selector, p.Labels) }) {
			continue
		}
		for _, p := range s.Spec.Ports {
			if int(p.Port) != number {
				continue
			}
			// Of several Services the first counts: any of them may be it.
			translated = true
			if p.TargetPort.Type == intstr.String || p.TargetPort.IntValue() == target || p.TargetPort.IntValue() == 0 && number == target {
				return true
			}
		}
	}
	return !translated && number == target
}

// kubernetesListener reports whether a Gateway of the Gateway API makes the pods
// pass mutual TLS through.
func (g *gateway) kubernetesListener() bool {
	for _, p := range g.pods {
		name := p.Labels[istio.LabelGatewayName]
		for _, k := range resources.KubernetesGateways.Of(g.member.Cluster).Value {
			if name == "" || k.Namespace != p.Namespace || k.Name != name {
				continue
			}
			for _, l := range k.Spec.Listeners {
				if l.TLS != nil && (l.TLS.Options["gateway.istio.io/listener-protocol"] == "auto-passthrough" || int(l.Port) == g.port()) {
					return true
				}
			}
		}
	}
	return false
}

func (g *gateway) noListener(config *member, on, passing, elsewhere []server) finding.Finding {
	f := g.finding("GW010", finding.Error, "no Gateway makes the gateway's pods pass on what comes from other networks")
	g.concern(&f, config.Context)
	f.Effect = fmt.Sprintf("connections from other networks to %s are reset: clients see 503 and \"connection reset\" or \"upstream connect error\"", g.network)
	labels := map[string]string{}
	for _, key := range []string{"istio", "app"} {
		if v := g.pods[0].Labels[key]; v != "" && len(labels) == 0 {
			labels[key] = v
		}
	}
	if len(labels) == 0 {
		labels = g.service.Spec.Selector
	}
	at := func(s server, what, value string) {
		f.Evidence = append(f.Evidence, finding.Evidence{Cluster: config.Context, Field: s.object().String() + ", " + what, Value: value})
	}
	patch := func(s server, careful finding.Step, spec any) {
		f.Fix = []finding.Step{careful.By(finding.Kubectl(config.Context, "-n", s.gateway.Namespace,
			"patch", "gateways.networking.istio.io/"+s.gateway.Name, "--type=merge", "-p", document(map[string]any{"spec": spec})))}
	}
	replaced := finding.Say("Careful: what the only server of this Gateway lets in today stops. Replace it by one for other networks:")
	listener := map[string]any{
		"port": map[string]any{"number": g.port(), "name": "tls", "protocol": "TLS"}, "tls": map[string]any{"mode": autoPassthrough}, "hosts": []string{"*.local"},
	}
	switch {
	case len(passing) > 0:
		f.Title = "the Gateway of the gateway's pods does not cover the Services of the mesh"
		for _, s := range passing {
			at(s, "hosts", strings.Join(s.server.Hosts, ", "))
		}
		if len(passing[0].gateway.Spec.Servers) == 1 {
			patch(passing[0], replaced, map[string]any{"servers": []any{listener}})
		}
	case len(on) > 0:
		f.Title = "the Gateway of the gateway's pods does not have TLS mode " + autoPassthrough
		for _, s := range on {
			at(s, "tls.mode", s.mode())
		}
		if len(on[0].gateway.Spec.Servers) == 1 {
			patch(on[0], replaced, map[string]any{"servers": []any{listener}})
		}
	case len(elsewhere) > 0 && elsewhere[0].foreign:
		f.Title = "the Gateway with TLS mode " + autoPassthrough + " is in another namespace than the gateway's pods"
		for _, s := range elsewhere {
			at(s, "namespace", s.gateway.Namespace+"; istiod looks for it in "+g.service.Namespace+" alone ("+istio.EnvScopeGateways+")")
		}
	case len(elsewhere) > 0:
		f.Title = "the Gateway with TLS mode " + autoPassthrough + " selects other pods than the gateway's"
		for _, s := range elsewhere {
			at(s, "selector", inline(s.gateway.Spec.Selector))
		}
		f.Evidence = append(f.Evidence, finding.Evidence{Cluster: g.member.Context, Field: "pod " + g.pods[0].Namespace + "/" + g.pods[0].Name + ", labels", Value: inline(g.pods[0].Labels)})
		careful := finding.Say("Careful: the pods that this Gateway selects today stop listening for it. Select the gateway's pods:")
		patch(elsewhere[0], careful, map[string]any{"selector": labels})
	default:
		f.Evidence = []finding.Evidence{{Cluster: config.Context, Field: fmt.Sprintf("Gateways with port %d for these pods", g.port()), Value: "none"}}
	}
	if len(f.Fix) == 0 {
		f.Fix = []finding.Step{finding.Say("Create a Gateway for what comes from other networks:").By(apply(config.Context, map[string]any{
			"apiVersion": "networking.istio.io/v1", "kind": "Gateway",
			"metadata": map[string]any{"name": "cross-network-gateway", "namespace": g.service.Namespace},
			"spec":     map[string]any{"selector": labels, "servers": []any{listener}},
		}))}
	}
	return f
}

// twice: where two servers cover the same Service by different hosts, each makes
// a filter chain of it, and the proxy refuses the listener. Of equal
// hosts istiod itself drops the second (pilot/pkg/model/gateway.go, CheckDuplicates).
func (j *judgement) twice(g *gateway, config *member, passing []server) {
	for i, a := range passing {
		for _, b := range passing[i+1:] {
			if a.server.Bind != b.server.Bind || slices.ContainsFunc(a.server.Hosts, func(h string) bool { return slices.Contains(b.server.Hosts, h) }) {
				continue
			}
			for _, x := range a.server.Hosts {
				for _, y := range b.server.Hosts {
					if !overlapping(withoutNamespace(x), withoutNamespace(y)) {
						continue
					}
					f := g.finding("GW011", finding.Error, "two Gateways cover the same Services on the gateway's port")
					g.concern(&f, config.Context)
					f.Evidence = []finding.Evidence{
						{Cluster: config.Context, Field: a.object().String() + ", hosts", Value: strings.Join(a.server.Hosts, ", ")},
						{Cluster: config.Context, Field: b.object().String() + ", hosts", Value: strings.Join(b.server.Hosts, ", ")},
					}
					f.Effect = "the gateway's proxies refuse the listener as a whole and keep the old one, or have none: connections from other networks are refused"
					f.Fix = []finding.Step{
						finding.Say("Let one of the two Gateways have host *.local."),
						finding.Say("Careful: everything that the other one lets in stops. Delete it:").
							By(finding.Kubectl(config.Context, "-n", b.gateway.Namespace, "delete", "gateways.networking.istio.io/"+b.gateway.Name)),
					}
					j.Add(f)
					return
				}
			}
		}
	}
}

// overlapping reports whether a host can be one of both.
func overlapping(a, b string) bool {
	within := func(a, b string) bool {
		suffix, wild := strings.CutPrefix(b, "*")
		return a == b || wild && strings.HasSuffix(strings.TrimPrefix(a, "*"), suffix)
	}
	return within(a, b) || within(b, a)
}

// kubernetesObject names a Gateway of the Gateway API.
func kubernetesObject(k *api.KubernetesGateway) finding.Object {
	return finding.In("gateway", k.Namespace, k.Name)
}

// judgeKubernetesGateways: a Gateway of the Gateway API with a network gives
// addresses only under conditions (pilot/pkg/serviceregistry/kube/controller/network.go,
// handleGatewayResource). One that has pods of its own is announced by its Service.
func judgeKubernetesGateways(j *judgement, members []*member) {
	if !j.gatewaysMatter() {
		return
	}
	for _, m := range members {
		for _, k := range resources.KubernetesGateways.Of(m.Cluster).Value {
			network := k.Labels[istio.LabelNetwork]
			if network == "" || k.Spec.GatewayClassName != api.ClassRemote && len(k.Spec.Addresses) == 0 {
				continue
			}
			for _, v := range m.viewers {
				if !v.programs(m) {
					continue
				}
				why := fmt.Sprintf("istiod %s does not look at Gateways (%s)", v.Istiod.Name, istio.EnvGatewayAPINetworks)
				for _, c := range v.candidates {
					if c.Kind == "Gateway" && c.Cluster == v.ids[m] && c.Namespace == k.Namespace && c.Name == k.Name {
						if why = c.Problem; why == "" {
							break
						}
					}
				}
				if why == "" {
					continue
				}
				j.Add(finding.Finding{
					Code: "GW016", Severity: finding.Error, Clusters: finding.Distinct([]string{m.Context, v.Context}), Object: kubernetesObject(&k),
					Title: "a Gateway that is to give the addresses of a network gives none",
					Evidence: []finding.Evidence{
						labelEvidence(kubernetesObject(&k).String(), network),
						{Field: "class", Value: k.Spec.GatewayClassName}, {Field: v.name(), Value: why},
					},
					Effect: fmt.Sprintf("clients on other networks do not get these addresses for %s", network),
					Fix: []finding.Step{
						finding.Say("Give it spec.addresses of type IPAddress or Hostname, and a listener of protocol HBONE, or on port %d with TLS "+
							"mode Passthrough. One of class %s has to be in the control plane's own cluster:", istio.DefaultGatewayPort, api.ClassRemote).
							By(finding.Kubectl(m.Context, "-n", k.Namespace, "edit", "gateways.gateway.networking.k8s.io/"+k.Name)),
					},
				})
				break
			}
		}
	}
}
