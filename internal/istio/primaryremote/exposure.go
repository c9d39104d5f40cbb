package primaryremote

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/evidence"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
)

// exposure finds gateways to which a remote cluster's Service of istiod leads and that do
// not pass on to istiod: they need its ports, listeners there, and routes
// (samples/multicluster/expose-istiod.yaml).
func exposure(p pass) {
	for _, r := range remotes(p) {
		for _, s := range r.bridges(p) {
			addresses, all := r.endpointsOf(s)
			for _, cp := range r.by {
				// What is before an external control plane belongs to another mesh, or to none.
				if !p.Able(cp.Context) || cp.IsExternal() {
					continue
				}
				ports := slices.DeleteFunc(slices.Clone(all), func(port int) bool { return r.seenAt(p, port, addresses) })
				if s := cp.RunsIn.ServiceAt(addresses); s != nil && len(ports) > 0 {
					g := &model.Gateway{Cluster: cp.RunsIn, Service: s, Network: s.Labels[istio.LabelNetwork], Pods: cp.RunsIn.SelectedPods(s)}
					exposedBy(p, r, cp, g, ports)
				}
			}
		}
	}
}

// exposedBy checks one gateway, for the ports at which istiod was not seen.
func exposedBy(p pass, r remote, cp *model.ControlPlane, g *model.Gateway, ports []int) {
	if len(g.Pods) == 0 || slices.ContainsFunc(g.Pods, func(p *facts.Pod) bool { return p.Labels[istio.LabelGatewayName] != "" }) {
		p.NotChecked(r.Context, finding.Reason{
			Kind: finding.NotRead, Text: fmt.Sprintf("what %s of %s passes on is not among what is read", g.Object(), cp.Context),
		})
		return
	}
	var wrong []finding.Evidence
	for _, port := range []int{model.PortDiscovery, model.PortInjection} {
		if !slices.Contains(ports, port) {
			continue
		}
		e, why := unexposed(cp, g, port)
		if why != (finding.Reason{}) {
			p.NotChecked(r.Context, why)
		}
		if e.Value != "" {
			e.Cluster = cp.Context
			wrong = append(wrong, e)
		}
	}
	if len(wrong) == 0 {
		return
	}
	p.Gather(finding.Finding{
		Code: "PR006", Severity: finding.Error, Clusters: finding.Distinct([]string{r.Context, cp.Context}), Object: g.Object(),
		Title: "the gateway to which the remote cluster goes does not lead to istiod", Evidence: wrong,
		Effect: fmt.Sprintf("proxies of %s get no configuration and no certificates, or pods there are not injected", r.Context),
		Fix: []finding.Step{
			finding.Say("Give the Service of the gateway ports %d and %d.", model.PortDiscovery, model.PortInjection),
			finding.Say("Apply the Gateway and the VirtualService of the release's samples; for a revision take expose-istiod-rev.yaml.tmpl:").
				By(finding.Kubectl(cp.Context, "-n", cp.Istiod.Namespace, "apply", "-f", "samples/multicluster/expose-istiod.yaml")),
		},
	})
}

// unexposed is evidence of why what comes to a port of a gateway does not get to istiod;
// none where it does. why says that it is not known.
func unexposed(cp *model.ControlPlane, g *model.Gateway, port int) (e finding.Evidence, why finding.Reason) {
	if !g.HasPort(port) {
		return finding.Evidence{Field: g.Object().String() + ", ports", Value: fmt.Sprintf("no %d; there are %s", port, portsOf(g.Service))}, why
	}
	if slices.ContainsFunc(g.Pods, func(p *facts.Pod) bool { return "app="+p.Labels["app"] == istio.IstiodSelector }) {
		return e, why // it leads to istiod itself
	}
	listeners := slices.DeleteFunc(g.Listeners(cp, port), func(l model.Listener) bool { return !l.Applies() })
	if len(listeners) == 0 {
		return finding.Evidence{Field: fmt.Sprintf("Gateways with port %d for the pods of %s", port, g.Object()), Value: "none"}, why
	}
	if u := cp.RunsIn.Unread(resources.VirtualServices); len(u) > 0 {
		return e, u[0].Elsewhere()
	}
	return finding.Evidence{
		Field: fmt.Sprintf("virtualservices of %s, port %d", listeners[0].Object(), port), Value: unrouted(cp, listeners, port),
	}, why
}

// portsOf are the ports of a Service, for people.
func portsOf(s *corev1.Service) string {
	var out []string
	for _, p := range s.Spec.Ports {
		text := strconv.Itoa(int(p.Port))
		if p.Name != "" {
			text += " (" + p.Name + ")"
		}
		out = append(out, text)
	}
	return evidence.OrNone(strings.Join(out, ", "))
}

// unrouted says why what comes to listeners is not passed on to istiod; "" where it is.
func unrouted(cp *model.ControlPlane, listeners []model.Listener, port int) string {
	value := "none routes to istiod"
	c := cp.RunsIn
	for _, vs := range resources.VirtualServices.Of(c.Cluster).Value {
		if !cp.Istiod.Reads(vs.Labels) || !slices.ContainsFunc(listeners, func(l model.Listener) bool { return isOf(vs, l.Gateway) }) {
			continue
		}
		for _, route := range slices.Concat(vs.Spec.TLS, vs.Spec.TCP, vs.Spec.HTTP) {
			if len(route.Match) > 0 && !slices.ContainsFunc(route.Match, func(m api.RouteMatch) bool { return m.Port == 0 || int(m.Port) == port }) {
				continue
			}
			for _, d := range route.Route {
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
				if c.Service(name.Namespace, name.Name) != nil {
					return ""
				}
				value = "virtualservice " + vs.Namespace + "/" + vs.Name + " routes to " + d.Destination.Host + ", which does not exist"
			}
		}
	}
	return value
}

// isOf reports whether a VirtualService is bound to a Gateway.
func isOf(vs api.VirtualService, g *api.Gateway) bool {
	return slices.Contains(vs.Spec.Gateways, g.Namespace+"/"+g.Name) ||
		vs.Namespace == g.Namespace && slices.Contains(vs.Spec.Gateways, g.Name)
}
