package gateways

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/api"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/resources"
	"github.com/kubectl-mesh/kubectl-mesh/internal/owner"
)

// configured is a gateway whose pods are told by Gateways of Istio where to listen.
type configured struct {
	gateway
	// by is the first of the clusters whose control planes tell the pods, and told the first
	// of these.
	by   *model.Cluster
	told *model.ControlPlane
	// on are the listeners where the Service sends to, beside those for other networks on
	// other ports of its pods, elsewhere those for other pods, and unread those that only
	// another revision reads.
	on, beside, elsewhere, unread []model.Listener
}

// passing are those of the listeners where the Service sends to that pass TLS on.
func (g configured) passing() []model.Listener {
	return slices.DeleteFunc(slices.Clone(g.on), func(l model.Listener) bool { return l.Mode() != model.AutoPassthrough })
}

// listening are the gateways whose pods listen where Gateways of Istio say it, and what
// those say: one for each revision of the control planes that tell them. Of others it is not
// known what they are told.
func listening(p pass) []configured {
	var out []configured
	for _, g := range intended(p) {
		if len(g.Pods) == 0 || !g.HasPort(g.Port()) || g.ByGatewayAPI() {
			continue
		}
		by, why := g.toldBy()
		if len(by) == 0 {
			p.NotChecked(g.Cluster.Context, why)
			continue
		}
		for _, alike := range model.ByRevision(by) {
			out = append(out, g.toldTo(alike))
		}
	}
	return out
}

// toldTo is what Gateways say to the pods of a gateway that control planes of one revision
// configure.
func (g gateway) toldTo(by []*model.ControlPlane) configured {
	c := configured{gateway: g, by: by[0].Cluster, told: by[0]}
	for _, cp := range by {
		for _, l := range g.Listeners(cp, g.Port()) {
			passes := l.Mode() == model.AutoPassthrough
			switch {
			case l.Applies():
				c.on = append(c.on, l)
			case l.Unread && l.Selects && !l.Foreign && passes && l.Listens && l.CoversMesh():
				c.unread = append(c.unread, l)
			case (l.Foreign || !l.Selects) && passes && l.Listens:
				c.elsewhere = append(c.elsewhere, l)
			case !l.Foreign && !l.Unread && l.Selects && passes && l.CoversMesh():
				c.beside = append(c.beside, l)
			}
		}
	}
	return c
}

// toldBy are the control planes whose Gateways tell the gateway's pods where to listen; none,
// and why, where those were not read.
func (g gateway) toldBy() ([]*model.ControlPlane, finding.Reason) {
	out := g.ToldBy()
	for _, cp := range out {
		if unread := cp.Cluster.Unread(resources.Gateways); len(unread) > 0 {
			return nil, unread[0].Elsewhere()
		}
	}
	if len(out) == 0 {
		return nil, finding.Because("no control plane that was read configures the gateway")
	}
	return out, finding.Reason{}
}

// listener: the pods of a gateway do not listen where their Service sends, or do not pass
// on what is for a Service of the mesh: for that a Gateway has to say AUTO_PASSTHROUGH
// (pilot/pkg/networking/core/gateway.go, builtAutoPassthroughFilterChains).
func listener(p pass) {
	seen := map[*model.Gateway]bool{}
	for _, g := range listening(p) {
		switch {
		case seen[g.Gateway]: // of several revisions the first says enough
			continue
		case slices.ContainsFunc(g.passing(), model.Listener.CoversMesh):
		case len(g.on) == 0 && len(g.beside) > 0:
			seen[g.Gateway] = true
			p.Report(g.otherPort())
		default:
			seen[g.Gateway] = true
			p.Report(g.noListener())
		}
	}
}

// otherPort is the finding about a gateway whose Service sends to another port than the
// one on which its pods listen.
func (g configured) otherPort() finding.Finding {
	target, _ := g.Target(g.Port())
	f := g.finding("GW019", finding.Error,
		fmt.Sprintf("the gateway's Service sends to port %d of its pods, and they listen on another one", target))
	f.Clusters = finding.Distinct([]string{g.Cluster.Context, g.by.Context})
	f.Evidence = []finding.Evidence{{
		Cluster: g.Cluster.Context, Field: fmt.Sprintf("%s, targetPort of %d", g.Object(), g.Port()), Value: fmt.Sprint(target),
	}}
	for _, l := range g.beside {
		f.Evidence = append(f.Evidence, finding.Evidence{
			Cluster: g.by.Context, Field: l.Object().String() + ", port with " + model.AutoPassthrough, Value: fmt.Sprint(l.Server.Port.Number),
		})
	}
	f.Effect = fmt.Sprintf("connections from other networks to %s are refused", g.Network)
	for i, port := range g.Service.Spec.Ports {
		if int(port.Port) == g.Port() {
			path := fmt.Sprintf("/spec/ports/%d/targetPort", i)
			patch := []any{map[string]any{"op": "replace", "path": path, "value": g.beside[0].Server.Port.Number}}
			f.Fix = []finding.Step{
				finding.Say("Send to the port on which the pods listen:").By(g.kubectl("patch", "--type=json", "-p", remedy.JSON(patch))),
			}
		}
	}
	return f
}

// noListener is the finding about a gateway whose pods do not pass on what comes from other
// networks.
func (g configured) noListener() finding.Finding {
	f := g.finding("GW010", finding.Error, "no Gateway makes the gateway's pods pass on what comes from other networks")
	g.also(&f, g.by.Context)
	f.Effect = fmt.Sprintf("connections from other networks to %s are reset: clients see 503 and \"connection reset\" or "+
		"\"upstream connect error\"", g.Network)
	passing := g.passing()
	switch {
	case len(g.unread) > 0:
		g.ofAnotherRevision(&f)
	case len(passing) > 0:
		f.Title = "the Gateway of the gateway's pods does not cover the Services of the mesh"
		f.Evidence = g.each(passing, "hosts", func(l model.Listener) string { return strings.Join(l.Server.Hosts, ", ") })
		f.Fix = g.replaceOnly(passing[0])
	case len(g.on) > 0:
		f.Title = "the Gateway of the gateway's pods does not have TLS mode " + model.AutoPassthrough
		f.Evidence = g.each(g.on, "tls.mode", model.Listener.Mode)
		f.Fix = g.replaceOnly(g.on[0])
	case len(g.elsewhere) > 0 && g.elsewhere[0].Foreign:
		f.Title = "the Gateway with TLS mode " + model.AutoPassthrough + " is in another namespace than the gateway's pods"
		f.Evidence = g.each(g.elsewhere, "namespace", func(l model.Listener) string {
			return l.Gateway.Namespace + "; istiod looks for it in " + g.Service.Namespace + " alone (" + istio.EnvScopeGateways + ")"
		})
	case len(g.elsewhere) > 0:
		f.Title = "the Gateway with TLS mode " + model.AutoPassthrough + " selects other pods than the gateway's"
		f.Evidence = append(g.each(g.elsewhere, "selector", func(l model.Listener) string { return inline(l.Gateway.Spec.Selector) }),
			finding.Evidence{
				Cluster: g.Cluster.Context, Field: "pod " + g.Pods[0].Namespace + "/" + g.Pods[0].Name + ", labels", Value: inline(g.Pods[0].Labels),
			})
		careful := finding.Say("Careful: the pods that this Gateway selects today stop listening for it. Select the gateway's pods:")
		f.Fix = g.change(g.elsewhere[0], careful, map[string]any{"selector": g.selectOnly(g.elsewhere[0])})
	default:
		f.Evidence = []finding.Evidence{{
			Cluster: g.by.Context, Field: fmt.Sprintf("Gateways with port %d for these pods", g.Port()), Value: "none",
		}}
	}
	if len(f.Fix) == 0 {
		f.Fix = []finding.Step{finding.Say("Create a Gateway for what comes from other networks:").By(remedy.Apply(g.by.Context, map[string]any{
			"apiVersion": "networking.istio.io/v1", "kind": "Gateway",
			"metadata": map[string]any{"name": g.freeName("cross-network-gateway"), "namespace": g.Service.Namespace},
			"spec":     map[string]any{"selector": g.selector(), "servers": []any{g.server()}},
		}))}
	}
	return f
}

// freeName is a name for a new Gateway that none in the gateway's namespace has: applying one
// of a name that exists would change that one.
func (g configured) freeName(name string) string {
	taken := func(name string) bool {
		return slices.ContainsFunc(resources.Gateways.Of(g.by.Cluster).Value, func(o api.Gateway) bool {
			return o.Namespace == g.Service.Namespace && o.Name == name
		})
	}
	for free, n := name, 0; ; n++ {
		switch {
		case !taken(free):
			return free
		case n == 0:
			free = name + "-" + g.Service.Name
		default:
			free = fmt.Sprintf("%s-%s-%d", name, g.Service.Name, n)
		}
	}
}

// ofAnotherRevision says of a gateway that the Gateway for it is read by another revision of
// istiod than the one to which its pods are connected (model.Listener.Unread).
func (g configured) ofAnotherRevision(f *finding.Finding) {
	l := g.unread[0]
	f.Title = "istiod of the gateway's pods does not read their Gateway: it is labeled for another revision"
	f.Evidence = append(
		g.each(g.unread, "label "+istio.LabelRevision, func(l model.Listener) string { return l.Gateway.Labels[istio.LabelRevision] }),
		finding.Evidence{
			Cluster: g.by.Context, Field: "revision of istiod for pod " + g.Pods[0].Namespace + "/" + g.Pods[0].Name, Value: g.told.Istiod.Revision,
		},
	)
	f.Fix = []finding.Step{
		finding.Say("Remove the label, so that every revision reads the Gateway:").
			By(finding.Kubectl(g.by.Context, "-n", l.Gateway.Namespace,
				"label", "gateways.networking.istio.io/"+l.Gateway.Name, istio.LabelRevision+"-")),
	}
	if o := owner.Of(&l.Gateway.ObjectMeta); o.Known() {
		f.Fix = append(f.Fix, o.Step(g.by.Context, l.Object()))
	}
}

// each is evidence of one thing about each of some listeners.
func (g configured) each(listeners []model.Listener, what string, value func(model.Listener) string) []finding.Evidence {
	var out []finding.Evidence
	for _, l := range listeners {
		out = append(out, finding.Evidence{Cluster: g.by.Context, Field: l.Object().String() + ", " + what, Value: value(l)})
	}
	return out
}

// selector are the labels by which a Gateway selects the gateway's pods.
func (g configured) selector() map[string]string {
	for _, key := range []string{"istio", "app"} {
		if v := g.Pods[0].Labels[key]; v != "" {
			return map[string]string{key: v}
		}
	}
	return g.Service.Spec.Selector
}

// selectOnly is the selector of a Gateway as a merge patch, which keeps the labels that it
// does not remove.
func (g configured) selectOnly(l model.Listener) map[string]any {
	out := map[string]any{}
	for key := range l.Gateway.Spec.Selector {
		out[key] = nil
	}
	for key, value := range g.selector() {
		out[key] = value
	}
	return out
}

// server is the server of a Gateway that passes on what comes from other networks.
func (g configured) server() map[string]any {
	return map[string]any{
		"port":  map[string]any{"number": g.Port(), "name": "tls", "protocol": "TLS"},
		"tls":   map[string]any{"mode": model.AutoPassthrough},
		"hosts": []string{"*.local"},
	}
}

// replaceOnly is the step that replaces the only server of a Gateway; none where it has
// several.
func (g configured) replaceOnly(l model.Listener) []finding.Step {
	if len(l.Gateway.Spec.Servers) != 1 {
		return nil
	}
	careful := finding.Say("Careful: what the only server of this Gateway lets in today stops. Replace it by one for other networks:")
	return g.change(l, careful, map[string]any{"servers": []any{g.server()}})
}

// change is the step that changes the spec of the Gateway of a listener.
func (g configured) change(l model.Listener, careful finding.Step, spec any) []finding.Step {
	return []finding.Step{careful.By(finding.Kubectl(g.by.Context, "-n", l.Gateway.Namespace,
		"patch", "gateways.networking.istio.io/"+l.Gateway.Name, "--type=merge", "-p", remedy.JSON(map[string]any{"spec": spec})))}
}

// overlappingListeners: two servers cover the same Service by different hosts, so that each
// makes a filter chain of it, and the proxy refuses the listener. Of equal hosts istiod
// itself drops the second (pilot/pkg/model/gateway.go, CheckDuplicates).
func overlappingListeners(p pass) {
	for _, g := range listening(p) {
		a, b, ok := overlap(g.passing())
		if !ok {
			continue
		}
		f := g.finding("GW011", finding.Error, "two Gateways cover the same Services on the gateway's port")
		g.also(&f, g.by.Context)
		f.Evidence = g.each([]model.Listener{a, b}, "hosts", func(l model.Listener) string { return strings.Join(l.Server.Hosts, ", ") })
		f.Effect = "the gateway's proxies refuse the listener as a whole and keep the old one, or have none: " +
			"connections from other networks are refused"
		f.Fix = []finding.Step{
			finding.Say("Let one of the two Gateways have host *.local."),
			finding.Say("Careful: everything that the other one lets in stops. Delete it:").
				By(finding.Kubectl(g.by.Context, "-n", b.Gateway.Namespace, "delete", "gateways.networking.istio.io/"+b.Gateway.Name)),
		}
		p.Report(f)
	}
}

// overlap are the first two listeners of which different hosts cover the same Services;
// false where there are none.
func overlap(listeners []model.Listener) (a, b model.Listener, ok bool) {
	for i, a := range listeners {
		for _, b := range listeners[i+1:] {
			same := slices.ContainsFunc(a.Server.Hosts, func(h string) bool { return slices.Contains(b.Server.Hosts, h) })
			if a.Server.Bind == b.Server.Bind && !same && slices.ContainsFunc(a.Server.Hosts, func(x string) bool {
				return slices.ContainsFunc(b.Server.Hosts, func(y string) bool {
					return overlapping(model.WithoutNamespace(x), model.WithoutNamespace(y))
				})
			}) {
				return a, b, true
			}
		}
	}
	return a, b, false
}

// overlapping reports whether a host can be one of both.
func overlapping(a, b string) bool {
	within := func(a, b string) bool {
		suffix, wild := strings.CutPrefix(b, "*")
		return a == b || wild && strings.HasSuffix(strings.TrimPrefix(a, "*"), suffix)
	}
	return within(a, b) || within(b, a)
}
