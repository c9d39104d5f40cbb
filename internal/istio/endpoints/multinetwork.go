package endpoints

import (
	"fmt"
	"slices"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/finding"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/model"
	"github.com/kubectl-mesh/kubectl-mesh/internal/istio/remedy"
)

// notGlobal: with ambient mode across networks turned on istiod gives sidecars and gateways only
// endpoints of their own cluster for services that are not global. That is meant where somebody
// labels some services and not others, or says so of this one. It stops requests where the
// cluster of the client has no endpoint of its own.
func (w *walk) notGlobal(p *port) finding.Finding {
	s := w.service.in(w.cp.Cluster)
	f := finding.Finding{
		Code: "EP035", Severity: finding.Warning, Clusters: []string{w.cp.Context},
		Object: finding.In("deployment", w.cp.Istiod.Namespace, w.cp.Istiod.Name),
		Title:  fmt.Sprintf("%s keeps requests of sidecars in their cluster: its services are not global", istiodOf(w.cp)),
		Evidence: []finding.Evidence{
			{Cluster: w.cp.Context, Field: "istiod, " + istio.EnvAmbientMultiNetwork, Value: w.cp.Istiod.Env(istio.EnvAmbientMultiNetwork)},
			{Cluster: w.cp.Context, Field: "serviceScopeConfigs of the mesh config", Value: scopesOf(w.cp)},
			{Cluster: w.cp.Context, Field: w.service.text() + ", label " + istio.LabelGlobal, Value: orNone(s.Labels[istio.LabelGlobal])},
		},
		Effect: "sidecars and gateways get no endpoint of other clusters for them, also where both have a gateway for sidecars",
	}
	label := w.service.label(w.cp.Context, istio.LabelGlobal+"=true")
	switch {
	case w.cp.Mesh.IsGlobal(w.cp.Cluster.NamespaceLabels(w.service.namespace), map[string]string{istio.LabelGlobal: "true"}):
		f.Fix = []finding.Step{finding.Say("Label the services that clients of other clusters use, in every cluster. For this one:").By(label)}
	default:
		f.Fix = []finding.Step{
			finding.Say(`Add {servicesSelector: {matchLabels: {` + istio.LabelGlobal + `: "true"}}, scope: GLOBAL} to the list ` +
				"serviceScopeConfigs of the mesh config:").By(remedy.EditMeshConfig(w.cp.Context, w.cp.Istiod)),
			finding.Say("Then label the services that clients of other clusters use, in every cluster. For this one:").By(label),
		}
	}
	f.Fix = append(f.Fix, finding.Say("Or turn %s off in the values of istiod's installation, if nothing is in ambient mode.",
		istio.EnvAmbientMultiNetwork))
	if len(p.given.Endpoints) == 0 {
		f.Severity, f.Object = finding.Error, w.service.object()
		f.Title = fmt.Sprintf("%s is not global, and %s gives its clients no endpoint of other clusters", w.service, istiodOf(w.cp))
		f.Effect = fmt.Sprintf("requests from %s fail: it has no endpoint of its own", w.source.Context)
	} else if s.Labels[istio.LabelGlobal] != "" || w.usesScopes(w.cp) || w.behindGateway() || w.isFrontDoor() {
		f.Severity, f.Object = finding.Note, w.service.object()
		f.Title = fmt.Sprintf("%s stays in each cluster: it is not global", w.service)
	}
	return f
}

// isFrontDoor reports whether the pods of the service are gateways, to which requests come from
// outside of the mesh: the injector gives them no label about mutual TLS.
func (w *walk) isFrontDoor() bool {
	pods := w.source.SelectedPods(w.service.in(w.source))
	return len(pods) > 0 && !slices.ContainsFunc(pods, func(p *facts.Pod) bool {
		return p.Labels[istio.LabelTLSMode] != "" || !istio.HasProxy(p)
	})
}

// usesScopes reports whether the control plane's cluster has services that are global.
func (e *evaluator) usesScopes(cp *model.ControlPlane) bool {
	return e.scoped.get(cp, func() bool {
		for name, s := range cp.Cluster.ServicesByName() {
			if cp.Mesh.IsGlobal(cp.Cluster.NamespaceLabels(name.Namespace), s.Labels) {
				return true
			}
		}
		return false
	})
}

func scopesOf(cp *model.ControlPlane) string {
	if len(cp.Mesh.ServiceScopeConfigs) == 0 {
		return "none"
	}
	return fmt.Sprintf("%d, none of which selects it", len(cp.Mesh.ServiceScopeConfigs))
}

// keptGateway: with ambient mode across networks turned on istiod gives gateways no endpoint of
// another network, or one that they cannot use (pilot/pkg/xds/endpoints/ep_filters.go;
// pilot/pkg/model/context.go, ShouldCreateDoubleHBONEResources).
func (w *walk) keptGateway(p *port) (finding.Finding, bool) {
	if !w.from.Gateway {
		return finding.Finding{}, false
	}
	reason, network, global := istio.DropReason(""), "", true
	for _, d := range p.dropped {
		switch {
		case d.Reason == istio.StaysOnNetwork || d.Reason == istio.NoHBONEGate:
			reason, network = d.Reason, d.Network.Name
		case d.Reason == istio.NotGlobal && w.isKept(d.Network.Name):
			reason, network, global = istio.StaysOnNetwork, d.Network.Name, false
		}
	}
	if i := slices.IndexFunc(p.via, func(e istio.Endpoint) bool { return e.HBONE }); i >= 0 && !w.opensHBONE() {
		reason, network = noInnerListener, p.via[i].Network
	}
	if reason == "" {
		return finding.Finding{}, false
	}
	gateway := finding.Kind("gateway")
	if pod := w.source.Pod(cut(w.from.Pod)); pod != nil {
		o := istio.WorkloadOf(pod)
		gateway = finding.In(o.Kind, o.Namespace, o.Name)
	}
	f := finding.Finding{
		Code: "EP038", Severity: finding.Warning, Clusters: []string{w.source.Context}, Object: gateway,
		Title: fmt.Sprintf("%s gets no endpoint of %s: ambient mode across networks is on", gateway, network),
		Evidence: []finding.Evidence{
			{Cluster: w.cp.Context, Field: "istiod, " + istio.EnvAmbientMultiNetwork, Value: w.cp.Istiod.Env(istio.EnvAmbientMultiNetwork)},
			{Cluster: w.cp.Context, Field: "istiod, " + istio.EnvAmbientIngress, Value: orNone(w.cp.Istiod.Env(istio.EnvAmbientIngress))},
			{Cluster: w.cp.Context, Field: "gateways of " + network + " with port " + fmt.Sprint(istio.HBONEPort), Value: w.hboneGateways(network)},
		},
		Effect: "its requests stay on its network",
		Fix: []finding.Step{
			finding.Say("Give %s an east-west gateway of class istio-east-west.", network),
			finding.Say("Or turn %s off until every cluster has such a gateway.", istio.EnvAmbientMultiNetwork),
		},
	}
	if !w.cp.Istiod.On(istio.EnvAmbientIngress) {
		f.Fix = slices.Insert(f.Fix, 1, finding.Say("Set %s to true in values.pilot.env of istiod's installation.", istio.EnvAmbientIngress))
	}
	switch {
	case len(p.given.Endpoints) > 0:
	case w.from.unread:
		f.Effect = "requests through it fail, if it has routes to services of which its network has no endpoint"
	default:
		f.Severity = finding.Error
		f.Effect = "requests through it fail: it has no endpoint of the service"
	}
	if !global {
		f.Fix = slices.Insert(f.Fix, 1, finding.Say("Label the services that it leads to as global, in every cluster. For this one:").By(
			w.service.label(w.cp.Context, istio.LabelGlobal+"=true")))
	}
	if reason == noInnerListener {
		f.Severity = finding.Error
		f.Title = fmt.Sprintf("%s gets endpoints of %s that it has no listener for", gateway, network)
		f.Effect = "the share of its requests that should go to the other network fails"
		f.Evidence = append(f.Evidence, finding.Evidence{
			Cluster: w.source.Context, Field: "label istio of the gateway", Value: orNone(w.from.proxy.Labels["istio"]),
		})
		f.Fix = []finding.Step{
			finding.Say("Label the gateway istio=ingressgateway in the values of its installation, and change the selectors of its " +
				"Gateways with it. By that label istiod takes it for an ingress gateway."),
			finding.Say("Or turn %s off until nothing needs it.", istio.EnvAmbientMultiNetwork),
		}
	}
	return f, true
}

// isKept reports whether the source, a gateway, would be given nothing of a network even if the
// service were global.
func (w *walk) isKept(network string) bool {
	if network == "" || network == w.from.proxy.Network || w.from.proxy.Network == "" || w.cp.Istiod.Before("1.29.0") {
		return false
	}
	return w.from.proxy.IsIngress() && !w.cp.Istiod.On(istio.EnvAmbientIngress) || w.hboneGateways(network) == orNone("")
}

// noInnerListener: the gateway is given a tunnel that it does not have.
const noInnerListener istio.DropReason = "it has no listener for the tunnel"

// opensHBONE reports whether istiod gives the source what it needs to use a tunnel to another
// network.
func (w *walk) opensHBONE() bool {
	return w.from.proxy.IsIngress() && w.cp.Istiod.On(istio.EnvAmbientIngress)
}

// hboneGateways are the gateways of a network that take ambient proxies.
func (w *walk) hboneGateways(network string) string {
	var out []string
	for _, g := range w.cp.PredictedGateways() {
		if g.Network == network && g.HBONEPort != 0 {
			out = append(out, w.mesh.HostOf(g.Address))
		}
	}
	return orNone(finding.List(finding.Distinct(out)))
}
